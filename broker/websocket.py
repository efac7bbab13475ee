"""MQTT over WebSocket: each connection looks to the gate like any other transport."""

import asyncio
import logging
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from broker.gate import Gate
from broker.pending import Waiting
from broker.refusals import Reason

PATH: Final = "/mqtt"
_FRAME: Final = 128 * 1024
"""Bytes of one message of a client; an MQTT packet may span several [MQTT-6.0.0-2]."""
_GOODBYE: Final = 2.0
"""Seconds to wait for the closing handshake."""

_log = logging.getLogger("broker.websocket")
# What a stranger's handshake lacks is no news.
_log.addFilter(lambda record: "handshake failed" not in record.msg)


class WebSocketTransport(asyncio.Transport):
    """Bytes written leave as binary messages, by one task; bytes read come from another."""

    def __init__(self, connection: ServerConnection) -> None:
        super().__init__()
        self._connection = connection
        self._protocol: asyncio.Protocol = asyncio.Protocol()
        self._out: list[bytes] = []
        self._size = 0
        self._high, self._low = 64 * 1024, 16 * 1024
        self._paused = False
        self._closing = False
        self._news = asyncio.Event()
        self.readable = asyncio.Event()
        self.readable.set()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Of the socket below."""
        return self._connection.transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Whom to tell from now on."""
        assert isinstance(protocol, asyncio.Protocol)  # noqa: S101 - asyncio's signature is wide
        self._protocol = protocol

    def get_protocol(self) -> asyncio.Protocol:
        """Who is told now."""
        return self._protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send later, in order."""
        if self._closing:
            return
        self._out.append(bytes(data))
        self._size += len(data)
        self._news.set()
        if self._size > self._high and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        """Bytes that wait here and in the socket below."""
        return self._size + self._connection.transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When the protocol is asked to pause, and to go on."""
        self._high = high if high is not None else 64 * 1024
        self._low = low if low is not None else self._high // 4

    def is_closing(self) -> bool:
        """Whether the end has begun."""
        return self._closing

    def pause_reading(self) -> None:
        """Read no more messages; the peer feels it soon."""
        self.readable.clear()

    def resume_reading(self) -> None:
        """Go on reading."""
        self.readable.set()

    def close(self) -> None:
        """Send what waits, then say goodbye."""
        self._closing = True
        self._news.set()
        self.readable.set()

    def abort(self) -> None:
        """Cut the connection."""
        self.close()
        self._out.clear()
        self._connection.transport.abort()

    async def send_all(self) -> None:
        """Send until closed. One message for all that has gathered."""
        try:
            while not self._closing or self._out:
                await self._news.wait()
                self._news.clear()
                while self._out:
                    data, self._out = b"".join(self._out), []
                    await self._connection.send(data)
                    self._size -= len(data)
                    if self._paused and self._size <= self._low:
                        self._paused = False
                        self._protocol.resume_writing()
            await self._connection.close()
        except ConnectionClosed:
            return


async def serve(gate: Gate, sock: socket.socket) -> Server:
    """Accept MQTT over WebSocket on `sock`."""

    class Opening(ServerConnection):
        """A socket that is counted with those that wait until its HTTP handshake is over."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            gate.pending.add(self)

        def crowded_out(self) -> None:
            """See `Waiting`."""
            gate.count("", Reason.CROWDED)
            self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            gate.pending.discard(self)
            super().connection_lost(exc)

    return await serve_websockets(
        _handler(gate),
        sock=sock,
        subprotocols=[Subprotocol("mqtt")],
        compression=None,
        process_request=_only_our_path,
        server_header=None,
        open_timeout=gate.settings.connect_timeout.total_seconds(),
        ping_interval=None,  # MQTT has a keep-alive of its own
        close_timeout=_GOODBYE,
        max_size=_FRAME,
        max_queue=1,
        logger=_log,
        create_connection=Opening,
    )


def _only_our_path(connection: ServerConnection, request: Request) -> Response | None:
    if request.path.partition("?")[0] == PATH:
        return None
    return connection.respond(HTTPStatus.NOT_FOUND, f"MQTT is at {PATH}\n")


def _handler(gate: Gate) -> Callable[[ServerConnection], Any]:
    async def handle(connection: ServerConnection) -> None:
        gate.pending.discard(cast(Waiting, connection))
        transport = WebSocketTransport(connection)
        protocol = gate.connection()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(transport.send_all())
                await _read(connection, transport)
                transport.close()
        finally:
            transport.close()
            transport.get_protocol().connection_lost(None)

    return handle


async def _read(connection: ServerConnection, transport: WebSocketTransport) -> None:
    try:
        while not transport.is_closing():
            await transport.readable.wait()
            data = await connection.recv()
            if isinstance(data, str):
                return  # [MQTT-6.0.0-1]: MQTT travels in binary messages
            transport.get_protocol().data_received(data)
    except ConnectionClosed:
        return
