"""开门记录 over HTTP: as a list, and as a file for Excel."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import StreamingResponse

from business_api import auditing
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.devices.export import csv_lines
from business_api.devices.openings import Wanted, named, visible
from business_api.devices.periods import PeriodQuery
from business_api.devices.schemas import OpeningOut
from business_api.language import language_of
from business_api.organisations.sites import above
from business_api.paging import MOST, Cursor
from business_api.problems import documents
from business_api.schemas import Search
from device_registry.journal import queries
from device_registry.journal.queries import BadCursor, BadPeriod, Method, Outcome, RecordFilter
from foundation.errors import DomainError, Kind
from foundation.runner import Context

router = APIRouter(tags=["openings"])


class NoSuchTimeZone(DomainError):
    """Not a name of the IANA time zone database."""

    kind, code, title = Kind.INVALID, "no-such-time-zone", "There is no such time zone"
    title_zh = "时区不存在"


async def _wanted(
    period: PeriodQuery,
    *,
    community_id: UUID | None = None,
    station_id: UUID | None = None,
    house_id: UUID | None = None,
    outcome: Outcome | None = None,
    method: Method | None = None,
    search: Annotated[Search, Query(description="part of a station's name, MAC or a cid")] = "",
) -> Wanted:
    return Wanted(
        period=period,
        community_id=community_id,
        station_id=station_id,
        house_id=house_id,
        outcome=outcome,
        method=method,
        search=search,
    )


WantedQuery = Annotated[Wanted, Depends(_wanted)]


async def _time_zone(
    tz: Annotated[str, Query(max_length=64, description="IANA name, for the times")] = (
        "Asia/Shanghai"
    ),
) -> ZoneInfo:
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise NoSuchTimeZone(tz[:64]) from None


@router.get(
    "/openings",
    operation_id="listOpenings",
    responses=documents(BadPeriod, BadCursor),
)
async def list_openings(
    actor: Annotated[Actor, needs(Permission.OPENING_VIEW)],
    wanted: WantedQuery,
    before: Annotated[str | None, Query(max_length=200, description="`next` of a page")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 10,
) -> Cursor[OpeningOut]:
    """Who opened which door, or tried to, the latest first: the last 7 days, 92 at most.

    Staff see their communities; residents what was opened in their houses' names since they
    live there.
    """
    records, following = await queries.records(
        await visible(actor, Permission.OPENING_VIEW, wanted), before=before, limit=limit
    )
    return Cursor(items=await named(records), next=following)


@router.get(
    "/openings/export.csv",
    operation_id="exportOpenings",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **documents(BadPeriod, NoSuchTimeZone),
    },
)
async def export_openings(
    request: Request,
    context: Ctx,
    actor: Annotated[Actor, needs(Permission.OPENING_EXPORT)],
    *,
    wanted: WantedQuery,
    zone: Annotated[ZoneInfo, Depends(_time_zone)],
) -> StreamingResponse:
    """The same as a CSV file that Excel opens: UTF-8 with a byte order mark.

    Whoever takes such a file along is named in the audit.
    """
    allowed = await visible(actor, Permission.OPENING_EXPORT, wanted)
    await _note(context, actor, allowed)
    lines = csv_lines(allowed, zone, language_of(request))
    first = wanted.period.since.astimezone(zone)
    last = (wanted.period.until - timedelta(microseconds=1)).astimezone(zone)
    return StreamingResponse(
        lines,
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": "attachment; "
            f'filename="openings-{first:%Y%m%d}-{last:%Y%m%d}.csv"'
        },
    )


async def _note(context: Context, actor: Actor, allowed: RecordFilter) -> None:
    await auditing.note(
        context,
        actor,
        "opening.export",
        f"account/{actor.account_id}",
        await above(allowed.communities or ()),
        since=allowed.since.isoformat(),
        until=allowed.until.isoformat(),
        station=str(allowed.device_id) if allowed.device_id else None,
        house=str(allowed.house_id) if allowed.house_id else None,
    )
