"""Who may come in: the cards, fingers and PINs that this station knows.

The list is local: it is set through the control surface. Whatever comes to fill it answers
the same question with the same `Decision`.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, Final

from device_emulator.board import Board
from device_emulator.credentials import Credential, CredentialKind, Mode

AREA: Final = "credential"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the door opens, and what the journal says of it."""

    granted: bool
    reason: str = ""
    cid: str | None = None
    house: str | None = None
    value_hash: str | None = None
    """Of an unknown card: SHA-256 of its canonical value, 32 hex digits."""


class AccessList:
    """See the module. A PIN is held as an HMAC, so that a dump of the flash tells no codes."""

    def __init__(self, board: Board, pin_key: bytes) -> None:
        self._board, self._pin_key = board, pin_key
        self._rows: dict[str, Credential] = {}
        for key, row in board.memory.read(AREA).items():
            self._rows[str(key)] = Credential(value="", **row)

    def __len__(self) -> int:
        return len(self._rows)

    def learn(self, credential: Credential) -> None:
        """Know `credential`, in the place of an earlier one with the same value."""
        name = self._name(credential.kind, credential.value)
        row: dict[str, Any] = {
            "kind": credential.kind,
            "cid": credential.cid or _digest(name)[:16],
            "house": credential.house,
            "not_before": credential.not_before,
            "not_after": credential.not_after,
            "flag": credential.flag,
        }
        self._rows[name] = Credential(value="", **row)
        self._board.memory.put(AREA, name, row)

    def forget(self, kind: CredentialKind, value: str) -> None:
        """Do not know it any more."""
        name = self._name(kind, value)
        if self._rows.pop(name, None) is not None:
            self._board.memory.drop(AREA, name)

    def erase(self) -> None:
        """Know nobody."""
        self._rows.clear()
        self._board.memory.clear(AREA)

    def decide(self, kind: CredentialKind, value: str, mode: Mode) -> Decision:
        """Whether who shows this comes in, now.

        A time limit counts by the station's clock, so a clock that was never set lets only
        those in whose permission has none.
        """
        row = self._rows.get(self._name(kind, value))
        if row is None:
            seen = _digest(value)[:32] if kind == "card" else None
            return Decision(False, "unknown", value_hash=seen)
        reason = self._refusal(row, mode)
        return Decision(not reason, reason, row.cid, row.house)

    def _refusal(self, row: Credential, mode: Mode) -> str:
        if mode is Mode.LOCKDOWN and not row.flag:
            return "lockdown"
        if row.not_before is None and row.not_after is None:
            return ""
        if not self._board.clock_set:
            return "clock_untrusted"
        if row.not_after is not None and self._board.unix_ms > row.not_after:
            return "expired"
        if row.not_before is not None and self._board.unix_ms < row.not_before:
            return "schedule"
        return ""

    def _name(self, kind: CredentialKind, value: str) -> str:
        if kind == "pin":
            value = hmac.digest(self._pin_key, f"pin|{value}".encode(), hashlib.sha256).hex()
        return f"{kind}:{value}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
