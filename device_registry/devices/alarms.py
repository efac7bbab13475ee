"""What makes a station look cloned or doubled, and how that is reported.

A box's storage can be copied, its keys with it. The two copies then take the session from
each other, count their boots apart and number different events alike: each of that is a
sign (`quarantine`). Two boxes of one MAC with different keys are a conflict: reported, and
the registered one is left alone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from device_registry.devices.models import Device
from foundation import conditions
from foundation.runner import Context

CLONED: Final = "station_cloned"
MAC_CONFLICT: Final = "mac_conflict"
_PREFIX: Final = "device/"


def boot_went_back(known: int, said: int) -> bool:
    """Whether a station says fewer power-ups than it said before. 0: it does not count them."""
    return 0 < said < known


def journal_went_back(stored_upto: int, last: int) -> bool:
    """Whether a journal ends before what we have of it: its numbers will be used again.

    Args:
        stored_upto: the highest number acknowledged to this box; 0: none.
        last: the last number the station says it has written (`Hello.evt`).
    """
    return last < stored_upto


def enrolled_behind(
    known_boot: int, since: datetime, boot: int, made_at: float, *, now: datetime, skew: timedelta
) -> bool:
    """Whether an enrolment request shows a second box, one that has been started less often.

    A captured request can be sent again, and then shows an old boot in all honesty. So it
    counts only when it was made after the session that said `known_boot` had begun; both
    its clock and ours may be off by `skew`.

    Args:
        known_boot: what the station's last hello said.
        since: when that session began, or ended.
        boot: what the request says; 0: not counted.
        made_at: the request's time, Unix seconds by the station's clock.
        now: our time.
        skew: the most that a set clock is off.
    """
    if not boot_went_back(known_boot, boot):
        return False
    allowed = skew.total_seconds()
    fresh = abs(made_at - now.timestamp()) <= allowed
    return fresh and made_at > since.timestamp() + 2 * allowed


async def cloned(context: Context, device: Device, why: str) -> None:
    """Report that `device` looks cloned."""
    await conditions.report(
        CLONED,
        _subject(device.last_mac),
        why,
        community_id=device.community_id,
        clock=context.clock,
    )


async def conflict(context: Context, device: Device, fingerprint: str) -> None:
    """Report that a box with other keys enrols with the MAC of `device`."""
    await conditions.report(
        MAC_CONFLICT,
        _subject(device.last_mac),
        f"another box enrols with this MAC, key {fingerprint}",
        community_id=device.community_id,
        clock=context.clock,
    )


async def settled(context: Context, mac: str) -> None:
    """An admin has dealt with `mac`: what was reported of it is over. Two statements."""
    for kind in (CLONED, MAC_CONFLICT):
        await conditions.clear(kind, _subject(mac), clock=context.clock)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something wrong with a station now; the station is None when it was given up since."""

    kind: str
    mac: str
    detail: str
    since: datetime
    community_id: UUID | None
    device_id: UUID | None
    device_name: str


async def current(communities: Collection[UUID] | None) -> list[Alarm]:
    """The alarms of the stations of these communities, newest first. Two statements.

    Args:
        communities: whose; None: every one.
    """
    wrong = [
        (condition, condition.subject.removeprefix(_PREFIX))
        for condition in await conditions.current(communities, (CLONED, MAC_CONFLICT))
    ]
    if not wrong:
        return []
    macs = {mac for _, mac in wrong}
    # A MAC that was given up here may be registered in another community by now.
    devices: dict[tuple[str, UUID | None], Device] = {
        (device.last_mac, device.community_id): device
        for device in await Device.filter(mac__in=list(macs))
    }
    found = []
    for condition, mac in wrong:
        device = devices.get((mac, condition.community_id))
        found.append(
            Alarm(
                kind=condition.kind,
                mac=mac,
                detail=condition.detail,
                since=condition.since,
                community_id=condition.community_id,
                device_id=device.id if device else None,
                device_name=device.name if device else "",
            )
        )
    return found


def _subject(mac: str) -> str:
    return f"{_PREFIX}{mac}"
