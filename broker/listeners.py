"""The listening sockets: TCP, TLS and WebSocket, all in front of the one gate."""

import asyncio
import socket
import ssl
from typing import Final

import structlog
from websockets.asyncio.server import Server as WebSocketServer

from broker import handshake, websocket
from broker.gate import Gate
from foundation.certificates import server_context
from foundation.errors import DomainError, Kind
from foundation.settings import Settings

log = structlog.get_logger()

BACKLOG: Final = 4096
"""Connections the kernel keeps until they are accepted: a whole fleet may come at once."""


class CannotListen(DomainError):
    """A listener's address is taken, or not ours to take."""

    kind, code, title = Kind.UNAVAILABLE, "cannot-listen", "A port cannot be listened on"
    title_zh = "端口无法监听"


class Listeners:
    """Bound by `bind`, so that a taken port is told at once; nobody is let in before `open`."""

    def __init__(self, settings: Settings, gate: Gate) -> None:
        self._settings = settings
        self._gate = gate
        self._tls: ssl.SSLContext | None = None
        self._sockets: dict[str, socket.socket] = {}
        self._ports: dict[str, int] = {}
        self._accepting: asyncio.Task[None] | None = None
        self._servers: list[asyncio.Server | WebSocketServer] = []

    def bind(self) -> None:
        """Take the ports; the kernel keeps who calls until `open`.

        Raises:
            CannotListen: one cannot be had.
            BadCertificate: the TLS listener has none that fits.
        """
        broker = self._settings.broker
        if broker.tls_port is not None:
            self._tls = server_context(self._settings)
        wanted = {"port": broker.port, "tls_port": broker.tls_port, "ws_port": broker.ws_port}
        for name, port in wanted.items():
            if port is not None:
                sock = _bound(broker.host, port, f"LINLI_BROKER__{name.upper()}")
                self._sockets[name] = sock
                self._ports[name] = int(sock.getsockname()[1])
        log.info("broker.bound", host=broker.host, **{name: self.port(name) for name in wanted})

    def port(self, name: str) -> int:
        """The port of listener `port`, `tls_port` or `ws_port`; 0 when there is none."""
        return self._ports.get(name, 0)

    async def open(self) -> None:
        """Let clients in, as soon as the gate runs."""
        loop, gate = asyncio.get_running_loop(), self._gate
        await gate.running.wait()
        for name, sock in self._sockets.items():
            if name == "ws_port":
                self._servers.append(await websocket.serve(gate, sock))
            elif self._tls is not None and name == "tls_port":
                self._accepting = gate.spawn(handshake.accept(gate, sock, self._tls))
            else:
                made = gate.connection
                self._servers.append(await loop.create_server(made, sock=sock, backlog=BACKLOG))

    @property
    def listening(self) -> bool:
        """Whether every listener accepts."""
        tls = self._accepting is not None and not self._accepting.done()
        serving = [server.is_serving() for server in self._servers]
        return all(serving) and len(serving) + tls == len(self._sockets)

    def close(self) -> None:
        """Accept nobody any more; those who were let in stay."""
        if self._accepting is not None:
            self._accepting.cancel()
        for server in self._servers:
            if isinstance(server, WebSocketServer):
                server.close(close_connections=False)
            else:
                server.close()
        for name, sock in self._sockets.items():
            if name == "tls_port" or not self._servers:  # the servers close their own
                sock.close()

    async def closed(self) -> None:
        """Wait until the tasks of the WebSocket listener are over. After `close`."""
        for server in self._servers:
            if isinstance(server, WebSocketServer):
                await server.wait_closed()
        self._servers.clear()


def _bound(host: str, port: int, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on what is accepted.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise CannotListen(
            f"{host}:{port} cannot be listened on ({error.strerror}): "
            f"free it, or choose another with {setting}"
        ) from None
    return sock
