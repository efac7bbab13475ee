"""The settings behind `###`: 1 Wi-Fi, 2 restart, 3 volume, 4 brightness."""

import hashlib
import hmac
from typing import Final

from device_emulator.board import Board
from device_emulator.credentials import Mode
from device_emulator.effects import Reboot
from device_emulator.journal import Journal
from device_emulator.modes import Modes
from device_emulator.uplink import Uplink

AREA: Final = "config"
TRIAL: Final = "wifi"

ITEMS: Final = {"1": "wifi", "2": "restart", "3": "volume", "4": "brightness"}
_DEFAULTS: Final = {"wifi": 1, "volume": 5, "brightness": 7}


class Menu:
    """Values are one digit: a Wi-Fi network is chosen among those the installer stored."""

    def __init__(
        self, board: Board, modes: Modes, journal: Journal, uplink: Uplink, code_key: bytes
    ) -> None:
        self._board, self._modes = board, modes
        self._journal, self._uplink = journal, uplink
        self._code_key = code_key
        kept = board.memory.read(AREA)
        self._code = str(kept.get("code", "")) or self._digest(board.config.admin_code)
        self.values = {name: int(kept.get(name, first)) for name, first in _DEFAULTS.items()}
        self._before: int | None = None
        """The Wi-Fi network to go back to, while a new one is on trial."""
        self.item = ""
        """What is being changed: a value of `ITEMS`, or nothing yet."""
        uplink.network = self.values["wifi"]

    def is_code(self, typed: str) -> bool:
        """Whether `typed` is the admin password."""
        return hmac.compare_digest(self._digest(typed), self._code)

    def choose(self, digit: str) -> bool:
        """Go to an item; whether there is one of that number."""
        self.item = ITEMS.get(digit, "")
        return bool(self.item)

    def confirm(self, typed: str) -> bool:
        """Make the change; whether there was one to make."""
        if self.item == "restart":
            if self._modes.mode is Mode.EVAC:
                return False
            self._journal.add("admin.reboot")
            self._board.emit(Reboot())
        elif self.item and typed:
            self._set(self.item, int(typed[-1]))
        else:
            return False
        self.item = ""
        return True

    def reconnected(self) -> None:
        """The network on trial works: keep it."""
        if self._before is not None:
            self._before = None
            self._board.cancel(TRIAL)
            self._board.memory.put(AREA, "wifi", self.values["wifi"])
            self._journal.add("admin.wifi", result="kept")

    def give_up(self) -> None:
        """The network on trial did not connect in time: go back to the one before."""
        if self._before is None:
            return
        self.values["wifi"], self._before = self._before, None
        self._uplink.network = self.values["wifi"]
        self._journal.add("admin.wifi", result="reverted")
        self._uplink.hang_up()

    def _set(self, item: str, value: int) -> None:
        if item == "wifi":
            self._try_wifi(value)
            return
        self.values[item] = value
        self._board.memory.put(AREA, item, value)
        self._journal.add(f"admin.{item}", result=str(value))

    def _try_wifi(self, network: int) -> None:
        if self._before is None:
            self._before = self.values["wifi"]
        self.values["wifi"] = self._uplink.network = network
        self._journal.add("admin.wifi", result="trial")
        self._board.after(TRIAL, self._board.config.t_trial)
        self._uplink.hang_up()

    def _digest(self, code: str) -> str:
        return hmac.digest(self._code_key, f"admin|{code}".encode(), hashlib.sha256).hex()
