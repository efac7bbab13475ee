"""A station on the bench, without I/O and without real time.

Everything around it is virtual: time goes from one timer to the next, the flash is a dict of
JSON, the relay an instrument that writes down every edge.
"""

import json
import random
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from device_emulator import effects as fx
from device_emulator import inputs as at
from device_emulator.config import Config
from device_emulator.credentials import Credential
from device_emulator.memory import Cells, apply
from device_emulator.station import Station
from foundation.ids import Mac
from foundation.wire import topics
from foundation.wire.command import Result
from foundation.wire.events import Event, EventBatch
from tests.device_emulator.toy import Toy

MAC = Mac("02a1b2c30001")
UNIX = 1_760_000_000_000


class PowerCut(Exception):
    """The plug was pulled between two effects."""


@dataclass
class Relay:
    """The relay of one door, as an instrument sees it."""

    on: bool = False
    since: int = 0
    evacuation: bool = False
    spans: list[tuple[int, int]] = field(default_factory=list)
    """(since, until) of every time it was held for somebody."""
    evacuations: list[tuple[int, int]] = field(default_factory=list)
    """(since, until) of every time it was held, for a while at least, to let everybody out."""

    def set(self, on: bool, now: int, *, evacuation: bool = False) -> None:
        if on and not self.on:
            self.on, self.since, self.evacuation = True, now, False
        elif not on and self.on:
            self.on = False
            (self.evacuations if self.evacuation else self.spans).append((self.since, now))
        self.evacuation = self.evacuation or evacuation


@dataclass(frozen=True)
class Seen:
    """A pulse, as the instrument saw it."""

    boot: int
    uptime: int
    pulse: fx.Pulse


