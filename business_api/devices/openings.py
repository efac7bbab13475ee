"""开门记录: whose records an account may see, and the names that belong to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from business_api.accounts import accounts
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType
from business_api.devices.periods import Period
from business_api.devices.schemas import OpeningOut
from business_api.organisations.sites import reached
from business_api.places import names
from business_api.residents.reading import homes_since
from device_registry.journal.queries import Method, Outcome, Record, RecordFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a caller asks for, within what it may see."""

    period: Period
    community_id: UUID | None = None
    station_id: UUID | None = None
    house_id: UUID | None = None
    outcome: Outcome | None = None
    method: Method | None = None
    search: str = ""


async def homes(actor: Actor, permission: Permission) -> dict[UUID, datetime]:
    """The houses in whose names a resident sees records, and since when. One statement.

    None for staff who live nowhere here.
    """
    allowed = actor.reach(permission).ids.get(ScopeType.HOUSE)
    if not allowed:
        return {}
    since = await homes_since(actor.account_id, actor.now)
    return {house: begun for house, begun in since.items() if house in allowed}


async def visible(actor: Actor, permission: Permission, wanted: Wanted) -> RecordFilter:
    """What the caller asks for, cut down to what it may see.

    Staff see their communities; residents what was opened in their houses' names since they
    live there.
    """
    return RecordFilter(
        communities=await reached(actor, permission, wanted.community_id),
        houses=await homes(actor, permission),
        since=wanted.period.since,
        until=wanted.period.until,
        community_id=wanted.community_id,
        house_id=wanted.house_id,
        device_id=wanted.station_id,
        outcome=wanted.outcome,
        method=wanted.method,
        search=wanted.search,
    )


async def named(records: Sequence[Record]) -> list[OpeningOut]:
    """Records with the names of houses and people. Two statements for any number."""
    called = await names.of_houses({r.house_id for r in records if r.house_id})
    people = await accounts.of_ids({r.by_id for r in records if r.by_id})
    return [
        OpeningOut(
            id=record.id,
            source=record.source,
            at=record.at,
            community_id=record.community_id,
            station_id=record.device_id,
            station_name=record.device_name,
            door=record.door,
            method=record.method,
            outcome=record.outcome,
            code=record.code,
            house_id=record.house_id,
            house_name=called.get(record.house_id, "") if record.house_id else "",
            by_kind=record.by_kind,
            by_id=record.by_id,
            by_name=people[record.by_id].name if record.by_id in people else "",
            reason=record.reason,
            cid=record.cid,
            settled_at=record.settled_at,
        )
        for record in records
    ]
