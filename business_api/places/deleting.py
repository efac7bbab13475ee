"""Deleting places: one, or those ticked in a list. What something hangs on stays."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.places import editing, hanging
from business_api.places.editing import Place
from business_api.places.errors import PlaceInUse
from business_api.places.models import Building, House, Unit, Zone
from foundation.runner import Context

_HANGING: Final[Mapping[Any, Callable[[Collection[UUID]], Awaitable[hanging.Hanging]]]] = {
    Zone: hanging.on_zones,
    Building: hanging.on_buildings,
    Unit: hanging.on_units,
    House: hanging.on_houses,
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A place that could not be deleted, and what hangs on it."""

    id: UUID
    code: str
    by: list[str]


async def delete(context: Context, actor: Actor | str, row: Place) -> None:
    """Delete one place.

    Raises:
        PlaceInUse: something hangs on it.
    """
    if kept := await delete_all(context, actor, [row]):
        raise PlaceInUse(by=kept[0].by)


async def delete_all(context: Context, actor: Actor | str, rows: Sequence[Place]) -> Sequence[Kept]:
    """Delete those on which nothing hangs; the others.

    Raises:
        PlaceInUse: something came to hang on one in this very moment.
    """
    if not rows:
        return ()
    async with in_transaction():
        found = await _HANGING[type(rows[0])]([row.id for row in rows])
        await editing.remove(context, actor, [row for row in rows if row.id not in found])
    return [Kept(row.id, row.code, found[row.id]) for row in rows if row.id in found]
