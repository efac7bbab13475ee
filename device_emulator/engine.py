"""Runs the stations of a fleet: inputs in batches, one commit a batch, then the effects.

Everything that many stations write in one turn goes into one transaction, and nothing that
they asked for happens before it is committed: a relay does not move, a message does not
leave, unless what it rests on is durable.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable

from device_emulator.effects import Effect
from device_emulator.inputs import Input, Tick
from device_emulator.memory import Write
from device_emulator.rig import Rig
from device_emulator.storage import Storage
from foundation.ids import Mac


class Engine:
    """One for a fleet; not for threads."""

    def __init__(self, storage: Storage, now: Callable[[], int]) -> None:
        """`now` is milliseconds on the event loop's clock."""
        self._storage, self._now = storage, now
        self._inputs: deque[tuple[Rig, int, Input]] = deque()
        self._wake = asyncio.Event()
        self._alarms: list[tuple[int, int, Rig]] = []
        self._asleep: dict[Mac, int] = {}
        """Which alarm of a station counts."""
        self._count = 0
        self._turning = False

    def post(self, rig: Rig, life: int, what: Input) -> None:
        """Queue an input for the next turn."""
        self._inputs.append((rig, life, what))
        self._wake.set()

    def stop(self) -> None:
        """Wake `run`, so that it sees that it is asked to stop."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Take turns until `stop`."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            self._wake.clear()
            self._ring()
            self.turn()
            alarm = None
            if self._alarms:
                # A millisecond more, or rounding would wake us just before it.
                alarm = loop.call_at((self._alarms[0][0] + 1) / 1000, self._wake.set)
            await self._wake.wait()
            if alarm is not None:
                alarm.cancel()

    def turn(self) -> None:
        """Take every queued input, and those that the effects lead to at once."""
        if self._turning:
            return  # the turn under way will come to them
        self._turning = True
        try:
            while self._inputs:
                self._round()
        finally:
            self._turning = False

    def _round(self) -> None:
        batch, self._inputs = self._inputs, deque()
        writes: list[tuple[Mac, Write]] = []
        effects: list[tuple[Rig, int, Effect]] = []
        for rig, life, what in batch:
            if life != rig.life or not rig.powered:
                continue
            step = rig.station.step(self._now(), what)
            writes += [(rig.mac, write) for write in step.writes]
            effects += [(rig, life, effect) for effect in step.effects]
            self._set_alarm(rig)
        if writes:
            self._storage.write(writes)
        for rig, life, effect in effects:
            if life == rig.life:
                rig.perform(effect)

    def _set_alarm(self, rig: Rig) -> None:
        """See to it that `rig` is woken in time; too early is only a wasted look."""
        due = rig.station.due()
        if due is None or due >= self._asleep.get(rig.mac, due + 1):
            return
        self._asleep[rig.mac] = due
        self._count += 1
        heapq.heappush(self._alarms, (due, self._count, rig))

    def _ring(self) -> None:
        """Wake the stations whose time has come."""
        now = self._now()
        while self._alarms and self._alarms[0][0] <= now:
            due, _, rig = heapq.heappop(self._alarms)
            if self._asleep.get(rig.mac) != due:
                continue  # an earlier alarm took its place
            del self._asleep[rig.mac]
            if rig.powered:
                self._inputs.append((rig, rig.life, Tick()))
