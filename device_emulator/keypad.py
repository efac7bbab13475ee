"""What a key does in each state. One function a state; `KEYS` says which."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from device_emulator.access import AccessList
from device_emulator.board import Board
from device_emulator.doors import Doors
from device_emulator.journal import Journal
from device_emulator.lockout import Lockout
from device_emulator.menu import Menu
from device_emulator.modes import Modes
from device_emulator.panel import DIGIT_TIMER, Panel
from device_emulator.states import Signal, State

FRONT: Final = 1
"""The door beside the keypad and the readers."""
_KEYPAD: Final = "0123456789*#"
_CODE_LEN: Final = 16


@dataclass(slots=True)
class Face:
    """What the keypad and the readers can reach."""

    board: Board
    panel: Panel
    journal: Journal
    doors: Doors
    modes: Modes
    access: AccessList
    menu: Menu
    pins: Lockout
    admins: Lockout

    def press(self, key: str) -> None:
        """A key was pressed; one that means nothing here is ignored."""
        if len(key) != 1 or key not in _KEYPAD:
            return
        handle = KEYS.get(self.panel.state)
        if key != "#":
            self.panel.no_gesture()
        if handle is not None:
            handle(self, key)

    def present(self, kind: str, value: str) -> None:
        """A card (`card`) or a finger (`fp`) is at its reader."""
        if not self.panel.signal(Signal.PRESENTED):
            return
        found = self.access.decide("card" if kind == "card" else "fp", value, self.modes.mode)
        facts = {"kind": kind, "cid": found.cid, "house": found.house}
        if found.granted:
            self.journal.add("access.granted", door=FRONT, **facts)
            self._open(kind)
        else:
            self.journal.add(
                "access.denied",
                door=FRONT,
                reason=found.reason,
                value_hash=found.value_hash,
                **facts,
            )
            self.panel.signal(Signal.DENIED, message=f"denied.{found.reason}")

    def number_complete(self) -> None:
        """A room number is dialled, or has not been added to for a while."""
        if len(self.panel.typed) >= self.board.config.room_min:
            self.panel.signal(Signal.DONE, message="no_calls")

    def try_pin(self) -> None:
        """Judge the PIN that was typed."""
        found = self.access.decide("pin", self.panel.typed, self.modes.mode)
        facts = {"kind": "pin", "cid": found.cid, "house": found.house}
        if found.granted:
            self.pins.right()
            self.journal.add("access.granted", door=FRONT, **facts)
            self._open("pin")
            return
        self.journal.add("access.denied", door=FRONT, reason=found.reason, **facts)
        if found.reason == "unknown" and self.pins.wrong():
            self.journal.add("pin.lockout", duration_ms=self.pins.remaining)
            self.panel.signal(Signal.LOCKED, stay=self.pins.remaining)
        else:
            self.panel.signal(Signal.DENIED, message=f"denied.{found.reason}")

    def try_admin(self) -> None:
        """Judge the admin password that was typed."""
        panel = self.panel
        if self.menu.is_code(panel.typed):
            self.admins.right()
            self.journal.add("admin.enter")
            self.menu.item = ""
            panel.signal(Signal.GRANTED)
            return
        blocked = self.admins.wrong()
        self.journal.add("admin.fail", result="blocked" if blocked else None)
        if blocked:
            panel.signal(Signal.BLOCKED, message="admin_blocked")
        else:
            panel.signal(Signal.DENIED)
            panel.typed, panel.note = "", "admin_wrong"

    def _open(self, cause: str) -> None:
        hold = self.board.config.hold
        self.doors.pulse(FRONT, hold, cause)
        self.panel.signal(Signal.GRANTED, stay=hold * 1000)


def _home(face: Face, key: str) -> None:
    """IDLE, ADS and, for `###`, UNREG."""
    panel = face.panel
    if key == "#":
        if not panel.gesture():
            panel.signal(Signal.LEAVE)
        elif face.admins.remaining:
            panel.signal(Signal.BLOCKED, message="admin_blocked")
        else:
            panel.signal(Signal.GESTURE)
    else:
        _begin(face, key)


def _begin(face: Face, key: str) -> None:
    """`*` begins a PIN, a digit a room number."""
    panel = face.panel
    if key == "*":
        if face.pins.remaining:
            panel.signal(Signal.LOCKED, stay=face.pins.remaining)
        else:
            panel.signal(Signal.STAR)
    elif panel.signal(Signal.DIGIT):
        _digit_dialled(face, key)


def _message(face: Face, key: str) -> None:
    if key == "#":
        face.panel.signal(Signal.LEAVE)
    else:
        _begin(face, key)


def _dial(face: Face, key: str) -> None:
    panel = face.panel
    if key == "*":
        face.number_complete()
    elif key == "#":
        _delete(panel)
    else:
        panel.signal(Signal.DIGIT)
        _digit_dialled(face, key)


def _digit_dialled(face: Face, key: str) -> None:
    panel, config = face.panel, face.board.config
    panel.typed += key
    face.board.after(DIGIT_TIMER, config.t_digit)
    if len(panel.typed) >= config.room_max:
        face.number_complete()


def _pin(face: Face, key: str) -> None:
    panel = face.panel
    if key == "#":
        _delete(panel)
    elif key == "*":
        if panel.typed:
            face.try_pin()
    else:
        panel.typed += key
        panel.signal(Signal.DIGIT)
        if len(panel.typed) >= face.board.config.pin_len:
            face.try_pin()


def _admin(face: Face, key: str) -> None:
    panel = face.panel
    if key == "#":
        _delete(panel)
    elif key == "*":
        if panel.typed:
            face.try_admin()
    elif len(panel.typed) < _CODE_LEN:
        panel.typed += key
        panel.note = ""
        panel.signal(Signal.DIGIT)


def _settings(face: Face, key: str) -> None:
    panel, menu = face.panel, face.menu
    if key == "#":
        if menu.item:
            menu.item = ""
            panel.typed = ""
            panel.signal(Signal.BACK)
        else:
            face.journal.add("admin.exit")
            panel.signal(Signal.LEAVE)
    elif key == "*":
        if menu.confirm(panel.typed):
            panel.typed = ""
        panel.signal(Signal.DONE)
    else:
        if menu.item:
            panel.typed = key
        else:
            menu.choose(key)
        panel.signal(Signal.DIGIT)


def _delete(panel: Panel) -> None:
    """`#`: delete the last digit, or leave when there is none."""
    if panel.typed:
        panel.typed = panel.typed[:-1]
        panel.signal(Signal.BACK)
    else:
        panel.signal(Signal.LEAVE)


KEYS: Final[dict[State, Callable[[Face, str], None]]] = {
    State.UNREG: _home,
    State.IDLE: _home,
    State.ADS: _home,
    State.DIAL: _dial,
    State.PIN: _pin,
    State.ADMIN_PW: _admin,
    State.SETTINGS: _settings,
    State.MSG: _message,
}
