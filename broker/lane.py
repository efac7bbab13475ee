"""The device lane: one table of sessions. Routing, presence and kicking all read it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog
from prometheus_client import Counter, Gauge

from broker.authority import Device
from broker.codec import Connect
from broker.ingest import Queue
from broker.presence import Comings
from broker.session import Mirror, Session
from broker.terms import WINDOW, End, Rules
from device_registry.link import Heard, SessionChange
from foundation.clock import Clock
from foundation.ids import Mac
from foundation.rates import Rate
from foundation.settings import Settings
from foundation.wake import first_of
from foundation.wire import topics

log = structlog.get_logger()

SESSIONS = Gauge("broker_sessions", "Stations connected now.")
ENDS = Counter("broker_session_ends_total", "Sessions that ended.", ["reason"])

WILL = "lwt"
_HAS_WILL = frozenset({End.WILL, End.TIMEOUT, End.SLOW, End.PROTOCOL})
"""After these the platform hears the will. It knows of the others by its own doing."""
_SWEEP = 1.0
_UNTOLD = 20_000


class Lane:
    """Mac -> live session, at most one. Epochs grow strictly, over restarts too."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        queues: Mapping[str, Queue],
        comings: Comings,
        *,
        ended: Callable[[Mac], None],
        cloned: Callable[[Mac], None],
    ) -> None:
        """Build an empty lane.

        Args:
            settings: bounds of a session, and how many take-overs look like a clone.
            clock: stamps what is heard.
            queues: where messages go, by name.
            comings: where beginnings and ends go.
            ended: told of every end that the station may be blamed for.
            cloned: told of a station that is taken over too often.
        """
        self.rules = Rules.of(settings.broker)
        self.clock = clock
        self.queues = queues
        self.mirror: Mirror | None = None
        """Set by the open lane while somebody there may hear stations."""
        self.time: Callable[[], float] = time.monotonic
        self._comings = comings
        self._ended = ended
        self._cloned = cloned
        self._sessions: dict[Mac, Session] = {}
        self._epoch = time.time_ns() // 1000  # below 2**53, so that JavaScript can hold it
        self._takeovers = Rate(settings.devices.takeover_limit + 1, keys=20_000)

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def behind(self) -> bool:
        """Whether the database is so late with beginnings and ends that nobody may come."""
        return len(self._comings) > _UNTOLD

    def session(self, mac: Mac) -> Session | None:
        """The live session of `mac`."""
        return self._sessions.get(mac)

    def admit(self, device: Device, connect: Connect, address: str) -> Session:
        """A session for a station that was let in. Its earlier one ends first, at once."""
        mac = device.mac
        if (old := self._sessions.get(mac)) is not None:
            old.end(End.TAKEN_OVER)
            if self._takeovers.add(mac, self.time()):
                log.warning("session.takeovers.many", mac=mac, address=address)
                self._cloned(mac)
        self._epoch += 1
        session = Session(self, device, connect, address, self._epoch)
        self._sessions[mac] = session
        SESSIONS.set(len(self._sessions))
        self._comings.note(SessionChange(mac, session.epoch, True, self.clock(), address=address))
        return session

    def left(self, session: Session, reason: End) -> None:
        """See `Home`. A late end of a session that was taken over touches nobody else's."""
        mac = session.device.mac
        if self._sessions.get(mac) is session:
            del self._sessions[mac]
            SESSIONS.set(len(self._sessions))
        ENDS.labels(reason.value).inc()
        at = self.clock()
        if session.will is not None and reason in _HAS_WILL:
            if (queue := self.queues.get(WILL)) is not None:
                queue.put(Heard(mac, session.epoch, session.will, at), session, 0)
            if self.mirror is not None:
                self.mirror(topics.will(mac), session.will, 1)
        self._comings.note(
            SessionChange(mac, session.epoch, False, at, reason.value, session.address)
        )
        if reason is not End.SHUTDOWN:
            self._ended(mac)

    def deliver(self, mac: Mac, topic: str, payload: bytes, qos: int) -> bool:
        """Send to the live session of `mac`; False when there is none, or it does not take it.

        Raises:
            ValueError: the topic is not one on which `mac` hears.
        """
        to = topics.parse(topic)
        if to.mac != mac or to.way != "dn":
            raise ValueError(f"{topic!r} is not addressed to {mac}")
        session = self._sessions.get(mac)
        return session is not None and session.deliver(to, payload, qos)

    def kick(self, mac: Mac, why: str) -> bool:
        """Close the session of `mac` at once; False when there is none."""
        session = self._sessions.get(mac)
        if session is None:
            return False
        log.info("session.kicked", mac=mac, why=why)
        session.end(End.KICKED)
        return True

    def kick_unless(self, stands: Callable[[Device], bool]) -> None:
        """Close the sessions of those that would not be let in any more."""
        for session in list(self._sessions.values()):
            if not stands(session.device):
                self.kick(session.device.mac, "login withdrawn")

    async def sweep(self, stop: asyncio.Event) -> None:
        """Every second: end what is silent; every `WINDOW` seconds: count rates anew."""
        rounds, due = 0, self.time() + _SWEEP
        while not stop.is_set():
            await first_of(stop, within=timedelta(seconds=_SWEEP))
            now, rounds = self.time(), rounds + 1
            late, due = now - due, now + _SWEEP
            for session in list(self._sessions.values()):
                # After a stall of our own, what they sent meanwhile was not read yet.
                if late < _SWEEP and session.overdue(now):
                    session.end(End.TIMEOUT)
                elif rounds % WINDOW == 0:
                    session.new_window()
            self._takeovers.sweep(now)

    def stop_reading(self) -> None:
        """Take nothing more from stations; what was taken can still be acknowledged."""
        for session in self._sessions.values():
            session.stop_reading()

    def close(self) -> None:
        """End every session."""
        for session in list(self._sessions.values()):
            session.end(End.SHUTDOWN)
