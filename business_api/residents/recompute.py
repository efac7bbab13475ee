"""Every right to open from afar, compared with who lives where; what differs is put right.

`doors.follow` keeps them in step with every move, so there is nothing to find, unless a way
home has changed (a house was moved to another unit), a backup was restored, or we are wrong.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from business_api import auditing
from business_api.places.models import House
from business_api.places.names import way_home
from business_api.residents import doors
from business_api.residents.models import Occupancy
from business_api.residents.times import unended
from device_registry.access import grants
from device_registry.access.queries import (
    HeldRemote,
    houses_with_remote,
    remote_of_houses,
    suspended_among,
)
from foundation.runner import Context

log = structlog.get_logger()

REPAIRED = Counter(
    "remote_grants_repaired_total",
    "Rights to open from afar that did not follow from who lives where.",
)

_AT_ONCE: Final = 500

_Pair = tuple[UUID, UUID]
"""An account and a house."""


async def recompute(context: Context) -> int:
    """Compare all, in chunks of 500 houses; how many rights were wrong or missing.

    Those of suspended accounts are put right too, and not counted: they open nothing.

    Three statements a chunk; and for each pair of account and house that differs those of
    `doors.follow`, which looks again under its lock.
    """
    await grants.forget_expired(context.clock())
    repaired = await _houses(context) + await _gone(context)
    REPAIRED.inc(repaired)
    if repaired:
        log.warning("doors.drift.repaired", rows=repaired)
    return repaired


async def _houses(context: Context) -> int:
    """Houses there are."""
    repaired = 0
    houses = House.all().order_by("id").limit(_AT_ONCE)
    chunk = await houses
    while chunk:
        by_id = {house.id: house for house in chunk}
        drift = await _drift(context, chunk)
        # Of an account that was deleted they are left over: its suspension ended them.
        harmless = await suspended_among({account_id for account_id, _ in drift}) if drift else ()
        for (account_id, house_id), rows in drift.items():
            await doors.follow(context, auditing.PLATFORM, account_id, by_id[house_id])
            repaired += 0 if account_id in harmless else rows
        chunk = await houses.filter(id__gt=chunk[-1].id)
    return repaired


async def _gone(context: Context) -> int:
    """Houses there are no more."""
    repaired = 0
    chunk = await houses_with_remote(None, _AT_ONCE)
    while chunk:
        there = await House.filter(id__in=chunk).values_list("id")
        gone = set(chunk) - {house_id for (house_id,) in there}
        people: defaultdict[UUID, set[UUID]] = defaultdict(set)
        for right in await remote_of_houses(gone) if gone else ():
            people[right.house_id].add(right.person_id)
            repaired += 1
        for house_id, person_ids in people.items():
            await grants.clear_house(house_id, person_ids, clock=context.clock)
        chunk = await houses_with_remote(chunk[-1], _AT_ONCE)
    return repaired


async def _drift(context: Context, houses: Sequence[House]) -> dict[_Pair, int]:
    """Pairs whose rights are not those that follow, and how many of them differ."""
    ways = {house.id: way_home(house) for house in houses}
    homes = await Occupancy.filter(
        unended(context.clock()),
        house_id__in=list(ways),
        slot__isnull=False,
        person__account_id__isnull=False,
    ).values_list("person__account_id", "house_id", "valid_from", "valid_to")
    wanted = (
        HeldRemote(account_id, house_id, place_id, begin, end)
        for account_id, house_id, begin, end in homes
        for place_id in ways[house_id]
    )
    differing = _by_pair(wanted)
    held = (right for right in await remote_of_houses(list(ways)) if _open(right, context.clock()))
    for pair, rights in _by_pair(held).items():
        differing[pair] ^= rights
    return {pair: len(rights) for pair, rights in differing.items() if rights}


def _open(right: HeldRemote, now: datetime) -> bool:
    """One that has run out is no mistake: it opens nothing, and is forgotten by itself."""
    return right.valid_to is None or right.valid_to > now


def _by_pair(rights: Iterable[HeldRemote]) -> defaultdict[_Pair, set[HeldRemote]]:
    found: defaultdict[_Pair, set[HeldRemote]] = defaultdict(set)
    for right in rights:
        found[right.person_id, right.house_id].add(right)
    return found
