"""The station's memory of what happened, kept until the platform says that it has it.

Sequence numbers come from a counter that survives everything, a wipe and a roll-back of the
flash included: a number is never used for two events. What a wipe or a roll-back took away
is named by a `gap`. After a wipe the numbers go on where they were.
"""

from collections import deque
from itertools import islice
from typing import Any, Final

from device_emulator.board import Board
from device_emulator.effects import Publish
from device_emulator.memory import COUNTERS
from foundation.wire import topics
from foundation.wire.events import BATCH, Event, EventBatch

AREA: Final = "journal"
TIMER: Final = "journal"

ALARMS: Final = frozenset(
    {
        *("pin.lockout", "duress", "door.forced", "door.held", "tamper", "fire_input"),
        *("admin.fail", "mode.lockdown", "mode.evac", "journal_90"),
    }
)
"""Dropped last when the journal is full."""

_WAIT_MAX: Final = 60_000


class Journal:
    """See the module. One batch is on its way at a time; `EventAck` makes room for the next."""

    def __init__(self, board: Board) -> None:
        self._board = board
        rows: dict[int, Any] = {int(key): row for key, row in board.memory.read(AREA).items()}
        self.seq = int(board.counters.get("seq", 0))
        self.acked = int(board.counters.get("acked", 0))
        self._open: set[int] = set()
        """Intents: what became of them is not known yet, so they are not sent."""
        self._rows: deque[Event] = deque()
        for seq in sorted(rows):
            if seq > self.acked:
                self._rows.append(Event.model_validate(rows[seq]["event"]))
                if rows[seq]["open"]:
                    self._open.add(seq)
        board.memory.trim(AREA, self.acked)
        self._online = False
        self._sent = 0
        self._wait = board.config.t_journal
        self._full_told = len(self._rows) >= board.config.journal_rows * 0.9

    @property
    def first(self) -> int:
        """The oldest event held, 0 for none."""
        return self._rows[0].seq if self._rows else 0

    @property
    def last(self) -> int:
        """The newest event held, 0 for none."""
        return self._rows[-1].seq if self._rows else 0

    def __len__(self) -> int:
        return len(self._rows)

    def power_on(self) -> None:
        """Say what a power cut left open and what is missing; then that we are here."""
        for seq in sorted(self._open):
            # The relay may have moved, or not: the power went between the two writes.
            self.settle(seq, result="unknown", reason="power_lost")
        known = max(self.last, self.acked)
        if self.seq > known:
            self.add("gap", lost=(known + 1, self.seq), reason="flash")
        self.add("power.boot")

    def add(self, name: str, /, **facts: Any) -> Event:
        """Write one line; it is durable before anything that this step asks for happens."""
        event = self._write(name, facts)
        self._make_room()
        self._send_soon()
        return event

    def intend(self, name: str, /, **facts: Any) -> Event:
        """Write that something is about to be done; it is sent when `settle` says how it went."""
        self._open.add(self.seq + 1)
        event = self._write(name, facts)
        self._make_room()
        return event

    def settle(self, seq: int, **facts: Any) -> None:
        """Say what became of an intent."""
        self._open.discard(seq)
        for place in range(len(self._rows) - 1, -1, -1):
            if self._rows[place].seq == seq:
                self._rows[place] = self._rows[place].model_copy(update=facts)
                self._keep(self._rows[place])
                break
        self._send_soon()

    def online(self) -> None:
        """There is a session: send from the oldest on."""
        self._online = True
        self._wait = self._board.config.t_journal
        self._board.cancel(TIMER)
        self._send_soon()

    def offline(self) -> None:
        """There is none."""
        self._online = False
        self._board.cancel(TIMER)

    def acknowledged(self, upto: int) -> None:
        """The platform has stored every event up to `upto`: forget them.

        Never more than was sent since power-up: the rest goes out again, and is acknowledged
        again by a platform that has it.
        """
        upto = min(upto, self._sent)
        if upto <= self.acked:
            return
        self.acked = upto
        self._board.memory.put(COUNTERS, "acked", upto)
        self._board.memory.trim(AREA, upto)
        while self._rows and self._rows[0].seq <= upto:
            self._rows.popleft()
        self._full_told = len(self._rows) >= self._board.config.journal_rows * 0.9
        self._wait = self._board.config.t_journal
        self._board.cancel(TIMER)
        self._send_soon()

    def expired(self) -> None:
        """No acknowledgement came in time: the batch goes out again."""
        self._board.counts["journal_resent"] += 1
        self._wait = min(self._wait * 2, _WAIT_MAX)
        self._send_soon()

    def erase(self) -> None:
        """Forget all lines, the numbers not."""
        self._rows.clear()
        self._open.clear()
        self._board.cancel(TIMER)
        self._board.memory.clear(AREA)
        if self.seq > self.acked:
            self.add("gap", lost=(self.acked + 1, self.seq), reason="wiped")

    def _write(self, name: str, facts: dict[str, Any]) -> Event:
        self.seq += 1
        event = Event(
            seq=self.seq,
            boot=self._board.boot,
            ts=self._board.unix_ms,
            clk="ok" if self._board.clock_set else "untrusted",
            type=name,
            **facts,
        )
        self._board.memory.put(COUNTERS, "seq", self.seq)
        self._rows.append(event)
        self._keep(event)
        return event

    def _keep(self, event: Event) -> None:
        row = {
            "event": event.model_dump(mode="json", exclude_none=True),
            "open": event.seq in self._open,
        }
        self._board.memory.put(AREA, event.seq, row)

    def _send_soon(self) -> None:
        """Send a batch now, unless one is on its way."""
        if not self._online or self._board.running(TIMER):
            return
        ready = list(islice(self._rows, BATCH))
        if self._open:
            ready = [event for event in ready if event.seq < min(self._open)]
        if not ready:
            return
        self._sent = max(self._sent, ready[-1].seq)
        payload = EventBatch(events=tuple(ready), prev=0).dump()
        self._board.emit(Publish(topics.up(self._board.mac, "evt"), payload, 1))
        self._board.after(TIMER, self._board.jitter(self._wait))

    def _make_room(self) -> None:
        room = self._board.config.journal_rows
        if len(self._rows) >= room * 0.9 and not self._full_told:
            self._full_told = True
            self._write("journal_90", {})
        while len(self._rows) > room:
            self._drop_oldest(max(2, room // 20))

    def _drop_oldest(self, most: int) -> None:
        """Drop the oldest that are no alarms, and leave one `gap` for them.

        Its range takes in the ranges of older gaps that it drops. In between may lie alarms
        that are still held: a gap says that something is missing there, not everything.
        """
        held = [event for event in self._rows if event.seq not in self._open]
        plain = [event for event in held if event.type not in ALARMS]
        lost = plain[:most]
        if len(lost) < 2:  # the gap needs a place too
            lost += [event for event in held if event.type in ALARMS][: 2 - len(lost)]
        gone = {event.seq for event in lost}
        for seq in gone:
            self._board.memory.drop(AREA, seq)
        self._rows = deque(event for event in self._rows if event.seq not in gone)
        first = min(event.lost[0] if event.lost else event.seq for event in lost)
        self._board.counts["journal_lost"] += len(lost)
        self._write("gap", {"lost": (first, max(gone)), "reason": "full"})
