"""The control surface of a station: what a hand at its casing, or a vandal, can do to it."""

from typing import Any

from device_emulator import inputs as at
from device_emulator import status
from device_emulator.credentials import Credential, CredentialKind, Mode
from device_emulator.rig import Rig


class Emulated(Rig):
    """Everything here takes effect before it returns."""

    def key(self, keys: str) -> None:
        """Press one key, or several one after another."""
        for key in keys:
            self.take(at.Key(key))

    def card(self, uid: str) -> None:
        """Hold a card at the reader; `uid` in hex."""
        self.take(at.Presented("card", uid.upper()))

    def finger(self, finger: str) -> None:
        """Lay a finger on the sensor."""
        self.take(at.Presented("fp", finger))

    def sensor(self, is_open: bool, door: int = 1) -> None:
        """Open or close the door."""
        (self.hardware.open.add if is_open else self.hardware.open.discard)(door)
        self.take(at.Sensor(is_open, door))

    def tamper(self, on: bool = True) -> None:
        """Open the casing, or close it."""
        self.hardware.tampered = on
        self.take(at.Tamper(on))

    def fire(self, on: bool = True) -> None:
        """Set off the fire input, or clear it."""
        self.hardware.fire = on
        self.take(at.Fire(on))

    def mode(self, mode: Mode) -> None:
        """Order lockdown or evacuation, or lift it."""
        self.take(at.SetMode(mode))

    def learn(self, credential: Credential) -> None:
        """Let the station know a card, finger or PIN."""
        self.take(at.Learn(credential))

    def forget(self, kind: CredentialKind, value: str) -> None:
        """Let it forget one."""
        self.take(at.Forget(kind, value))

    def drop_net(self, seconds: float) -> None:
        """Cut the network for `seconds`: no goodbye, nothing goes in or out."""
        self.hardware.no_network_until = self._world.now() + int(seconds * 1000)
        if self.powered:
            self._link.abort()

    def skew_clock(self, seconds: float) -> None:
        """Let the clock run off by `seconds`, unnoticed."""
        ms = int(seconds * 1000)
        self.hardware.rtc_skew += ms
        self.take(at.Skew(ms))

    def state(self) -> dict[str, Any]:
        """What `/state` says; while the plug is out, what it said last."""
        self.take(at.Tick())  # so that it tells of now
        told = status.describe(self.station) | self.hardware.told()
        if not self.powered:
            told |= {"state": "OFF", "online": False, "screen": []}
        return told | {"powered": self.powered, "totals": dict(self.counts())}
