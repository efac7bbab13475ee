"""Lists: the super admin's (F6: the slot list comes from 数据字典)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from business_api import auditing, versions
from business_api.actors import Actor, NotAllowed
from business_api.authz.permissions import Permission
from business_api.authz.scope import Site
from business_api.dictionary.errors import DictCodeTaken, DictTypeInUse, NoSuchDictType
from business_api.dictionary.models import DictItem, DictType
from business_api.versions import Stale
from foundation.runner import Context


def require_platform(actor: Actor) -> None:
    """Lists are everybody's: whoever may see them knows of all, and one role changes them.

    Raises:
        NotAllowed: the actor manages less than the platform.
    """
    if not actor.may(Permission.DICTIONARY_MANAGE, Site()):
        raise NotAllowed(Permission.DICTIONARY_MANAGE.value)


async def get(dict_type_id: UUID) -> DictType:
    """One list.

    Raises:
        NoSuchDictType: there is none.
    """
    found = await DictType.get_or_none(id=dict_type_id)
    if found is None:
        raise NoSuchDictType
    return found


async def listed(
    *, search: str = "", offset: int = 0, limit: int = 10
) -> tuple[Sequence[DictType], int]:
    """Lists by code, and how many. Two statements."""
    which = DictType.filter(named(search))
    return await which.order_by("code").offset(offset).limit(limit), await which.count()


def named(text: str) -> Q:
    """Rows with `text` in their code or a name."""
    if not text:
        return Q()
    return Q(code__icontains=text) | Q(name_zh__icontains=text) | Q(name_en__icontains=text)


async def create(context: Context, actor: Actor, code: str, name_zh: str, name_en: str) -> DictType:
    """Add a list.

    Raises:
        NotAllowed: see `require_platform`.
        DictCodeTaken: there is one with this code.
    """
    require_platform(actor)
    row = DictType(
        code=code,
        name_zh=name_zh,
        name_en=name_en,
        created_at=context.clock(),
        created_by=actor.account_id,
    )
    try:
        async with in_transaction():
            await row.save(force_create=True)
            of = f"dict_type/{row.id}"
            await auditing.note(context, actor, "dict_type.create", of, Site(), code=code)
    except IntegrityError:
        raise DictCodeTaken from None
    return row


async def change(
    context: Context, actor: Actor, row: DictType, changes: Mapping[str, Any], version: int
) -> DictType:
    """Change its names; the code stays, the product may ask for it.

    Raises:
        NotAllowed: see `require_platform`.
        Stale: somebody changed it since.
    """
    require_platform(actor)
    before = {name: getattr(row, name) for name in changes}
    async with in_transaction():
        await versions.edit(row, changes, version)
        of = f"dict_type/{row.id}"
        told = {"before": before, "after": changes}
        await auditing.note(context, actor, "dict_type.change", of, Site(), **told)
    return row


async def delete(context: Context, actor: Actor, row: DictType, version: int) -> None:
    """Delete an empty list of the super admin's own.

    Raises:
        NotAllowed: see `require_platform`.
        DictTypeInUse: the product asks for it, or there are words in it, an operator's too.
        Stale: somebody changed it since.
    """
    require_platform(actor)
    if row.builtin:
        raise DictTypeInUse("the product asks for it", builtin=True)
    try:
        async with in_transaction():
            if items := await DictItem.filter(type_id=row.id).count():
                raise DictTypeInUse(f"{items} entries", items=items)
            if not await DictType.filter(id=row.id, version=version).delete():
                raise Stale
            of = f"dict_type/{row.id}"
            await auditing.note(context, actor, "dict_type.delete", of, Site(), code=row.code)
    except IntegrityError:  # a word came in between
        raise DictTypeInUse from None
