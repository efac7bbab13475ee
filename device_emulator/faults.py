"""What goes wrong between a station and its platform, on purpose and repeatably.

Three kinds: bad `Weather` for single messages (lost, late, twice), a `FaultyLink` for the
bytes of whole connections (cut, frozen, slow), and `Fault`s by a timetable: any control of a
station at a given second.
"""

import asyncio
import json
import random
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from foundation.errors import DomainError, Kind
from foundation.ids import Mac

_CHUNK: Final = 64 * 1024
_LONGEST: Final = 10**7
_RESET: Final = struct.pack("ii", 1, 0)
"""Linger for no time at all: the close is a reset."""


class BadScript(DomainError):
    """The timetable of faults cannot be read."""

    kind, code, title = Kind.INVALID, "bad-fault-script", "The fault script cannot be read"
    title_zh = "故障脚本无法解析"


@dataclass(frozen=True, slots=True)
class Weather:
    """How messages of one direction fare. Chances 0 to 1, times in seconds (least, most)."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay: tuple[float, float] = (0.0, 0.0)
    """Of every copy that arrives; messages overtake one another."""
    late: float = 0.0
    """Chance that a copy waits for `late_by` on top."""
    late_by: tuple[float, float] = (5.0, 20.0)

    def copies(self, rng: random.Random) -> list[float]:
        """The delay in seconds of each copy of one message that arrives; none: it is lost."""
        if rng.random() < self.loss:
            return []
        count = 2 if rng.random() < self.duplicate else 1
        return [self._delay(rng) for _ in range(count)]

    def _delay(self, rng: random.Random) -> float:
        late = rng.uniform(*self.late_by) if rng.random() < self.late else 0.0
        return rng.uniform(*self.delay) + late


FAIR: Final = Weather()


@dataclass(frozen=True, slots=True)
class Fault:
    """Do `control` with `arguments` to the station `mac` (None: every one), `at` seconds."""

    at: float
    mac: Mac | None
    control: str
    arguments: dict[str, Any]


MENU: Final[dict[str, Callable[[random.Random], dict[str, Any]]]] = {
    "drop_net": lambda rng: {"seconds": round(rng.uniform(0.5, 10), 1)},
    "power_cycle": lambda rng: {"seconds": round(rng.uniform(0, 5), 1)},
    "skew_clock": lambda rng: {"seconds": round(rng.uniform(-86_400, 86_400))},
    "flash_rollback": lambda _: {},
    "tamper": lambda rng: {"on": rng.random() < 0.5},
    "sensor": lambda rng: {"open": rng.random() < 0.5},
}
"""What `random_faults` picks from. A wipe is not among it: somebody would have to come by."""


def random_faults(
    seed: int | str, macs: Sequence[Mac], seconds: float, a_minute: float
) -> list[Fault]:
    """A timetable with `a_minute` faults a minute a station; the same for the same seed."""
    rng, faults = random.Random(seed), []
    for mac in macs:
        at = rng.expovariate(a_minute / 60)
        while at < seconds:
            control = rng.choice(sorted(MENU))
            faults.append(Fault(round(at, 3), mac, control, MENU[control](rng)))
            at += rng.expovariate(a_minute / 60)
    return sorted(faults, key=lambda fault: fault.at)


def read(path: Path) -> list[Fault]:
    """Read a timetable: JSON lines `{"at": 3.5, "mac": "02…", "control": "tamper", …}`.

    `mac` may be left out: every station. All other names are arguments of the control.

    Raises:
        BadScript: no such file, or a line is not of this form.
    """
    faults = []
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadScript(str(error)) from None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            at, mac, control = _second(row.pop("at")), row.pop("mac", None), str(row.pop("control"))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadScript(f"{path} line {number}") from None
        faults.append(Fault(at, Mac(mac) if mac else None, control, row))
    return sorted(faults, key=lambda fault: fault.at)


def _second(given: object) -> float:
    if not isinstance(given, int | float) or not 0 <= given < _LONGEST:
        raise ValueError("not a number of seconds")
    return float(given)


class FaultyLink:
    """A TCP proxy in front of a broker, for faults that concern whole connections."""

    def __init__(self, host: str, port: int) -> None:
        """Lead to `host`:`port`; the proxy's own `port` is known inside the `async with`."""
        self._to = (host, port)
        self.port = 0
        self.delay = 0.0
        """Seconds that every chunk of bytes takes, in either direction."""
        self.refuse = False
        """Close every new connection at once."""
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.thaw()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._writers) // 2

    def cut(self) -> int:
        """Reset every connection; how many there were."""
        found = self.connections
        for writer in self._writers:
            line = writer.get_extra_info("socket")
            if line is not None:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        return found

    def freeze(self) -> None:
        """Let nothing through, and close nothing: a network that went away silently."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let everything through again, what waited first."""
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            if self.refuse:
                return
            there_reader, there = await asyncio.open_connection(*self._to)
            self._writers.add(there)
            await _first_of(self._pump(reader, there), self._pump(there_reader, writer))
            there.transport.abort()
            self._writers.discard(there)
        except OSError:
            return  # the other end is the one to complain
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            if self.delay:
                await asyncio.sleep(self.delay)
            await self._flows.wait()
            writer.write(data)
            await writer.drain()


async def _first_of(*ways: Any) -> None:
    """Wait until one direction is over, and end the other."""
    tasks: Iterable[asyncio.Task[None]] = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
