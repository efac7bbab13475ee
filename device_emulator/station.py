"""One door station, without I/O: inputs in, effects out, time handed in.

`Station(...)` is a power-up: what was in memory is gone, what is in `cells` is what the flash
held. Whoever runs it calls `power_on` once, then `step` for every input and whenever `due`
has come; makes the writes of a step durable; and only then does its effects, in order.
"""

from collections.abc import Callable
from typing import Any, Final

from device_emulator import effects as do
from device_emulator import inputs as at
from device_emulator import reports
from device_emulator.journal import TIMER as JOURNAL
from device_emulator.menu import TRIAL
from device_emulator.panel import DIGIT_TIMER
from device_emulator.panel import TIMER as FACE
from device_emulator.parts import Parts
from device_emulator.registrar import TIMER as ENROL
from device_emulator.registrar import Heard
from device_emulator.states import Signal
from device_emulator.uplink import CONNECT, HEARTBEAT, RESEND, STEADY
from foundation.wire import topics
from foundation.wire.base import BadMessage, BadSignature
from foundation.wire.events import EventAck
from foundation.wire.hello import Hello, Rotate

_FINAL_REFUSALS: Final = frozenset({2, 4, 5})
"""CONNACK codes that say it is about us, not about the broker's day."""
_ASK_AGAIN: Final = 5
"""After so many failed connections in a row, ask where the broker is now."""


class Station(Parts):
    """What goes from one part to another."""

    def power_on(self, *, contact_after: int = 0) -> do.Step:
        """Begin. `contact_after` spreads a fleet's first words over that many milliseconds."""
        self.journal.power_on()
        self.modes.power_on()
        if self.registrar.registration is None:
            self.panel.signal(Signal.STRANGER)
            self.registrar.contact(after=contact_after)
        else:
            self.panel.registered = True
            self.panel.signal(Signal.KNOWN)
            self.uplink.start(after=contact_after)
        return self.board.step()

    def due(self) -> int | None:
        """When `step` must be called even if nothing happens, on the clock of `now`."""
        return self.board.due()

    def in_time(self, pulse: do.Pulse, now: int) -> bool:
        """Whether the lock may still do `pulse`: writing may have taken long."""
        self.board.now = max(self.board.now, now)
        return pulse.not_after is None or self.board.uptime <= pulse.not_after

    def step(self, now: int, what: at.Input) -> do.Step:
        """Let the time come to `now`, then let `what` happen."""
        self.board.now = max(self.board.now, now)
        while (name := self.board.expired()) is not None:
            kind, _, which = name.partition(".")
            _TIMERS[kind](self, which)
        _INPUTS[type(what)](self, what)
        return self.board.step()

    # --- the line ---

    def resend(self) -> None:
        """Something was not acknowledged in time."""
        if self.registrar.keys is not None:
            self.uplink.resend(self._hello(), self.registrar.keys)

    def beat(self) -> None:
        """The time for a heartbeat has come."""
        self.uplink.beat(
            reports.heartbeat(self.board, self.doors, self.registrar, self.uplink, self.journal)
        )

    def connect(self) -> None:
        """The time to connect has come."""
        known, keys = self.registrar.registration, self.registrar.keys
        if known is not None and keys is not None:
            self.uplink.connect(known, keys)

    def connected(self) -> None:
        """Let in by the broker."""
        keys = self.registrar.keys
        if keys is None or not self.uplink.sess:
            self.board.emit(do.Disconnect())
            return
        self.registrar.status = "registered"
        self.journal.add("net.up")
        self.commands.begin(self.uplink.sess)
        self.uplink.connected(self._hello(), keys)
        self.journal.online()
        self.menu.reconnected()
        self.panel.signal(Signal.ONLINE)

    def disconnected(self) -> None:
        """No connection, or none any more."""
        if self.uplink.online:
            self.journal.add("net.down")
        self.commands.end()
        self.journal.offline()
        self.uplink.lost()
        self.panel.signal(Signal.OFFLINE)
        failures = self.uplink.failures
        if failures and failures % _ASK_AGAIN == 0 and self.registrar.registration is not None:
            self.registrar.contact(after=self.board.jitter(1000, 0.5))

    def refused(self, code: int) -> None:
        """The broker did not let us in: unbound, suspended, a new secret, a wrong clock?"""
        self.board.counts["connects_refused"] += 1
        self.disconnected()
        if code in _FINAL_REFUSALS:
            self.registrar.contact(ask_time=True)

    def received(self, message: at.Received) -> None:
        """A message came. A retained one is never live, whatever it says (R2)."""
        if message.retain:
            self.board.counts["retained_dropped"] += 1
            return
        try:
            topic = topics.parse(message.topic)
        except topics.BadTopic:
            topic = None
        if topic is None or topic.mac != self.board.mac or topic.way != "dn":
            self.board.counts["message_strange"] += 1
            return
        try:
            self._hear(topic.lane, topic.name, message.payload)
        except (BadMessage, BadSignature):
            self.board.counts["message_bad"] += 1

    def _hello(self) -> Hello:
        return reports.hello(self.board, self.registrar, self.uplink, self.journal)

    def _hear(self, lane: str, name: str, payload: bytes) -> None:
        keys = self.registrar.keys
        match lane, name:
            case _ if keys is None:
                self.board.counts["message_strange"] += 1
            case "c", "cmd":
                self.commands.receive(payload)
            case "s", "evtack":
                ack = EventAck.verify(payload, keys.dn, self.board.mac)
                self.journal.acknowledged(ack.upto)
            case "s", "rotate":
                rotate = Rotate.verify(payload, keys.dn, self.board.mac)
                if rotate.secret_ver > self.registrar.secret_ver:
                    self.registrar.contact()
            case _:
                self.board.counts["message_strange"] += 1

    # --- registration ---

    def answered(self, answer: at.EnrolAnswered) -> None:
        """The platform said where we stand."""
        # WAITING and NOTHING need nothing: the registrar asks again by itself.
        match self.registrar.answered(answer.answer):
            case Heard.REGISTERED | Heard.CONFIRMED as heard:
                self._registered(renewed=heard is Heard.REGISTERED)
            case Heard.SHUT_OUT:
                self._forget()
                self.panel.signal(Signal.SHUT_OUT)
            case Heard.CONFLICT:
                self.uplink.stop()
                self.panel.registered = False
                self.panel.signal(Signal.SHUT_OUT)
            case Heard.SUSPENDED:
                self.uplink.stop()

    def _registered(self, *, renewed: bool) -> None:
        if not self.panel.registered:
            self.panel.registered = True
            self.panel.signal(Signal.REGISTERED)
            self.uplink.start(after=self.board.config.t_registered)
        elif renewed:
            self.uplink.hang_up()  # and come back with the new secret
        self.uplink.start()

    def _forget(self) -> None:
        """Unbound: nothing of the community stays here."""
        self.panel.registered = False
        self.uplink.stop()
        self.registrar.forget()
        self.access.erase()
        self.commands.erase()
        self.modes.erase()
        self.journal.erase()

    # --- the door ---

    def actuated(self, done: at.Actuated) -> None:
        """The lock did, or did not do, what it was asked."""
        pulse = done.pulse
        if done.done:
            self.board.counts["opens"] += 1
            self.doors.opened(pulse.door, pulse.ms)
        else:
            self.doors.missed(pulse.door)
        if pulse.cause == "cmd" and self.commands.actuated(done):
            self.panel.signal(Signal.OPENED, stay=pulse.ms)

    def levels(self, read: at.Levels) -> None:
        """The first look around after power-up."""
        self.modes.fire(read.fire)
        self.tamper(read.tampered)
        for door in read.open:
            if door in self.doors:
                self.doors.found_open(door)

    def tamper(self, on: bool) -> None:
        """The casing."""
        if on != self.tampered:
            self.tampered = on
            self.journal.add("tamper" if on else "tamper_clear")

    def sensor(self, door: int, is_open: bool) -> None:
        """A door sensor; one that is not there is ignored."""
        if door in self.doors:
            self.doors.sensor(door, is_open)


