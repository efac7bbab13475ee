"""The one paging convention: numbered pages for lists, a cursor for what grows all the time.

`?page=2&size=20` for places, people, stations: the console jumps to pages and shows 共N条.
`?before=…&limit=50` for opening records and other events: new rows come in while somebody
reads, so a number would shift; the cursor is opaque and comes from the answer before.
"""

from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel

T = TypeVar("T")

MOST = 100
"""Items in one answer, whatever was asked for."""


class Page(BaseModel, Generic[T]):
    """One numbered page of a list. A page after the last one is empty."""

    items: list[T]
    total: int
    page: int
    size: int


class Cursor(BaseModel, Generic[T]):
    """One stretch of a list of events, newest first. `next` is null at the end."""

    items: list[T]
    next: str | None


@dataclass(frozen=True, slots=True)
class Paged:
    """Which page is asked for."""

    page: int
    size: int

    @property
    def offset(self) -> int:
        """How many rows come before it."""
        return (self.page - 1) * self.size

    def of(self, items: list[T], total: int) -> Page[T]:
        """The answer."""
        return Page(items=items, total=total, page=self.page, size=self.size)


async def _paged(
    page: Annotated[int, Query(ge=1, le=100_000, description="from 1")] = 1,
    size: Annotated[int, Query(ge=1, le=MOST, description="items a page")] = 10,
) -> Paged:
    return Paged(page, size)


PageQuery = Annotated[Paged, Depends(_paged)]
