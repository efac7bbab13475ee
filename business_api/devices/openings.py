"""开门记录: whose records an account may see, and the names that belong to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from business_api.accounts import accounts
from business_api.actors import AccountKind, Actor
from business_api.devices.periods import Period
from business_api.devices.schemas import OpeningOut
from business_api.places import houses
from business_api.places.errors import NoSuchHouse
from business_api.residents import residents
from device_registry.journal.queries import Method, Outcome, Record, RecordFilter

_HOUSES = 100
"""More houses than that nobody lives in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a caller asks for, within what it may see."""

    period: Period
    station_id: UUID | None = None
    house_id: UUID | None = None
    outcome: Outcome | None = None
    method: Method | None = None
    search: str = ""


async def own_houses(actor: Actor) -> frozenset[UUID]:
    """The houses in whose name a resident sees records. Two statements."""
    rows, _ = await residents.houses_of(actor.account_id, offset=0, limit=_HOUSES)
    return frozenset(row.id for row in rows)


async def visible(actor: Actor, wanted: Wanted) -> RecordFilter:
    """What the caller asks for, cut down to its scope.

    An admin sees the community; a resident what was opened in its houses' names.

    Raises:
        NoSuchHouse: a resident asks for a house it does not live in.
    """
    house_ids = None if wanted.house_id is None else frozenset({wanted.house_id})
    if actor.kind is not AccountKind.COMMUNITY_ADMIN:
        own = await own_houses(actor)
        house_ids = own if house_ids is None else house_ids
        if not house_ids <= own:
            raise NoSuchHouse
    return RecordFilter(
        since=wanted.period.since,
        until=wanted.period.until,
        community_id=actor.community_id,
        house_ids=house_ids,
        device_id=wanted.station_id,
        outcome=wanted.outcome,
        method=wanted.method,
        search=wanted.search,
    )


async def named(community_id: UUID, records: Sequence[Record]) -> list[OpeningOut]:
    """Records with the names of houses and people. Two statements for any number."""
    called = await houses.names(community_id, {r.house_id for r in records if r.house_id})
    people = await accounts.of_ids({r.by_id for r in records if r.by_id})
    return [
        OpeningOut(
            id=record.id,
            source=record.source,
            at=record.at,
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
