"""Which stations may log in now: a table in memory, and one-time passwords judged by it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from broker.authority import Device
from broker.refusals import Reason, Refusal
from device_registry.devices.logins import Login
from foundation.ids import Mac
from foundation.rates import Rate
from foundation.settings import Broker
from foundation.wire.keys import password_is_right, read_password

_NONCES: Final = 128
"""Unexpired passwords remembered a station; more are refused (only its own secret makes any)."""


class Logins:
    """Judges logins of stations. No I/O: whoever owns it keeps it fresh by `replace`.

    Only right passwords are counted and remembered, so that who knows a MAC but not the
    secret can neither fill this memory nor lock the honest station out.
    """

    def __init__(self, settings: Broker) -> None:
        self.available = False
        """Whether the table is fresh. While it is not, nobody is judged (code 3)."""
        self._table: dict[Mac, Login] = {}
        self._skew = settings.clock_skew.total_seconds()
        self._remember = 2 * self._skew + 60
        self._nonces: dict[Mac, dict[str, float]] = {}
        self._connects = Rate(settings.connect_rate, keys=20_000)
        self._ends = Rate(settings.flap_limit, keys=20_000)
        self._ban = settings.flap_ban.total_seconds()
        self._banned: dict[Mac, float] = {}

    def replace(self, rows: Iterable[Login]) -> None:
        """Take over the list of who may log in."""
        self._table = {row.mac: row for row in rows}
        self.available = True

    def stands(self, device: Device) -> bool:
        """Whether one that logged in as `device` would be let in still."""
        row = self._table.get(device.mac)
        return (
            row is not None
            and row.device_id == device.device_id
            and row.comm_code == device.comm_code
            and device.secret_ver in row.auth_keys
        )

    def replaces_secret(self, device: Device) -> bool:
        """Whether `device` used the newest of several secrets: the older ones may go."""
        row = self._table.get(device.mac)
        return (
            row is not None and len(row.auth_keys) > 1 and device.secret_ver == max(row.auth_keys)
        )

    def judge(self, mac: Mac, username: str, password: bytes, now: datetime) -> Device | Refusal:
        """Let a station in, or say why not. A password is good once, near the time it names."""
        if not self.available:
            return Refusal(Reason.UNAVAILABLE)
        row = self._table.get(mac)
        if row is None or row.comm_code != username:
            return Refusal(Reason.UNKNOWN)
        given = read_password(password.decode("ascii", "replace"))
        if given is None:
            return Refusal(Reason.WRONG)
        right = (
            version
            for version, key in row.auth_keys.items()
            if password_is_right(given, key, mac, username)
        )
        if (version := next(right, None)) is None:
            return Refusal(Reason.WRONG)
        at = now.timestamp()
        if abs(at - given.ts) > self._skew:
            return Refusal(Reason.SKEWED)
        if (refused := self._once(mac, given.nonce, at)) is not None:
            return Refusal(refused)
        return Device(mac, row.device_id, row.comm_code, version)

    def _once(self, mac: Mac, nonce: str, at: float) -> Reason | None:
        seen = self._nonces.setdefault(mac, {})
        if nonce in seen:
            return Reason.REPLAYED
        for old in [old for old, until in seen.items() if until < at]:
            del seen[old]
        if len(seen) >= _NONCES:
            return Reason.RATE
        seen[nonce] = at + self._remember
        if self._banned.get(mac, 0.0) > at:
            return Reason.BANNED
        return None if self._connects.hit(mac, at) else Reason.RATE

    def ended(self, mac: Mac, now: datetime) -> bool:
        """Count the end of a session; True when the station is banned for it from now on."""
        at = now.timestamp()
        if not self._ends.add(mac, at) or self._banned.get(mac, 0.0) > at:
            return False
        self._banned[mac] = at + self._ban
        return True

    def forget(self, now: datetime) -> None:
        """Drop what no longer matters. Call it now and then."""
        at = now.timestamp()
        self._connects.sweep(at)
        self._ends.sweep(at)
        self._banned = {mac: until for mac, until in self._banned.items() if until > at}
        for mac in [
            mac for mac, seen in self._nonces.items() if max(seen.values(), default=0) < at
        ]:
            del self._nonces[mac]
