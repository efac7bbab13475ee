"""The station's line to the broker: when to connect, what to say, what to say again.

The library below drops what it has not got rid of when a connection ends, so what must
arrive is kept here, by key, until the broker acknowledges it.
"""

import secrets
from typing import Final

from device_emulator.board import Board
from device_emulator.effects import Connect, Disconnect, Publish
from foundation.wire import topics
from foundation.wire.base import Message
from foundation.wire.enroll import MqttAddress, Registration
from foundation.wire.hello import Heartbeat, Hello, Will
from foundation.wire.keys import DeviceKeys, password

CONNECT: Final = "connect"
HEARTBEAT: Final = "heartbeat"
RESEND: Final = "resend"
STEADY: Final = "steady"

_HELLO: Final = "hello"
_OUTBOX: Final = 65
"""Messages kept: a hello and the results of a full ring."""


class Uplink:
    """One connection at a time, begun anew after 1, 2, 4…60 s (give or take half).

    `broker` is where the broker is, if not where the registration says.
    """

    def __init__(self, board: Board, broker: MqttAddress | None = None) -> None:
        self._board, self._broker = board, broker
        self.network = 1
        """The Wi-Fi network to connect over."""
        self.online = False
        self.sess = ""
        """128 random bits of this connection; empty while there is none."""
        self.heartbeats = 0
        self._wanted = False
        self._busy = False
        """Asked for a connection, and not heard what became of it."""
        self._failures = 0
        self._outbox: dict[str, Publish] = {}

    @property
    def failures(self) -> int:
        """Attempts in a row that led to no steady connection."""
        return self._failures

    def start(self, *, after: int = 0) -> None:
        """Be connected from now on."""
        self._wanted = True
        if not (self.online or self._busy or self._board.running(CONNECT)):
            self._board.after(CONNECT, after)

    def stop(self) -> None:
        """Be disconnected from now on."""
        self._wanted = False
        self._outbox.clear()
        self.hang_up()
        self._board.cancel(CONNECT)

    def hang_up(self) -> None:
        """End this connection; a new one begins, if one is wanted."""
        if self.online or self._busy:
            self._board.emit(Disconnect())

    def connect(self, registration: Registration, keys: DeviceKeys) -> None:
        """Ask for a connection, with a password that is good once."""
        if self.online or self._busy or not self._wanted:
            return
        mac, config = self._board.mac, self._board.config
        self._busy = True
        self.sess = secrets.token_hex(16)
        self._board.emit(
            Connect(
                address=self._broker or registration.mqtt,
                client_id=mac,
                username=registration.comm_code,
                password=password(keys, mac, registration.comm_code, self._board.unix_ms // 1000),
                keepalive=config.keepalive,
                will_topic=topics.will(mac),
                will=Will(sess=self.sess).dump(),
                subscriptions=topics.filters(mac),
                network=self.network,
            )
        )

    def connected(self, hello: Hello, keys: DeviceKeys) -> None:
        """The broker let us in: say hello, then what is still owed."""
        board = self._board
        self.online, self._busy = True, False
        board.counts["connects"] += 1
        self._outbox.pop(_HELLO, None)
        owed = list(self._outbox.values())
        self._publish(self._greeting(hello, keys))
        for message in owed:
            self._publish(message)
        board.after(HEARTBEAT, int(board.config.heartbeat * board.rng.uniform(0.5, 1.0)))
        board.after(STEADY, board.config.t_steady)

    def lost(self) -> None:
        """The connection ended, or did not come about: again later."""
        board = self._board
        if self.online:
            board.counts["disconnects"] += 1
        self.online = self._busy = False
        self.sess = ""
        for timer in (HEARTBEAT, RESEND, STEADY):
            board.cancel(timer)
        if self._wanted:
            wait = min(board.config.backoff << min(self._failures, 16), board.config.backoff_max)
            self._failures += 1
            board.after(CONNECT, board.jitter(wait, 0.5))

    def steady(self) -> None:
        """The connection has lived for a while: the next back-off begins at the beginning."""
        self._failures = 0

    def beat(self, heartbeat: Heartbeat) -> None:
        """Say that we are here."""
        self.heartbeats += 1
        self.say(heartbeat)
        self._board.after(HEARTBEAT, self._board.config.heartbeat)

    def say(self, message: Message) -> None:
        """Publish once; lost when there is no connection."""
        if self.online:
            route = message.ROUTE
            topic = topics.up(self._board.mac, route.name)
            self._board.emit(Publish(topic, message.dump(), route.qos))

    def send(self, message: Publish) -> None:
        """Publish until the broker has acknowledged it, over reconnects too."""
        self._outbox[message.key] = message
        if len(self._outbox) > _OUTBOX:
            oldest = next(key for key in self._outbox if key != _HELLO)
            del self._outbox[oldest]  # its event in the journal tells it all the same
        if self.online:
            self._publish(message)

    def acked(self, key: str) -> None:
        """The broker has it."""
        self._outbox.pop(key, None)
        if not self._outbox:
            self._board.cancel(RESEND)

    def resend(self, hello: Hello, keys: DeviceKeys) -> None:
        """Say again what was not acknowledged in time; a hello as it would be said now.

        The platform reckons deadlines from the uptime in it: an old one would spoil them.
        """
        if self.online:
            if _HELLO in self._outbox:
                self._outbox[_HELLO] = self._greeting(hello, keys)
            for message in list(self._outbox.values()):
                self._board.counts["resent"] += 1
                self._publish(message)

    def _greeting(self, hello: Hello, keys: DeviceKeys) -> Publish:
        mac = self._board.mac
        return Publish(topics.up(mac, hello.ROUTE.name), hello.sign(keys.up, mac), 1, _HELLO)

    def _publish(self, message: Publish) -> None:
        self._outbox[message.key] = message
        self._board.emit(message)
        if not self._board.running(RESEND):
            self._board.after(RESEND, self._board.config.t_resend)
