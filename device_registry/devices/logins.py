"""Who may log in to the broker, and who looks cloned."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from prometheus_client import Counter
from tortoise.transactions import in_transaction

from device_registry.devices import alarms
from device_registry.devices.changes import announce
from device_registry.devices.models import Device, Status
from device_registry.devices.secrets import keys
from foundation import audit
from foundation.ids import Mac
from foundation.runner import Context
from foundation.security import Keyring

log = structlog.get_logger()

QUARANTINED = Counter("stations_quarantined_total", "Stations shut out because they looked cloned.")


@dataclass(frozen=True, slots=True)
class Login:
    """One station that may log in, and how it proves itself."""

    mac: Mac
    device_id: UUID
    comm_code: str
    auth_keys: Mapping[int, bytes]
    """Version of the secret -> K_auth; two while a rotation overlaps."""


async def logins(keyring: Keyring, now: datetime) -> list[Login]:
    """Everybody who may log in at `now`: the ACTIVE ones. One statement.

    Raises:
        BadKey: the master key is not the one that sealed the secrets.
    """
    rows = await Device.filter(status=Status.ACTIVE, mac__isnull=False).values_list(
        "mac", "id", "comm_code", "secret", "secret_ver", "old_secret", "old_until"
    )
    found: list[Login] = []
    for count, (mac, device_id, comm_code, *columns) in enumerate(rows):
        if count % 100 == 99:  # the first time each takes 60 µs: let others have the loop
            await asyncio.sleep(0)
        by_version = keys(keyring, device_id, *columns, now=now)
        auth = {version: key.auth for version, key in by_version.items()}
        found.append(Login(Mac(mac), device_id, comm_code, auth))
    return found


async def secret_used(mac: Mac, secret_ver: int) -> bool:
    """A station logged in with `secret_ver`: if that is the new one, the old one is over.

    Costs one statement; worth calling only for a login with two keys.

    Returns:
        Whether an old secret ended now; whoever remembers logins reads them again then.
    """
    ended = await Device.filter(mac=mac, secret_ver=secret_ver, old_secret__isnull=False).update(
        old_secret=None, old_until=None
    )
    if ended:
        log.info("device.rotation.completed", device=mac, version=secret_ver)
    return bool(ended)


async def quarantine(context: Context, mac: Mac, why: str) -> None:
    """Shut out a station that looks cloned, until an admin resumes, replaces or unbinds it.

    Does nothing to one that is not active. Both boxes are out: which is the true one only
    somebody at the door can tell.
    """
    async with in_transaction():
        device = await Device.filter(mac=mac, status=Status.ACTIVE).select_for_update().first()
        if device is None:
            return
        device.status = Status.QUARANTINED
        device.version += 1
        await device.save()
        await alarms.cloned(context, device, why)
        await audit.append(
            actor="platform",
            action="device.quarantine",
            object=f"device/{device.id}",
            community_id=device.community_id,
            clock=context.clock,
            mac=mac,
            why=why,
        )
    QUARANTINED.inc()
    log.warning("device.quarantined", device=mac, why=why)
    await announce(context, out=mac, reason="quarantined")
