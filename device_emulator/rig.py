"""One station with what is around it: flash, clock chip, lock, line. Here its effects happen."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from device_emulator import effects as do
from device_emulator import inputs as at
from device_emulator.config import Config
from device_emulator.connection import Link
from device_emulator.enrolment import Platform
from device_emulator.faults import FAIR, Weather
from device_emulator.hardware import Hardware, PulseRecord
from device_emulator.station import Station
from device_emulator.storage import Storage
from foundation.clock import Clock
from foundation.ids import Mac
from foundation.wire.enroll import EnrollAnswer, MqttAddress, TimeAnswer


@dataclass(slots=True)
class World:
    """What the stations of a fleet share."""

    storage: Storage
    platform: Platform
    config: Config
    clock: Clock
    now: Callable[[], int]
    """Milliseconds on the event loop's clock."""
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    gate: asyncio.Semaphore
    """Bounds attempts to connect that are under way at once."""
    broker: MqttAddress | None = None
    seed: int | None = None
    up: Weather = FAIR
    down: Weather = FAIR
    rng: random.Random = field(default_factory=random.Random)

    def unix_ms(self) -> int:
        """The true time."""
        return int(self.clock().timestamp() * 1000)


class Post(Protocol):
    """How an input gets to its station: to be taken in turn."""

    def __call__(self, rig: "Rig", life: int, what: at.Input, /) -> None:
        """`life` is the life it is meant for; an input for an earlier one is dropped."""
        ...


