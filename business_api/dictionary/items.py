"""Words of a list: the platform's, and an operator's own beside or instead of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from business_api import auditing, versions
from business_api.actors import Actor, NotAllowed
from business_api.authz.permissions import Permission
from business_api.authz.scope import Site
from business_api.dictionary import owners, types
from business_api.dictionary.errors import (
    DictCodeTaken,
    DictTypeFull,
    NoSuchDictItem,
    NoSuchDictType,
)
from business_api.dictionary.models import PLATFORM, DictItem, DictType
from business_api.versions import Stale
from foundation.runner import Context

MOST: Final = 200
"""Words of one owner in one list."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """A word to be."""

    code: str
    name_zh: str
    name_en: str
    sort: int = 0
    enabled: bool = True


async def get(actor: Actor, dict_item_id: UUID) -> DictItem:
    """One word that the actor sees, its list loaded. Three statements at most.

    Raises:
        NoSuchDictItem: there is none, or it is another operator's.
    """
    seen = await owners.visible(actor)
    found = await DictItem.filter(seen, id=dict_item_id).select_related("type").first()
    if found is None:
        raise NoSuchDictItem
    return found


async def listed(
    actor: Actor, where: Q, *, search: str = "", offset: int = 0, limit: int = 10
) -> tuple[Sequence[DictItem], int]:
    """Words by list, sort and code, and how many. Four statements at most."""
    which = DictItem.filter(await owners.visible(actor), where, types.named(search))
    rows = which.select_related("type").order_by("type__code", "sort", "code", "owner")
    return await rows.offset(offset).limit(limit), await which.count()


async def choices(actor: Actor, type_code: str, operator_id: UUID | None) -> Sequence[DictItem]:
    """What there is to choose from: an operator's word wins over the platform's of its code.

    A word of the operator's that is not enabled hides the platform's. Five statements at
    most.

    Args:
        actor: who chooses.
        type_code: the list.
        operator_id: whose words; None: of the actor's operator, if it has just one, else
            the platform's alone.

    Raises:
        NoSuchDictType: there is no such list.
    """
    type_ = await DictType.get_or_none(code=type_code)
    if type_ is None:
        raise NoSuchDictType
    operators = await owners.operators_of(actor)
    if operator_id is None and operators is not None and len(operators) == 1:
        operator_id = operators[0]
    elif operators is not None and operator_id not in operators:
        operator_id = None
    mine = Q(owner=PLATFORM) if operator_id is None else Q(owner__in=[PLATFORM, str(operator_id)])
    found = await DictItem.filter(mine, type_id=type_.id).order_by("sort", "code").all()
    own = {item.code for item in found if item.owner != PLATFORM}
    return [
        item for item in found if item.enabled and (item.owner != PLATFORM or item.code not in own)
    ]


async def create(
    context: Context, actor: Actor, type_: DictType, operator_id: UUID | None, new: NewItem
) -> DictItem:
    """Add a word: an operator's own, or with no operator one for everybody.

    Raises:
        NotAllowed: the actor does not manage that owner's words.
        DictCodeTaken: the owner has one with this code in this list.
        DictTypeFull: the owner has enough.
    """
    _require(actor, operator_id)
    owner = PLATFORM if operator_id is None else str(operator_id)
    row = DictItem(
        type=type_,
        operator_id=operator_id,
        owner=owner,
        code=new.code,
        name_zh=new.name_zh,
        name_en=new.name_en,
        sort=new.sort,
        enabled=new.enabled,
        created_at=context.clock(),
        created_by=actor.account_id,
    )
    try:
        async with in_transaction():
            if await DictItem.filter(type_id=type_.id, owner=owner).count() >= MOST:
                raise DictTypeFull
            await row.save(force_create=True)
            await _note(context, actor, row, "create", list=type_.code, code=row.code)
    except IntegrityError:
        raise DictCodeTaken from None
    return row


async def change(
    context: Context, actor: Actor, row: DictItem, changes: Mapping[str, Any], version: int
) -> DictItem:
    """Change everything but the code, by which others name it.

    Raises:
        NotAllowed: the actor does not manage that owner's words.
        Stale: somebody changed it since.
    """
    _require(actor, row.operator_id)
    before = {name: getattr(row, name) for name in changes}
    async with in_transaction():
        await versions.edit(row, changes, version)
        await _note(context, actor, row, "change", before=before, after=changes)
    return row


async def delete(context: Context, actor: Actor, row: DictItem, version: int) -> None:
    """Delete a word. Whatever named it by its code goes on naming it.

    Raises:
        NotAllowed: the actor does not manage that owner's words.
        Stale: somebody changed it since.
    """
    _require(actor, row.operator_id)
    async with in_transaction():
        if not await DictItem.filter(id=row.id, version=version).delete():
            raise Stale
        await _note(context, actor, row, "delete", code=row.code)


def _require(actor: Actor, operator_id: UUID | None) -> None:
    """An operator that is not the actor's is refused like one that is not there."""
    if not actor.may(Permission.DICTIONARY_MANAGE, Site(operator_id)):
        raise NotAllowed(Permission.DICTIONARY_MANAGE.value)


async def _note(context: Context, actor: Actor, row: DictItem, verb: str, **facts: Any) -> None:
    of = f"dict_item/{row.id}"
    await auditing.note(context, actor, f"dict_item.{verb}", of, row.site, **facts)
