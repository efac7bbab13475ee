"""HTTP as a service of the runner: plain, and over TLS for stations and browsers."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI

from business_api import background, housekeeping
from business_api.app import create_app
from business_api.patience import PatientProtocol
from foundation.certificates import server_context
from foundation.errors import DomainError, Kind
from foundation.runner import Context, Service

log = structlog.get_logger()

_BACKLOG: Final = 1024
_CONNECTIONS: Final = 10_000
"""Open at once; beyond that callers get 503, so that memory is bounded."""
_KEEP_ALIVE_SECONDS: Final = 30
_GRACE_SECONDS: Final = 8
"""For requests in flight at the end; an opening is settled after 7."""


class PortTaken(DomainError):
    """A listener cannot be opened at the configured address."""

    kind, code, title = Kind.UNAVAILABLE, "port-taken", "The port cannot be listened on"
    title_zh = "端口无法监听"


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the runner owns signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpService:
    """Serves the API until asked to stop, then lets requests in flight finish."""

    name = "api"

    def __init__(self, context: Context) -> None:
        self._context = context
        self.app: FastAPI = create_app(context)
        self._sockets: list[socket.socket] = []
        self._servers: list[_Server] = []
        self.port = 0
        self.tls_port: int | None = None

    async def start(self) -> None:
        """Bind the sockets; who connects from now on waits for `run`.

        Raises:
            PortTaken: naming the port and the setting.
            BadCertificate: the certificate of the TLS listener cannot be used.
        """
        http = self._context.settings.http
        plain = self._bind(http.host, http.port, "LINLI_HTTP__PORT")
        self.port = plain.getsockname()[1]
        self._servers = [self._server(None)]
        if http.tls_port is not None:
            tls = await asyncio.to_thread(server_context, self._context.settings)
            secure = self._bind(http.host, http.tls_port, "LINLI_HTTP__TLS_PORT")
            self.tls_port = secure.getsockname()[1]
            self._servers.append(self._server(tls))
        log.info("api.listening", host=http.host, port=self.port, tls_port=self.tls_port)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve, and keep house, until `stop`; then end streams and finish what is in flight."""
        async with asyncio.TaskGroup() as group:
            for server, bound in zip(self._servers, self._sockets, strict=True):
                group.create_task(server.serve(sockets=[bound]))
            group.create_task(housekeeping.run(self._context, stop))
            group.create_task(background.run(self._context, stop))
            await stop.wait()
            self.app.state.stop.set()
            for server in self._servers:
                server.should_exit = True

    async def close(self) -> None:
        """Close the sockets, whether they were served or not."""
        for bound in self._sockets:
            bound.close()
        self._sockets.clear()

    def _bind(self, host: str, port: int, setting: str) -> socket.socket:
        """A listening socket. `port` 0 means any that is free."""
        try:
            family, kind, number, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            bound = socket.socket(family, kind, number)
        except OSError as error:
            raise PortTaken(f"{setting}: {host}: {error.strerror}", port=port) from None
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(_BACKLOG)
        except OSError as error:
            bound.close()
            taken = error.errno == errno.EADDRINUSE
            why = "another program uses it" if taken else error.strerror
            raise PortTaken(f"{setting}={port} on {host}: {why}", port=port) from None
        bound.setblocking(False)
        self._sockets.append(bound)
        return bound

    def _server(self, tls: ssl.SSLContext | None) -> _Server:
        return _Server(
            uvicorn.Config(
                self.app,
                http=PatientProtocol,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                limit_concurrency=_CONNECTIONS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                # Without it a connection may carry one request's variables (the account in
                # the log, an open transaction) into the next: python/cpython#140947.
                reset_contextvars=True,
                ssl_context_factory=(lambda *_: tls) if tls else None,
            )
        )


def build(context: Context) -> Service:
    """The API over the ports that earlier services have left in `context`."""
    return HttpService(context)
