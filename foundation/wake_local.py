"""Wake-ups from short commands to the one `serve` beside them, on SQLite: a UNIX socket.

SQLite has no NOTIFY. `linli device confirm …` commits and then sends what it kicks to
`data_dir/wake.sock`; the platform looks again at once instead of a poll period later.
"""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from foundation.wake import Wake

log = structlog.get_logger()

NAME: Final = "wake.sock"
LONGEST: Final = 200
"""Bytes of a topic; more is not one of ours."""


class Ear:
    """A service: hears what other processes of this data folder kick."""

    name = "wake"

    def __init__(self, wake: Wake, data_dir: Path) -> None:
        self._wake = wake
        self._path = data_dir / NAME
        self._socket: socket.socket | None = None

    async def start(self) -> None:
        """Listen. Without a socket (the path is too long for one) commands are heard later."""
        self._path.unlink(missing_ok=True)  # of a process that was killed: we hold its lock now
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ear.setblocking(False)
        try:
            ear.bind(str(self._path))
            self._path.chmod(0o600)
        except OSError as error:
            ear.close()
            log.warning("wake.socket.unavailable", path=str(self._path), error=str(error))
            return
        self._socket = ear
        asyncio.get_running_loop().add_reader(ear.fileno(), self._hear, ear)

    async def run(self, stop: asyncio.Event) -> None:
        """The event loop does the listening."""
        await stop.wait()

    async def close(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._path.unlink(missing_ok=True)

    def _hear(self, ear: socket.socket) -> None:
        while True:
            try:
                topic = ear.recv(LONGEST + 1)
            except BlockingIOError:
                return
            if len(topic) <= LONGEST:
                self._wake.heard(topic.decode(errors="replace"))


def mouth(data_dir: Path) -> Callable[[str], None]:
    """What a command passes to `Wake.relay`. When nobody listens nothing happens."""
    path = str(data_dir / NAME)

    def say(topic: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(topic.encode(), path)
            except OSError as error:  # a lost wake-up costs a poll period, never correctness
                log.debug("wake.socket.unheard", error=str(error))

    return say
