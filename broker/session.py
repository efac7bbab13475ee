"""One station's connection in the device lane: MQTT 3.1.1, QoS 0 and 1, no state kept after it.

What a station may not do ends the connection (retain, QoS 2, a topic that is not its own):
only a broken or hostile one does it. A foreign subscription is answered with 0x80.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from prometheus_client import Counter

from broker import codec
from broker.authority import Device
from broker.ingest import MESSAGES, Queue
from broker.terms import End, Rules
from broker.window import Window
from device_registry.link import Heard
from foundation.clock import Clock
from foundation.wire import topics

BYTES = Counter("broker_bytes_total", "Bytes of the device lane.", ["direction"])
THROTTLED = Counter("broker_throttled_total", "Times a station was not read for a while.", ["why"])

_NAME: Final = re.compile(r"[a-z0-9_]{1,32}")
_UNHEARD: Final = MESSAGES.labels("in", "other")
_OUT: Final = {name: MESSAGES.labels("out", name) for name in ("cmd", "evtack", "rotate", "other")}
_BYTES_IN, _BYTES_OUT = BYTES.labels("in"), BYTES.labels("out")

# Why a session is not read for now.
_INFLIGHT, _RATE, _INGEST, _STOPPING = 1, 2, 4, 8
_WHY: Final = {_INFLIGHT: "inflight", _RATE: "rate", _INGEST: "ingest", _STOPPING: "stopping"}
_FLUSH: Final = 5.0
"""Seconds in which a peer must take what waits for it when the connection is closed."""


Mirror = Callable[[str, bytes, int], None]


class Home(Protocol):
    """What a session needs of the lane it lives in."""

    rules: Rules
    queues: Mapping[str, Queue]
    mirror: Mirror | None
    clock: Clock
    time: Callable[[], float]

    def left(self, session: "Session", reason: End) -> None:
        """The session has ended; called once."""
        ...


class Session(asyncio.Protocol):
    """See the module. Made by the gate when the login was judged; `begin` takes the socket."""

    __slots__ = (
        "_bytes",
        "_command_qos",
        "_held",
        "_home",
        "_inflight",
        "_packets",
        "_patience",
        "_root",
        "_state_qos",
        "_stream",
        "_transport",
        "_window",
        "address",
        "device",
        "ended",
        "epoch",
        "heard_at",
        "will",
    )

    def __init__(
        self, home: Home, device: Device, connect: codec.Connect, address: str, epoch: int
    ) -> None:
        self._home = home
        self.device = device
        self.address = address
        self.epoch = epoch
        self.will = None if connect.will is None else connect.will.payload
        self._patience = 1.5 * connect.keepalive
        self.heard_at = home.time()
        self.ended = False
        self._root = topics.up(device.mac, "")
        self._held = self._packets = self._bytes = self._inflight = 0
        self._state_qos = self._command_qos = -1
        self._window: Window | None = None

    def begin(self, transport: asyncio.Transport, stream: codec.Stream) -> None:
        """Take over the connection: CONNACK, then whatever came behind the CONNECT."""
        self._transport = transport
        self._stream = stream
        stream.limit = self._home.rules.packet_bytes
        transport.set_write_buffer_limits(high=self._home.rules.out_queue // 2)
        transport.set_protocol(self)
        transport.write(codec.connack(codec.ACCEPTED))
        self._work()

    # In.

    def data_received(self, data: bytes) -> None:
        """Read what there is, unless a bound says to wait."""
        if self.ended:
            return
        self.heard_at = self._home.time()
        size = len(data)
        self._bytes += size
        _BYTES_IN.inc(size)
        self._stream.feed(data)
        if self._bytes > self._home.rules.bytes:
            self._hold(_RATE)
        self._work()

    def _work(self) -> None:
        stream = self._stream
        try:
            while not self._held and not self.ended:
                frame = stream.next()
                if frame is None:
                    return
                head, at, end = frame
                self._packets += 1
                if self._packets > self._home.rules.packets:
                    self._hold(_RATE)  # this one is still taken
                if head >> 4 == codec.PUBLISH:
                    self._published(codec.read_publish(head, stream.data, at, end))
                else:
                    self._control(head, stream.data, at, end)
        except codec.Malformed:
            self.end(End.PROTOCOL)

    def _published(self, message: codec.Publish) -> None:
        topic, payload, qos, packet_id, retain, _ = message
        root = self._root
        if retain or qos > 1 or not topic.startswith(root):
            raise codec.Malformed("not its to publish")
        name = topic[len(root) :]
        home = self._home
        queue = home.queues.get(name)
        if queue is None:
            if _NAME.fullmatch(name) is None:
                raise codec.Malformed("not a name")
            _UNHEARD.inc()
            if qos:
                self._write(codec.puback(packet_id))
        else:
            if qos:
                self._inflight += 1
                if self._inflight >= home.rules.inflight:
                    self._hold(_INFLIGHT)
            queue.put(Heard(self.device.mac, self.epoch, payload, home.clock()), self, packet_id)
            if queue.full:
                queue.block(self)
                self._hold(_INGEST)
        if home.mirror is not None:
            home.mirror(topic, payload, qos)

    def _control(self, head: int, data: bytes, at: int, end: int) -> None:
        match head >> 4:
            case codec.PINGREQ if head == 0xC0 and at == end:
                self._write(codec.PINGRESP)
            case codec.PUBACK:
                self._acknowledged(codec.read_puback(head, data, at, end))
            case codec.SUBSCRIBE:
                packet_id, wanted = codec.read_subscribe(head, data, at, end)
                granted = [self._subscribe(topic, qos) for topic, qos in wanted]
                self._write(codec.suback(packet_id, granted))
            case codec.UNSUBSCRIBE:
                packet_id, ended = codec.read_unsubscribe(head, data, at, end)
                for topic in ended:
                    self._subscribe(topic, -1)
                self._write(codec.unsuback(packet_id))
            case codec.DISCONNECT if head == 0xE0 and at == end:
                self.end(End.CLOSED)
            case _:
                raise codec.Malformed("not a packet of a client")

    def _subscribe(self, topic: str, qos: int) -> int:
        """Grant one of its own two filters; -1 ends it. Returns the SUBACK code."""
        (state, state_qos), (commands, command_qos) = topics.filters(self.device.mac)
        if topic == state:
            self._state_qos = min(qos, state_qos)
            return self._state_qos
        if topic == commands:
            self._command_qos = min(qos, command_qos)
            return self._command_qos
        return codec.REFUSED

    def acknowledge(self, packet_id: int) -> None:
        """Send a PUBACK: the message is stored."""
        if self.ended:
            return
        self._inflight -= 1
        self._write(codec.puback(packet_id))
        if self._held & _INFLIGHT and self._inflight <= self._home.rules.inflight // 2:
            self._release(_INFLIGHT)

    def room(self) -> None:
        """The queue of ingest has room again."""
        self._release(_INGEST)

    def new_window(self) -> None:
        """Count its rates anew."""
        self._packets = self._bytes = 0
        if self._held & _RATE:
            self._release(_RATE)

    def overdue(self, now: float) -> bool:
        """Whether it has been silent too long. Not: because it was not read."""
        if self._held:
            self.heard_at = now
        return now - self.heard_at > self._patience

    def stop_reading(self) -> None:
        """For good: the platform stops."""
        self._hold(_STOPPING)

    def _hold(self, why: int) -> None:
        if not self._held and not self._transport.is_closing():
            self._transport.pause_reading()
        if not self._held & why:
            THROTTLED.labels(_WHY[why]).inc()
        self._held |= why

    def _release(self, why: int) -> None:
        self._held &= ~why
        self._work()
        if not self._held and not self._transport.is_closing():
            self._transport.resume_reading()

    # Out.

    def deliver(self, topic: topics.Topic, payload: bytes, qos: int) -> bool:
        """Send one message; False when it has not subscribed, or is gone or too slow."""
        granted = self._command_qos if topic.lane == "c" else self._state_qos
        if self.ended or granted < 0:
            return False
        _OUT.get(topic.name, _OUT["other"]).inc()
        name = str(topic).encode()
        if not qos or not granted:
            return self._write(codec.publish(name, payload))
        if self._window is None:
            self._window = Window(self._home.rules.inflight)
        if (packet := self._window.put(name, payload)) is not None:
            return self._write(packet)
        if self._window.bytes > self._home.rules.out_queue:
            self.end(End.SLOW)
        return not self.ended

    def _acknowledged(self, packet_id: int) -> None:
        if self._window is not None:
            packet = self._window.acknowledged(packet_id)
            if packet is not None:
                self._write(packet)

    def _write(self, data: bytes) -> bool:
        """Hand bytes to the socket, unless too many wait there already."""
        if self._transport.get_write_buffer_size() > self._home.rules.out_queue:
            self.end(End.SLOW)
        if self.ended:
            return False
        _BYTES_OUT.inc(len(data))
        self._transport.write(data)
        return True

    # The end.

    def end(self, reason: End) -> None:
        """Close the connection at once; a second end changes nothing."""
        if self.ended:
            return
        self.ended = True
        transport = self._transport
        if reason not in (End.CLOSED, End.SHUTDOWN):
            transport.abort()
        else:
            transport.close()
            if transport.get_write_buffer_size():  # who does not read would keep it for ever
                asyncio.get_running_loop().call_later(_FLUSH, transport.abort)
        self._home.left(self, reason)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """The socket is gone; by whose doing tells `ended`."""
        if not self.ended:
            self.ended = True
            self._home.left(self, End.RESET if self.will is None else End.WILL)
