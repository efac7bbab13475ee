"""A live command at the station: the checks of R5 in their order, then the relay (R4-R6).

What could open a door twice is durable before the relay moves: the id in the ring, the
counter, and the intent in the journal. What became of it follows once the lock has said so.
"""

import hmac
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

from device_emulator.board import Board
from device_emulator.credentials import Mode
from device_emulator.doors import Doors
from device_emulator.effects import Publish
from device_emulator.inputs import Actuated
from device_emulator.journal import Journal
from device_emulator.modes import Modes
from foundation.wire import topics
from foundation.wire.base import BadMessage, BadSignature, load_object
from foundation.wire.command import MAX_AHEAD_MS, Code, Command, Result
from foundation.wire.keys import DeviceKeys

AREA: Final = "ring"
RING: Final = 64
"""Ids whose result is remembered."""


@dataclass(slots=True)
class Entry:
    """What became of one id. No `code` yet: the lock is at it, or the power went in between."""

    id: str
    sess: str
    door: int
    code: Code | None = None
    pulsed_ms: int = 0
    journal_seq: int | None = None


class Check(NamedTuple):
    """What an authentic command must pass; `why` goes into the journal."""

    code: Code
    why: str
    passes: Callable[["Commands", Command], bool]


CHECKS: Final = (
    Check(Code.EXPIRED, "late", lambda at, asked: at.uptime <= asked.exp_up),
    Check(Code.EXPIRED, "far", lambda at, asked: asked.exp_up <= at.uptime + MAX_AHEAD_MS),
    Check(Code.LOCKDOWN, "", lambda at, _: at.mode is not Mode.LOCKDOWN),
    Check(Code.NO_DOOR, "", lambda at, asked: asked.door in at.doors),
    Check(Code.NO_DOOR, "hold", lambda at, asked: 1 <= asked.hold <= at.hold_max),
    Check(Code.RATE, "", lambda at, asked: at.rested(asked.door)),
    Check(Code.BUSY, "", lambda at, asked: not at.doors.busy(asked.door)),
)
"""After the counter, in this order. R6 has no code for a hold out of range: no door does that."""


