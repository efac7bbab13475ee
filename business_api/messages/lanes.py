"""What goes first when much waits, without anything waiting for ever."""

from typing import Final, TypeVar

from tortoise.models import Model
from tortoise.queryset import QuerySet

from business_api.messages.models import Lane

M = TypeVar("M", bound=Model)

_KEPT: Final = ((Lane.URGENT, 4), (Lane.FEW, 8), (Lane.MANY, 0))
"""Of a batch, the part (1/n) that a lane leaves to those behind it, however long it is."""


async def first(waiting: QuerySet[M], room: int, order: str) -> list[M]:
    """Up to `room` of the rows, locked; those that others hold are skipped.

    Three statements, each along an index.
    """
    taken: list[M] = []
    for lane, part in _KEPT:
        most = room - len(taken) - (room // part if part else 0)
        if most > 0:
            some = waiting.filter(lane=lane).order_by(order).limit(most)
            taken += await some.select_for_update(skip_locked=True)
    return taken
