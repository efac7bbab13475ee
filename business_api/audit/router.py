"""`/v1/audit`: who did what, by scope; as a list and as a file."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import StreamingResponse

from business_api.actors import Actor
from business_api.audit.reading import AuditOut, named, scope_of
from business_api.authz.permissions import Permission
from business_api.csv_text import BOM, csv_text
from business_api.deps import needs
from business_api.devices.periods import PeriodQuery
from business_api.paging import MOST, Cursor
from business_api.problems import documents
from device_registry.journal.queries import BadPeriod
from foundation import audit_reading
from foundation.audit_reading import Scope, Wanted

router = APIRouter(prefix="/audit", tags=["audit"])

_COLUMNS: Final = ("seq", "at", "actor", "actor_name", "action", "object")
_IDS: Final = ("operator_id", "company_id", "community_id")


async def _wanted(
    period: PeriodQuery,
    *,
    actor_is: Annotated[
        str, Query(alias="actor", max_length=80, description="e.g. account/{id}, platform")
    ] = "",
    action: Annotated[
        str, Query(max_length=60, description="e.g. house.change; house.* for all of a noun")
    ] = "",
    object_is: Annotated[
        str, Query(alias="object", max_length=120, description="e.g. house/{id}")
    ] = "",
    community_id: UUID | None = None,
) -> Wanted:
    return Wanted(
        since=period.since,
        until=period.until,
        actor=actor_is.replace("\0", ""),
        action=action.replace("\0", ""),
        object=object_is.replace("\0", ""),
        community_id=community_id,
    )


WantedQuery = Annotated[Wanted, Depends(_wanted)]


@router.get("", operation_id="listAudit", responses=documents(BadPeriod))
async def list_audit(
    actor: Annotated[Actor, needs(Permission.AUDIT_VIEW)],
    wanted: WantedQuery,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of a page")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 10,
) -> Cursor[AuditOut]:
    """What was done in one's part of the tenant tree, the latest first: 92 days at most."""
    scope = await scope_of(actor, Permission.AUDIT_VIEW)
    page, following = await audit_reading.lines(scope, wanted, before=before, limit=limit)
    return Cursor(items=await named(page), next=str(following) if following else None)


@router.get(
    "/export.csv",
    operation_id="exportAudit",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **documents(BadPeriod),
    },
)
async def export_audit(
    actor: Annotated[Actor, needs(Permission.AUDIT_EXPORT)], wanted: WantedQuery
) -> StreamingResponse:
    """The same as a CSV file (UTF-8 with a byte order mark, times in UTC), hashes included.

    The order is that of the list; `linli audit verify` checks the chain itself.
    """
    scope = await scope_of(actor, Permission.AUDIT_EXPORT)
    name = f"audit-{wanted.since:%Y%m%d}-{wanted.until:%Y%m%d}.csv"
    return StreamingResponse(
        _csv(scope, wanted),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _csv(scope: Scope, wanted: Wanted) -> AsyncIterator[bytes]:
    yield BOM + csv_text([(*_COLUMNS, *_IDS, "facts", "hash")])
    async for page in audit_reading.pages(scope, wanted):
        yield csv_text([_cells(line) for line in await named(page)])


def _cells(line: AuditOut) -> list[str]:
    return [
        *(str(getattr(line, name)) for name in _COLUMNS),
        *(str(getattr(line, name) or "") for name in _IDS),
        json.dumps(line.facts, ensure_ascii=False, sort_keys=True),
        line.hash,
    ]
