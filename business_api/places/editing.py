"""Making, changing and deleting one place: the same for zones, buildings, units and houses."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from business_api import auditing, versions
from business_api.actors import Actor
from business_api.places.errors import CodeTaken, PlaceInUse
from business_api.places.models import Building, House, Unit, Zone
from foundation.runner import Context

Place = TypeVar("Place", Zone, Building, Unit, House)

NOUN: Final = {Zone: "zone", Building: "building", Unit: "unit", House: "house"}


async def make(context: Context, actor: Actor | str, row: Place) -> Place:
    """Store a new one. Joins the caller's transaction.

    Raises:
        CodeTaken: something beside it has its code.
    """
    try:
        async with in_transaction():
            await row.save(force_create=True)
            await _note(context, actor, row, "create", after={"code": row.code})
    except IntegrityError:
        raise CodeTaken(code=row.code) from None
    return row


async def change(
    context: Context, actor: Actor | str, row: Place, changes: Mapping[str, Any], version: int
) -> Place:
    """Change some columns, if the row is still at `version`; the row as it is now.

    Args:
        context: of the process.
        actor: who.
        row: as it was found.
        changes: by attribute.
        version: that the edit was made on.

    Raises:
        Stale: somebody changed it since, or deleted it.
        CodeTaken: something beside it has that code.
    """
    news = {name: value for name, value in changes.items() if getattr(row, name) != value}
    before = {name: auditing.plain(getattr(row, name)) for name in news}
    after = {name: auditing.plain(value) for name, value in news.items()}
    if hasattr(row, "updated_at"):
        news["updated_at"] = context.clock()
    try:
        async with in_transaction():
            await versions.edit(row, news, version)
            await _note(context, actor, row, "change", before=before, after=after)
    except IntegrityError:
        raise CodeTaken(code=str(changes.get("code", row.code))) from None
    return row


async def remove(context: Context, actor: Actor | str, rows: Sequence[Place]) -> None:
    """Delete rows on which nothing hangs; one line in the audit for each.

    Raises:
        PlaceInUse: something came to hang on one of them in the meantime.
    """
    if not rows:
        return
    model = cast(Any, type(rows[0]))
    try:
        async with in_transaction():
            await model.filter(id__in=[row.id for row in rows]).delete()
            for row in rows:
                await _note(context, actor, row, "delete", before={"code": row.code})
    except IntegrityError:
        raise PlaceInUse from None


async def _note(context: Context, actor: Actor | str, row: Place, verb: str, **facts: Any) -> None:
    noun = NOUN[type(row)]
    await auditing.note(context, actor, f"{noun}.{verb}", f"{noun}/{row.id}", row.site, **facts)
