"""Who speaks: the registered station behind a session, and the keys that prove it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from device_registry.devices.secrets import keys
from foundation import sql
from foundation.errors import DomainError
from foundation.ids import Mac
from foundation.runner import Context
from foundation.wire.base import BadMessage, BadSignature
from foundation.wire.keys import DeviceKeys

log = structlog.get_logger()

DROPPED = Counter(
    "station_messages_dropped_total",
    "Messages from stations that were not believed or not understood.",
    ["name", "reason"],
)


class Unknown(BadMessage):
    """Nobody registered this MAC, or it holds no secret of ours."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A registered station as a message from it finds it."""

    device_id: UUID
    community_id: UUID
    mac: Mac
    box: int
    secret_at: datetime | None
    keys: Mapping[int, DeviceKeys]
    """By version of the secret."""
    epoch: int
    """Of its latest session, -1 when it never had one; the fields below are that session's."""
    sess: str
    secret_ver: int
    """The version that its hello named; 0 before its hello."""
    boot: int
    heard_at: datetime | None
    evt_first: int

    def key_in_use(self) -> DeviceKeys:
        """The keys that this session's hello named.

        Raises:
            BadSignature: no hello yet, or that version is over.
        """
        try:
            return self.keys[self.secret_ver]
        except KeyError:
            raise BadSignature(f"secret {self.secret_ver} of {self.mac}") from None


_SPEAKERS: Final = """
SELECT d.id, d.community_id, d.mac, d.box, d.secret, d.secret_ver, d.old_secret, d.old_until,
    d.secret_at, s.epoch, s.sess, s.secret_ver AS used_ver, s.boot, s.heard_at, s.evt_first
FROM {v} JOIN registry_device d ON d.mac = v.mac
    LEFT JOIN registry_device_session s ON s.mac = d.mac
"""


async def speakers(context: Context, macs: Collection[Mac]) -> dict[Mac, Speaker]:
    """The registered ones among `macs`, with the keys that count now. One statement."""
    wanted = [{"mac": mac} for mac in sorted(set(macs))]
    now = context.clock()
    found = {}
    for row in await sql.over(_SPEAKERS, {"mac": "text"}, wanted):
        device_id = UUID(str(row["id"]))
        found[Mac(row["mac"])] = Speaker(
            device_id=device_id,
            community_id=UUID(str(row["community_id"])),
            mac=Mac(row["mac"]),
            box=row["box"],
            secret_at=sql.when(row["secret_at"]),
            keys=keys(
                context.keyring,
                device_id,
                row["secret"],
                row["secret_ver"],
                row["old_secret"],
                sql.when(row["old_until"]),
                now=now,
            ),
            epoch=-1 if row["epoch"] is None else row["epoch"],
            sess=row["sess"] or "",
            secret_ver=row["used_ver"] or 0,
            boot=row["boot"] or 0,
            heard_at=sql.when(row["heard_at"]),
            evt_first=row["evt_first"] or 0,
        )
    return found


def known(speakers: Mapping[Mac, Speaker], mac: Mac) -> Speaker:
    """The one who spoke.

    Raises:
        Unknown: it was unbound or replaced after it had connected.
    """
    try:
        return speakers[mac]
    except KeyError:
        raise Unknown(f"no station {mac}") from None


def storable(payload: bytes) -> bytes:
    """`payload`, if its text can be stored.

    Raises:
        BadMessage: it holds the character NUL, which PostgreSQL has no place for.
    """
    if b"\\u0000" in payload:
        raise BadMessage("holds U+0000")
    return payload


def dropped(name: str, mac: Mac, error: DomainError) -> None:
    """Count and tell of a message that is not used: its sender is at fault."""
    DROPPED.labels(name, error.code).inc()
    log.warning("station.message.dropped", name=name, device=mac, error=str(error))
