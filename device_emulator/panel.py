"""Where the face of the station is: state, what has been typed, how long it stays so."""

from typing import Final

from device_emulator.board import Board
from device_emulator.states import Signal, State, step

TIMER: Final = "face"
DIGIT_TIMER: Final = "digit"

_STAYS: Final = {
    State.REG_OK: "t_registered",
    State.CONNECTING: "t_connecting",
    State.IDLE: "t_ads",
    State.DIAL: "t_dial",
    State.PIN: "t_pin",
    State.ADMIN_PW: "t_admin",
    State.SETTINGS: "t_settings",
    State.MSG: "t_message",
}
"""How long a state stays without a key, by the name of its setting."""


class Panel:
    """No knowledge of locks, lists or lines."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.state = State.BOOT
        self.registered = False
        self.typed = ""
        """Digits typed in this state. Never shown of a PIN or a password."""
        self.message = "denied"
        """What MSG shows: a sentence of `texts`."""
        self.note = ""
        """A remark below the entry: a sentence of `texts`, e.g. after a wrong password."""
        self._hashes = 0
        self._hash_at = board.now

    def signal(self, signal: Signal, *, stay: int | None = None, message: str = "") -> bool:
        """Move, if the table knows the move; whether it does.

        Args:
            signal: what happened.
            stay: milliseconds in the new state, instead of what it stays by itself.
            message: what MSG shows, should this lead there.
        """
        to = step(self.state, signal, registered=self.registered)
        if to is None:
            return False
        again = to is self.state
        self.state = to
        if message:
            self.message = message
        if not again:
            self.typed = self.note = ""
            self._board.cancel(DIGIT_TIMER)
        if not (again and to is State.DIAL):  # the time for a number counts from its first digit
            self._stay(stay)
        return True

    def gesture(self) -> bool:
        """Count a `#` at home; whether it is the third in time (`###`)."""
        in_time = self._board.now - self._hash_at <= self._board.config.t_hash
        self._hashes = self._hashes + 1 if in_time else 1
        self._hash_at = self._board.now
        return self._hashes == 3

    def no_gesture(self) -> None:
        """Another key came between."""
        self._hashes = 0

    def _stay(self, stay: int | None) -> None:
        setting = _STAYS.get(self.state)
        if stay is None and setting is not None:
            stay = getattr(self._board.config, setting)
        if stay is None:
            self._board.cancel(TIMER)
        else:
            self._board.after(TIMER, stay)