_TIMERS: Final[dict[str, Callable[[Station, str], object]]] = {
    FACE: lambda it, _: it.panel.signal(Signal.TIMEOUT),
    DIGIT_TIMER: lambda it, _: it.face.number_complete(),
    JOURNAL: lambda it, _: it.journal.expired(),
    ENROL: lambda it, _: it.registrar.expired(),
    CONNECT: lambda it, _: it.connect(),
    HEARTBEAT: lambda it, _: it.beat(),
    RESEND: lambda it, _: it.resend(),
    STEADY: lambda it, _: it.uplink.steady(),
    TRIAL: lambda it, _: it.menu.give_up(),
    "relay": lambda it, door: it.doors.let_go(int(door)),
    "unused": lambda it, door: it.doors.unused(int(door)),
    "held": lambda it, door: it.doors.held(int(door)),
    "lockout": lambda it, which: (it.pins if which == "pin" else it.admins).expired(),
}

_INPUTS: Final[dict[type[Any], Callable[[Station, Any], object]]] = {
    at.Key: lambda it, what: it.face.press(what.key),
    at.Presented: lambda it, what: it.face.present(what.kind, what.value),
    at.Sensor: lambda it, what: it.sensor(what.door, what.open),
    at.Tamper: lambda it, what: it.tamper(what.on),
    at.Fire: lambda it, what: it.modes.fire(what.on),
    at.Levels: lambda it, what: it.levels(what),
    at.SetMode: lambda it, what: it.modes.order(what.mode),
    at.Learn: lambda it, what: it.access.learn(what.credential),
    at.Forget: lambda it, what: it.access.forget(what.kind, what.value),
    at.Skew: lambda it, what: it.board.skew(what.ms),
    at.Received: lambda it, what: it.received(what),
    at.Connected: lambda it, _: it.connected(),
    at.Refused: lambda it, what: it.refused(what.code),
    at.Disconnected: lambda it, _: it.disconnected(),
    at.Acked: lambda it, what: it.uplink.acked(what.key),
    at.EnrolAnswered: lambda it, what: it.answered(what),
    at.TimeAnswered: lambda it, what: it.registrar.timed(what.answer),
    at.ContactFailed: lambda it, what: it.registrar.failed(what),
    at.Actuated: lambda it, what: it.actuated(what),
    at.Tick: lambda _, __: None,
}
