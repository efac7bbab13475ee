"""After too many wrong tries nobody tries for a while, longer each time."""

from dataclasses import dataclass
from typing import Final

from device_emulator.board import Board

AREA: Final = "lockout"


@dataclass(frozen=True, slots=True)
class Rule:
    """`tries` wrong ones within `window` lock for `first`, doubled each time, at most `longest`.

    Milliseconds. A `window` of None: wrong ones count until a right one comes.
    """

    tries: int
    window: int | None
    first: int
    longest: int


class Lockout:
    """Pulling the plug does not help: a lock begins anew at power-up, a wrong try stays one."""

    def __init__(self, board: Board, name: str, rule: Rule, cells: dict[str | int, object]) -> None:
        self._board, self._name, self._rule = board, name, rule
        kept = cells.get(name)
        row = kept if isinstance(kept, dict) else {}
        self.level = int(row.get("level", 0))
        """How many times it locked since the last right try."""
        self._wrong = [board.now] * int(row.get("wrong", 0))
        if row.get("locked"):
            board.after(self.timer, self._length())

    @property
    def timer(self) -> str:
        """The name of the timer that ends the lock."""
        return f"lockout.{self._name}"

    @property
    def remaining(self) -> int:
        """Milliseconds for which nobody may try, 0 when one may."""
        return self._board.remaining(self.timer)

    def wrong(self) -> bool:
        """Count a wrong try; whether it locks now."""
        if self._rule.window is not None:
            since = self._board.now - self._rule.window
            self._wrong = [at for at in self._wrong if at > since]
        self._wrong.append(self._board.now)
        locks = len(self._wrong) >= self._rule.tries
        if locks:
            self._wrong.clear()
            self.level += 1
            self._board.after(self.timer, self._length())
        self._keep()
        return locks

    def right(self) -> None:
        """A right try: all is forgiven."""
        if self._wrong or self.level:
            self._wrong.clear()
            self.level = 0
            self._keep()

    def expired(self) -> None:
        """The time is over."""
        self._keep()

    def _length(self) -> int:
        doubled = self._rule.first << min(self.level - 1, 20) if self.level else self._rule.first
        return min(doubled, self._rule.longest)

    def _keep(self) -> None:
        row = {"level": self.level, "wrong": len(self._wrong), "locked": self.remaining > 0}
        self._board.memory.put(AREA, self._name, row)


def lockouts(board: Board) -> tuple[Lockout, Lockout]:
    """Of PINs, and of admin passwords."""
    config, kept = board.config, board.memory.read(AREA)
    pins = Rule(config.pin_tries, config.pin_window, config.pin_lock, config.pin_lock_max)
    admins = Rule(config.admin_tries, None, config.admin_lock, config.admin_lock)
    return Lockout(board, "pin", pins, kept), Lockout(board, "admin", admins, kept)
