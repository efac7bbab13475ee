"""The TLS listener: a socket counts with those that wait while its handshake lasts.

`loop.create_server(ssl=…)` shows a connection only after its handshake, so silent sockets
could be counted by nobody; and uvloop reads before `start_tls` can say that it is TLS.
"""

import asyncio
import socket
import ssl

import structlog

from broker.gate import Gate
from broker.refusals import Reason

log = structlog.get_logger()

_GOODBYE = 2.0
"""Seconds a peer may take to say goodbye."""
_AGAIN = 1.0
"""Seconds after which accepting is tried again when the process has no sockets left."""


async def accept(gate: Gate, listener: socket.socket, context: ssl.SSLContext) -> None:
    """Accept connections on `listener` until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            sock, address = await loop.sock_accept(listener)
        except OSError as error:
            log.warning("broker.accept.failed", error=str(error))
            await asyncio.sleep(_AGAIN)
            continue
        Handshake(gate, sock, str(address[0]), context).begin()


class Handshake:
    """One socket, until the gate sees what is inside."""

    __slots__ = ("_address", "_begun", "_context", "_gate", "_sock", "_task")

    def __init__(
        self, gate: Gate, sock: socket.socket, address: str, context: ssl.SSLContext
    ) -> None:
        self._gate = gate
        self._sock = sock
        self._address = address
        self._context = context
        self._task: asyncio.Task[None] | None = None
        self._begun = False

    def begin(self) -> None:
        """Shake hands, beside everything else."""
        self._gate.pending.add(self)
        self._task = self._gate.spawn(self._shake())

    def crowded_out(self) -> None:
        """See `Waiting`."""
        self._gate.count(self._address, Reason.CROWDED)
        if self._task is not None:
            self._task.cancel()
        if not self._begun:  # else the transport owns it
            self._sock.close()

    async def _shake(self) -> None:
        self._begun = True
        patience = self._gate.settings.connect_timeout.total_seconds()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._gate.connection,
                self._sock,
                ssl=self._context,
                ssl_handshake_timeout=patience,
                ssl_shutdown_timeout=_GOODBYE,
            )
        except OSError as error:  # SSLError and TimeoutError are among them
            late = isinstance(error, TimeoutError | ConnectionAbortedError)
            self._gate.count(self._address, Reason.TIMEOUT if late else Reason.MALFORMED)
        finally:
            self._gate.pending.discard(self)