class Commands:
    """See the module. `sess` is the session's, empty while there is none."""

    def __init__(
        self,
        board: Board,
        doors: Doors,
        modes: Modes,
        journal: Journal,
        *,
        keys: Callable[[], DeviceKeys | None],
        send: Callable[[Publish], None],
    ) -> None:
        self._board, self._modes, self._journal = board, modes, journal
        self._keys, self._send = keys, send
        self.doors: Doors = doors
        self.hold_max: int = board.config.hold_max
        self.sess = ""
        self._last_ctr = -1
        self._opened_at: dict[int, int] = {}
        self._ring: dict[str, Entry] = {}
        kept = board.memory.read(AREA)
        slots = [(int(row["n"]), row["entry"]) for row in kept.values() if "entry" in row]
        self._n = 0
        for self._n, row in sorted(slots, key=lambda slot: slot[0]):
            self._ring[row["id"]] = Entry(**row | {"code": row["code"] and Code(row["code"])})

    @property
    def uptime(self) -> int:
        """Milliseconds since power-up."""
        return self._board.uptime

    @property
    def mode(self) -> Mode:
        """Lockdown or not."""
        return self._modes.mode

    def rested(self, door: int) -> bool:
        """Whether the last opening of `door` by command is long enough ago."""
        last = self._opened_at.get(door)
        return last is None or self._board.now - last >= self._board.config.rate

    def begin(self, sess: str) -> None:
        """A session begins: from here on only commands that carry `sess` count."""
        self.sess, self._last_ctr = sess, -1

    def end(self) -> None:
        """No session: no command counts."""
        self.sess = ""

    def receive(self, payload: bytes) -> None:
        """Judge one message on `dn/c/cmd` (R5); a retained one was dropped before.

        What cannot be read is counted and dropped: there is no id to answer to.
        """
        keys = self._keys()
        if keys is None or not self.sess:
            self._board.counts["command_dropped"] += 1
            return
        try:
            claimed = Command.model_validate(load_object(payload))
        except (BadMessage, ValueError):
            self._board.counts["message_bad"] += 1
            return
        if not hmac.compare_digest(claimed.sess, self.sess):
            self._turn_away(claimed, Code.WRONG_SESS)
            return
        try:
            command = Command.verify(payload, keys.cmd, self._board.mac)
        except (BadSignature, BadMessage):
            self._turn_away(claimed, Code.BAD_MAC)
            return
        known = self._ring.get(command.id)
        if known is not None:
            self._repeat(known)
        elif command.ctr <= self._last_ctr:
            self._refuse(command, Code.REPLAY, "")
        else:
            self._last_ctr = command.ctr
            self._board.memory.put(AREA, "ctr", {"sess": self.sess, "ctr": command.ctr})
            self._judge(command)

    def actuated(self, done: Actuated) -> bool:
        """The lock answered a pulse of ours; whether the door was opened. Tell the platform."""
        entry = self._ring.get(done.pulse.ref)
        if entry is None or entry.code is not None or entry.journal_seq is None:
            return False
        if done.done:
            self._opened_at[entry.door] = self._board.now
            entry.code, entry.pulsed_ms = Code.OK, done.pulse.ms
            self._journal.settle(entry.journal_seq, result=Code.OK.value, hold_ms=done.pulse.ms)
        else:
            entry.code = Code.EXPIRED
            refused = {"type": "remote.refused", "result": Code.EXPIRED.value, "reason": "late"}
            self._journal.settle(entry.journal_seq, **refused)
        self._keep(entry)
        self._tell(entry)
        return done.done

    def erase(self) -> None:
        """Forget every id."""
        self._ring.clear()
        self._board.memory.clear(AREA)
        self.end()

    def _judge(self, command: Command) -> None:
        for check in CHECKS:
            if not check.passes(self, command):
                self._refuse(command, check.code, check.why)
                return
        event = self._journal.intend(
            "remote.open",
            door=command.door,
            cmd_id=command.id,
            kind=command.by.t,
            house=command.by.house,
            call_id=command.call,
        )
        self._remember(Entry(command.id, self.sess, command.door, journal_seq=event.seq))
        self.doors.pulse(
            command.door, command.hold, "cmd", ref=command.id, not_after=command.exp_up
        )

    def _refuse(self, command: Command, code: Code, why: str) -> None:
        by = {"kind": command.by.t, "house": command.by.house, "call_id": command.call}
        entry = self._refused(command, code, cmd_id=command.id, reason=why or None, **by)
        self._remember(entry)
        self._tell(entry)

    def _turn_away(self, claimed: Command, code: Code) -> None:
        """Answer what may come from anybody: said and journalled, but not remembered."""
        self._tell(self._refused(claimed, code, cmd_id=claimed.id))

    def _refused(self, command: Command, code: Code, **facts: str | None) -> Entry:
        self._board.counts["command_refused"] += 1
        event = self._journal.add("remote.refused", door=command.door, result=code.value, **facts)
        return Entry(command.id, self.sess, command.door, code, journal_seq=event.seq)

    def _repeat(self, known: Entry) -> None:
        """The same id again: the same answer, and nothing moves."""
        self._board.counts["command_repeated"] += 1
        if known.code is not None:
            self._tell(known)

    def _remember(self, entry: Entry) -> None:
        self._n += 1
        self._ring[entry.id] = entry
        if len(self._ring) > RING:
            del self._ring[next(iter(self._ring))]
        self._keep(entry, self._n)

    def _keep(self, entry: Entry, n: int | None = None) -> None:
        if n is None:
            ids = list(self._ring)
            n = self._n - (len(ids) - 1 - ids.index(entry.id))
        self._board.memory.put(AREA, n % RING, {"n": n, "entry": asdict(entry)})

    def _tell(self, entry: Entry) -> None:
        keys = self._keys()
        if keys is None or entry.code is None:
            return
        result = Result(
            id=entry.id,
            sess=entry.sess,
            code=entry.code,
            door=entry.door,
            pulsed_ms=entry.pulsed_ms,
            journal_seq=entry.journal_seq,
        )
        topic = topics.up(self._board.mac, Result.ROUTE.name)
        self._send(Publish(topic, result.sign(keys.up, self._board.mac), 1, f"res/{entry.id}"))
