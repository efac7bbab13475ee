"""Provinces, cities, districts: public, and the same for everybody."""

from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Response, status

from business_api.organisations import regions
from business_api.organisations.errors import NoSuchRegion
from business_api.organisations.schemas import RegionOut
from business_api.problems import documents

router = APIRouter(prefix="/regions", tags=["regions"])

_FRESH: Final = "public, max-age=86400"

Known = Annotated[
    str | None,
    Header(alias="If-None-Match", max_length=200, description="the ETag of what one has"),
]


@router.get(
    "",
    operation_id="listRegions",
    response_model=list[RegionOut],
    responses={304: {"description": "as one has it"}, **documents(NoSuchRegion)},
)
async def list_regions(
    response: Response,
    parent: Annotated[
        str, Query(max_length=6, description="what they lie in; empty: the provinces")
    ] = "",
    known: Known = None,
) -> list[RegionOut] | Response:
    """What lies right under a province or city, by code."""
    if parent and regions.region(parent) is None:
        raise NoSuchRegion
    found = [RegionOut.model_validate(one) for one in regions.children(parent)]
    return _unchanged(known, response) or found


@router.get(
    "/{region_code}",
    operation_id="getRegion",
    response_model=RegionOut,
    responses={304: {"description": "as one has it"}, **documents(NoSuchRegion)},
)
async def get_region(
    region_code: str, response: Response, known: Known = None
) -> RegionOut | Response:
    """One province, city or district, with the names above it."""
    found = regions.region(region_code)
    if found is None:
        raise NoSuchRegion
    return _unchanged(known, response) or RegionOut.model_validate(found)


def _unchanged(known: str | None, response: Response) -> Response | None:
    """The answer to somebody who has this edition already; else `response` tells which it is."""
    tags = {"ETag": f'"{regions.edition()}"', "Cache-Control": _FRESH}
    given = (one.strip().removeprefix("W/") for one in (known or "").split(","))
    if tags["ETag"] in given:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=tags)
    response.headers.update(tags)
    return None