class Rig:
    """A station on the bench: its plug, and the wires to everything it asks for."""

    def __init__(self, mac: Mac, world: World, post: Post, turn: Callable[[], None]) -> None:
        self.mac, self._world = mac, world
        self._post, self._turn = post, turn
        self.life = 0
        """Grows with every power-up and power-down; what belongs to an earlier one is void."""
        self.hardware = Hardware()
        self.totals: Counter[str] = Counter()
        """The counts of all lives before this one."""
        self.powered = False
        self.station: Station
        self._link: Link

    # --- power ---

    def power_on(self, *, contact_after: int = 0) -> None:
        """Start from what the flash holds."""
        world = self._world
        self.life += 1
        self.powered = True
        self._link = Link(self._teller(), world.gate)
        seed = None if world.seed is None else f"{world.seed}/{self.mac}/{self.life}"
        self.station = Station(
            self.mac,
            world.storage.load(self.mac),
            now=world.now(),
            unix_ms=world.unix_ms() + self.hardware.rtc_skew,
            config=world.config,
            rng=random.Random(seed),
            broker=world.broker,
        )
        first = self.station.power_on(contact_after=contact_after)
        world.storage.write((self.mac, write) for write in first.writes)
        world.storage.snapshot(self.mac)
        for effect in first.effects:
            self.perform(effect)
        self._post(self, self.life, self.hardware.levels())
        self._turn()

    def power_off(self) -> None:
        """Pull the plug: what is not in the flash is gone, relays fall back to secure."""
        if not self.powered:
            return
        self.powered = False
        self.life += 1
        self.totals.update(self.station.board.counts)
        self.totals["heartbeats"] += self.station.uplink.heartbeats
        self._link.abort()
        self.hardware.relays.clear()

    def power_cycle(self, seconds: float = 0.0) -> None:
        """Pull the plug, and put it back after `seconds`."""
        self.power_off()
        self._come_back(seconds)

    def wipe(self) -> None:
        """Erase the flash, keys included, and restart: the same casing, another identity."""
        self.power_off()
        self._world.storage.wipe(self.mac)
        self._come_back(0)

    def snapshot(self) -> None:
        """Remember the flash for `flash_rollback`; every power-up does so too."""
        self._world.storage.snapshot(self.mac)

    def flash_rollback(self, *, counters: bool = False) -> None:
        """Put back the flash of the last snapshot, and restart; see `Storage.roll_back`."""
        self.power_off()
        self._world.storage.roll_back(self.mac, counters=counters)
        self._come_back(0)

    # --- effects ---

    def perform(self, effect: do.Effect) -> None:
        """Do what the station asked for; its writes are durable by now."""
        match effect:
            case do.Publish():
                for delay in self._world.up.copies(self._world.rng):
                    _later(delay, self._link.publish, effect)
            case do.Connect(network=network):
                if self._no_network() or network in self.hardware.dead_networks:
                    self._post(self, self.life, at.Disconnected("no network"))
                else:
                    self._world.spawn(self._link.open(effect))
            case do.Disconnect():
                self._world.spawn(self._link.close())
            case do.Enrol(request):
                self._world.spawn(self._ask(self.life, self._world.platform.enrol(request)))
            case do.AskTime(nonce):
                self._world.spawn(self._ask(self.life, self._world.platform.time(nonce)))
            case do.Pulse():
                self._pulse(effect)
            case do.Hold(door) | do.Release(door):
                self.hardware.relays[door] = isinstance(effect, do.Hold)
            case do.SetClock(ms):
                self.hardware.rtc_skew += ms
            case do.Reboot():
                self.power_cycle()

    def counts(self) -> Counter[str]:
        """What was counted over all lives."""
        if not self.powered:
            return self.totals
        lives = self.totals + self.station.board.counts
        lives["heartbeats"] += self.station.uplink.heartbeats
        return lives

    async def hang_up(self) -> None:
        """End the connection politely, and let it end: the fleet goes home."""
        self.powered = False
        self.life += 1
        await self._link.close()

    def take(self, what: at.Input) -> None:
        """Let `what` happen to the station now; nothing happens to one without power."""
        self._post(self, self.life, what)
        self._turn()

    def _come_back(self, seconds: float) -> None:
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, self._plug_in, self.life)
        else:
            self.power_on()

    def _plug_in(self, life: int) -> None:
        if life == self.life:  # nobody was quicker
            self.power_on()

    def _teller(self) -> Callable[[at.Input], None]:
        """What the line of this life tells; messages may come late, to a later life even."""
        life = self.life

        def tell(what: at.Input) -> None:
            if isinstance(what, at.Received):
                for delay in self._world.down.copies(self._world.rng):
                    _later(delay, self._deliver, what)
            else:
                self._post(self, life, what)

        return tell

    def _deliver(self, message: at.Received) -> None:
        self._post(self, self.life, message)

    async def _ask(
        self, life: int, question: Coroutine[Any, Any, EnrollAnswer | TimeAnswer | at.ContactFailed]
    ) -> None:
        if self._no_network():
            question.close()
            answer: EnrollAnswer | TimeAnswer | at.ContactFailed = at.ContactFailed()
        else:
            answer = await question
        match answer:
            case EnrollAnswer():
                self._post(self, life, at.EnrolAnswered(answer))
            case TimeAnswer():
                self._post(self, life, at.TimeAnswered(answer))
            case at.ContactFailed():
                self._post(self, life, answer)

    def _pulse(self, pulse: do.Pulse) -> None:
        """The lock looks at the deadline once more: making the intent durable took time."""
        done = self.station.in_time(pulse, self._world.now())
        if done:
            self.hardware.relays[pulse.door] = True
            self.hardware.pulses.append(
                PulseRecord(
                    door=pulse.door,
                    ms=pulse.ms,
                    cause=pulse.cause,
                    command_id=pulse.ref,
                    boot=self.station.board.boot,
                    up_ms=self.station.board.uptime,
                    not_after=pulse.not_after,
                    at_ms=self._world.unix_ms(),
                )
            )
        self._post(self, self.life, at.Actuated(pulse, done))

    def _no_network(self) -> bool:
        return self._world.now() < self.hardware.no_network_until


def _later(delay: float, act: Callable[..., None], *arguments: object) -> None:
    if delay > 0:
        asyncio.get_running_loop().call_later(delay, act, *arguments)
    else:
        act(*arguments)
