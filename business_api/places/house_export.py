"""Houses as a workbook, with the columns of the import: what goes out can come in again."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import IO, Final
from uuid import UUID

from tortoise.expressions import Q

from business_api import auditing
from business_api.actors import Actor
from business_api.imports import workbooks
from business_api.imports.kinds import Words
from business_api.imports.templates import titles
from business_api.language import Language
from business_api.organisations.models import Community
from business_api.places.house_columns import COLUMNS, texts
from business_api.places.models import House
from foundation.runner import Context

_TITLE: Final = Words("房屋", "Houses")
_CHUNK: Final = 500


async def exported(
    context: Context,
    actor: Actor,
    community: Community,
    building_id: UUID | None,
    language: Language,
) -> IO[bytes]:
    """The workbook of a community's houses, or one building's; a statement for every 500.

    The rows of one chunk are in memory; the file is on disk, and gone once it is closed.
    """
    rows = _rows(community.id, building_id, language)
    async with aclosing(rows):
        file = await workbooks.table(_TITLE.of(language), titles(COLUMNS, language), rows)
    of = f"building/{building_id}" if building_id else f"community/{community.id}"
    await auditing.note(context, actor, "house.export", of, community.site)
    return file


async def _rows(
    community_id: UUID, building_id: UUID | None, language: Language
) -> AsyncGenerator[Sequence[Sequence[str]]]:
    which = House.filter(community_id=community_id)
    if building_id is not None:
        which = which.filter(building_id=building_id)
    order = ("building__code", "unit__code", "code")
    after = Q()
    while chunk := (
        await which.filter(after).order_by(*order).limit(_CHUNK).select_related("building", "unit")
    ):
        yield [texts(house, lambda words: words.of(language)) for house in chunk]
        after = _after(chunk[-1])


def _after(house: House) -> Q:
    """Those that come later: by building, unit if there is one, and code.

    A building has units or not, so that of two houses in it both have one or neither.
    """
    building = house.building
    here = Q(building_id=building.id)
    beside = here & Q(code__gt=house.code)
    if house.unit is None:
        return Q(building__code__gt=building.code) | beside
    beside &= Q(unit_id=house.unit.id)
    return Q(building__code__gt=building.code) | (here & Q(unit__code__gt=house.unit.code)) | beside
