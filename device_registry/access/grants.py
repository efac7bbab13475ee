"""Rights to open from afar: written by `business_api`, read by every opening (R8).

Full sets and not changes: whoever writes says all places of one person in the name of one
house, and what is not among them is gone. The same set again changes nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tortoise.transactions import in_transaction

from device_registry.access.models import RemoteGrant, RemoteSuspension
from foundation import audit, sql
from foundation.clock import Clock, utc_now

PLATFORM: Final = "platform"


async def lock(*person_ids: UUID) -> None:
    """Be the only one who changes rights of these persons, until the transaction ends.

    For whoever takes further locks after it. One statement.
    """
    if person_ids:
        await sql.serialise(*sorted({f"grants/{person_id}" for person_id in person_ids}))


async def set_remote(
    person_id: UUID,
    house_id: UUID | None,
    place_ids: Collection[UUID],
    *,
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
    actor: str = PLATFORM,
    community_id: UUID | None = None,
    clock: Clock = utc_now,
) -> None:
    """Let a person open the stations at exactly these places in the name of one house.

    Joins the caller's transaction; one person a transaction, see `sql.serialise`. One
    statement when nothing changes, else up to five, and on PostgreSQL two locks, whatever the
    number of places.

    Args:
        person_id: whose rights.
        house_id: in whose name; None: in nobody's (staff).
        place_ids: the whole set; empty: none are left.
        valid_from: not before; None: from now on.
        valid_to: not at or after; None: for good.
        actor: who gave them, for the audit.
        community_id: whose staff may read that line.
        clock: for the audit.
    """
    async with in_transaction():
        await lock(person_id)
        held = {
            place: (id_, valid)
            for id_, place, *valid in await RemoteGrant.filter(
                person_id=person_id, house_id=house_id
            ).values_list("id", "place_id", "valid_from", "valid_to")
        }
        wanted = set(place_ids)
        same = {place for place, (_, valid) in held.items() if valid == [valid_from, valid_to]}
        gone = [id_ for place, (id_, _) in held.items() if place not in wanted & same]
        fresh = wanted - same
        if not gone and not fresh:
            return
        if gone:
            await RemoteGrant.filter(id__in=gone).delete()
        await RemoteGrant.bulk_create(
            [
                RemoteGrant(
                    person_id=person_id,
                    place_id=place,
                    house_id=house_id,
                    valid_from=valid_from,
                    valid_to=valid_to,
                )
                for place in fresh
            ]
        )
        await audit.append(
            actor=actor,
            action="grant.set_remote",
            object=f"account/{person_id}",
            community_id=community_id,
            clock=clock,
            house=_text(house_id),
            places=sorted(str(place) for place in wanted),
            valid_from=valid_from.isoformat() if valid_from else None,
            valid_to=valid_to.isoformat() if valid_to else None,
        )


async def clear_house(
    house_id: UUID,
    person_ids: Collection[UUID],
    *,
    actor: str = PLATFORM,
    community_id: UUID | None = None,
    clock: Clock = utc_now,
) -> None:
    """Take back all that these persons may open in the name of one house.

    Joins the caller's transaction. Four statements and a lock, however many persons.
    """
    if not person_ids:
        return
    async with in_transaction():
        await lock(*person_ids)
        theirs = RemoteGrant.filter(house_id=house_id, person_id__in=list(person_ids))
        held = set(await theirs.values_list("person_id", flat=True))
        await theirs.delete()
        lines = [
            audit.Line(
                actor,
                "grant.set_remote",
                f"account/{person_id}",
                community_id,
                {"house": str(house_id), "places": [], "valid_from": None, "valid_to": None},
            )
            for person_id in sorted(held)
        ]
        await audit.append_all(lines, clock=clock)


async def forget_expired(before: datetime) -> int:
    """Delete rights that were over before then, and opened nothing any more; how many."""
    return await RemoteGrant.filter(valid_to__lte=before).delete()


async def suspend_remote(
    person_id: UUID,
    suspended: bool,
    *,
    actor: str = PLATFORM,
    community_id: UUID | None = None,
    clock: Clock = utc_now,
) -> None:
    """Stop, or let go on, every opening by this person, whatever grants there are or come.

    For security only, never for a debt. Joins the caller's transaction. One statement, and
    the audit when it changes something.
    """
    async with in_transaction():
        await lock(person_id)
        row = RemoteSuspension.filter(person_id=person_id)
        if suspended:
            changed = not await row.exists()
            if changed:
                await RemoteSuspension.create(person_id=person_id, since=clock())
        else:
            changed = bool(await row.delete())
        if changed:
            await audit.append(
                actor=actor,
                action="grant.suspend_remote" if suspended else "grant.resume_remote",
                object=f"account/{person_id}",
                community_id=community_id,
                clock=clock,
            )


@dataclass(frozen=True, slots=True)
class Grant:
    """One right of one person at one place."""

    house_id: UUID | None
    valid_from: datetime | None
    valid_to: datetime | None
    suspended: bool

    def why_not(self, now: datetime) -> str:
        """Why it does not open at `now`: a code, empty when it does."""
        if self.suspended:
            return "person_suspended"
        if self.valid_from is not None and now < self.valid_from:
            return "grant_not_yet"
        if self.valid_to is not None and now >= self.valid_to:
            return "grant_expired"
        return ""


_GRANTS: Final = """
SELECT g.house_id, g.valid_from, g.valid_to, EXISTS (
    SELECT 1 FROM registry_remote_suspension s WHERE s.person_id = g.person_id) AS suspended
FROM registry_remote_grant g WHERE g.person_id = ? AND g.place_id = ?
"""


async def remote(person_id: UUID, place_id: UUID) -> list[Grant]:
    """What rights a person has at a place, live or not. One statement."""
    rows = await sql.fetch(_GRANTS, person_id, place_id)
    return [
        Grant(
            house_id=sql.uid(row["house_id"]),
            valid_from=sql.when(row["valid_from"]),
            valid_to=sql.when(row["valid_to"]),
            suspended=bool(row["suspended"]),
        )
        for row in rows
    ]


def _text(id_: UUID | None) -> str | None:
    return str(id_) if id_ is not None else None