class Bench:
    def __init__(
        self, config: Config | None = None, *, registered: bool = True, online: bool = True
    ) -> None:
        self.config = config or Config()
        self.now = 1_000_000
        self.lives = 0
        """Grows with every power-up: what was under way in an earlier life is void."""
        self.toy = Toy()
        self.toy.now_ms = lambda: UNIX + self.now
        self.platform_up = True
        self.broker_up = True
        self.refuse_with: int | None = None
        self._soon: deque[at.Input] = deque()
        self.cells: Cells = {}
        self.kept: Cells = {}
        self.relays = {door: Relay() for door in range(1, self.config.doors + 1)}
        self.pulses: list[tuple[int, fx.Pulse]] = []
        self.seen: list[Seen] = []
        self.sent: list[fx.Publish] = []
        self.connects: list[fx.Connect] = []
        self.enrols = 0
        self.rtc_skew = 0
        self.levels = at.Levels()
        self.cut_after: int | None = None
        """Pull the plug after this many durable steps: each batch of writes, each effect."""
        self.slow_flash = 0
        """Milliseconds that making something durable takes."""
        if registered:
            self.toy.register(MAC)
        self.power_on()
        if registered:
            self.advance(4000 if online else 100)

    # --- power ---

    def power_on(self) -> None:
        self.lives = life = self.lives + 1
        self.station = Station(
            MAC,
            json.loads(json.dumps(_text_keys(self.cells)), object_hook=_int_keys),
            now=self.now,
            unix_ms=UNIX + self.now + self.rtc_skew,
            config=self.config,
            rng=random.Random(7),
        )
        self._run(self.station.power_on())
        if self.lives == life:
            self._run(self.station.step(self.now, self.levels))

    def power_cycle(self, off_ms: int = 0) -> None:
        self._soon.clear()
        for relay in self.relays.values():
            relay.set(False, self.now)
        self.now += off_ms
        try:
            self.power_on()
        except PowerCut:  # again, while it was starting
            self.cut_after = None
            self.power_cycle()

    def wipe(self) -> None:
        self.cells = {"counter": self.cells.get("counter", {})}
        self.power_cycle()

    def snapshot(self) -> None:
        self.kept = _copy(self.cells)

    def roll_back(self, *, counters: bool = False) -> None:
        now = self.cells
        self.cells = _copy(self.kept)
        if not counters:
            self.cells["counter"] = now.get("counter", {})
        self.power_cycle()

    # --- inputs ---

    def do(self, what: at.Input) -> None:
        match what:
            case at.Fire(on):
                self.levels = replace(self.levels, fire=on)
            case at.Tamper(on):
                self.levels = replace(self.levels, tampered=on)
            case at.Sensor(is_open, door):
                others = self.levels.open - {door}
                self.levels = replace(self.levels, open=others | ({door} if is_open else set()))
        try:
            self._run(self.station.step(self.now, what))
        except PowerCut:
            self.cut_after = None
            self.power_cycle()

    def keys(self, text: str) -> None:
        for key in text:
            self.do(at.Key(key))

    def advance(self, ms: int) -> None:
        """Let time pass, from timer to timer."""
        until = self.now + ms
        while (due := self.station.due()) is not None and due <= until:
            self.now = max(self.now, due)
            self.do(at.Tick())
        self.now = until

    def learn(self, kind: Any, value: str, **facts: Any) -> None:
        self.do(at.Learn(Credential(kind, value, **facts)))

    def hear(self, name: str, payload: bytes, *, retain: bool = False) -> None:
        topic = topics.command(MAC) if name == "cmd" else topics.down(MAC, name)
        self.do(at.Received(topic, payload, retain))

    def command(self, **facts: Any) -> bytes:
        """Send a good command unless `facts` spoil it; returns what was sent."""
        facts.setdefault("ctr", self._next_ctr())
        facts.setdefault("exp_up", self.uptime + 5000)
        retain = facts.pop("retain", False)
        payload = self.toy.command(MAC, facts.pop("sess", self.sess), **facts)
        self.hear("cmd", payload, retain=retain)
        return payload

    def ack(self) -> None:
        """Acknowledge every event that was sent."""
        self.hear("evtack", self.toy.evtack(MAC, max((it.seq for it in self.events()), default=1)))

    def cut_line(self) -> None:
        self.do(at.Disconnected("cut"))

    # --- what can be seen ---

    @property
    def state(self) -> str:
        return self.station.panel.state.value

    @property
    def sess(self) -> str:
        return self.station.uplink.sess

    @property
    def uptime(self) -> int:
        return self.now - self.station.board._powered

    def results(self) -> list[Result]:
        keys = self.toy.known[MAC].keys
        found = [it for it in self.sent if it.topic == topics.up(MAC, "res")]
        return [Result.verify(it.payload, keys.up, MAC) for it in found]

    def events(self) -> list[Event]:
        """Every event that was ever sent, in the order of sending, repeats included."""
        found = [it for it in self.sent if it.topic == topics.up(MAC, "evt")]
        return [event for it in found for event in EventBatch.parse(it.payload).events]

    def held(self) -> list[Event]:
        """The journal as it is in the flash."""
        rows = self.cells.get("journal", {})
        return [Event.model_validate(rows[seq]["event"]) for seq in sorted(rows, key=int)]

    def types(self) -> list[str]:
        """The types of all events still held."""
        return [event.type for event in self.held()]

    # --- inside ---

    def _next_ctr(self) -> int:
        self._ctr = getattr(self, "_ctr", 0) + 1
        return self._ctr

    def _run(self, step: fx.Step) -> None:
        life = self.lives
        if step.writes:
            self._count()
            apply(self.cells, step.writes)
            self.now += self.slow_flash
        for effect in step.effects:
            self._count()
            self._perform(effect)
            if self.lives != life:
                return  # it has restarted, and the rest went with the old life
        while self._soon and self.lives == life:
            self._run(self.station.step(self.now, self._soon.popleft()))

    def _count(self) -> None:
        if self.cut_after is not None:
            self.cut_after -= 1
            if self.cut_after < 0:
                raise PowerCut

    def _perform(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Publish():
                self.sent.append(effect)
            case fx.Connect():
                self.connects.append(effect)
                self._soon.append(self._connack())
            case fx.Disconnect():
                self._soon.append(at.Disconnected("asked"))
            case fx.Enrol(request):
                self.enrols += 1
                answer = self.toy.enrol(request) if self.platform_up else None
                self._soon.append(at.EnrolAnswered(answer) if answer else at.ContactFailed())
            case fx.AskTime(nonce):
                up = self.platform_up
                self._soon.append(
                    at.TimeAnswered(self.toy.time(nonce)) if up else at.ContactFailed()
                )
            case fx.Pulse():
                done = self.station.in_time(effect, self.now)
                if done:
                    self.pulses.append((self.now, effect))
                    self.seen.append(Seen(self.station.board.boot, self.uptime, effect))
                    self.relays[effect.door].set(True, self.now)
                self._soon.append(at.Actuated(effect, done))
            case fx.Hold(door):
                self.relays[door].set(True, self.now, evacuation=True)
            case fx.Release(door):
                self.relays[door].set(False, self.now)
            case fx.SetClock(ms):
                self.rtc_skew += ms
            case fx.Reboot():
                self.power_cycle()

    def _connack(self) -> at.Input:
        if self.refuse_with is not None:
            return at.Refused(self.refuse_with)
        return at.Connected() if self.broker_up else at.Disconnected("no broker")


def _copy(cells: Cells) -> Cells:
    return {area: dict(rows) for area, rows in cells.items()}


def _text_keys(cells: Cells) -> dict[str, Any]:
    return {area: {str(key): value for key, value in rows.items()} for area, rows in cells.items()}


def _int_keys(found: dict[str, Any]) -> dict[Any, Any]:
    return {int(key) if key.isdecimal() else key: value for key, value in found.items()}
