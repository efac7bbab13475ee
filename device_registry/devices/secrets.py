"""The secret of a station: 32 random bytes, sealed at rest, the old one kept for a while.

Only a station's own enrolment answer ever holds it, sealed to that station's key.
"""

import os
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

from device_registry.devices.models import Device
from foundation.clock import Clock, utc_now
from foundation.security import Keyring
from foundation.wire.keys import DeviceKeys

SECRET_BYTES: Final = 32

# One station needs some 600 bytes here, and without it 60 microseconds a message.
_REMEMBERED: Final = 16_384


def keys_of(keyring: Keyring, device: Device, now: datetime) -> dict[int, DeviceKeys]:
    """The keys by version of the secret: the current, and the old one during its overlap.

    Empty while the station has none.

    Raises:
        BadKey: the master key is not the one that sealed them.
    """
    return keys(
        keyring,
        device.id,
        device.secret,
        device.secret_ver,
        device.old_secret,
        device.old_until,
        now=now,
    )


def keys(  # noqa: PLR0917  (the columns of a row, in their order)
    keyring: Keyring,
    device_id: UUID,
    secret: bytes | None,
    secret_ver: int,
    old_secret: bytes | None,
    old_until: datetime | None,
    *,
    now: datetime,
) -> dict[int, DeviceKeys]:
    """`keys_of`, from the columns alone."""
    if secret is None:
        return {}
    found = {secret_ver: _derived(keyring, device_id, bytes(secret))}
    if old_secret is not None and old_until is not None and now < old_until:
        found[secret_ver - 1] = _derived(keyring, device_id, bytes(old_secret))
    return found


def new_secret(
    keyring: Keyring,
    device: Device,
    *,
    clock: Clock = utc_now,
    overlap: timedelta = timedelta(hours=24),
) -> None:
    """Set a fresh secret on the unsaved row; the one it had works for `overlap` more.

    An old one that still overlapped is gone: at most two work at a time.
    """
    now = clock()
    device.old_secret = device.secret
    device.old_until = now + overlap if device.secret is not None else None
    device.secret = keyring.seal(os.urandom(SECRET_BYTES), _about(device.id))
    device.secret_ver += 1
    device.secret_at = now


def current_secret(keyring: Keyring, device: Device) -> bytes:
    """The secret itself, for the station's enrolment answer only.

    Raises:
        BadKey: the master key is not the one that sealed it.
    """
    return keyring.unseal(bytes(device.secret or b""), _about(device.id))


def destroy(device: Device) -> None:
    """Forget both secrets on the unsaved row. The version stays, so that none is used twice."""
    device.secret = device.secret_at = device.old_secret = device.old_until = None


def _about(device_id: UUID) -> str:
    return f"device/{device_id}"


# The sealed bytes hold a random nonce, so they name one secret and never another.
@lru_cache(maxsize=_REMEMBERED)
def _derived(keyring: Keyring, device_id: UUID, sealed: bytes) -> DeviceKeys:
    return DeviceKeys.of(keyring.unseal(sealed, _about(device_id)))
