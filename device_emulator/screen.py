"""The HTTP face of a fleet, on loopback: look at a station, and lay hands on it.

`GET /stations`, `GET /stations/{mac}/state`, `POST /stations/{mac}/{control}` with the
control's arguments as a JSON object; `GET /controls` tells which there are.
"""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from device_emulator import controls
from device_emulator.fleet import Fleet
from foundation.errors import DomainError, Kind

log = structlog.get_logger()

_STATUS: Final = {Kind.NOT_FOUND: 404, Kind.INVALID: 422}
_BODY: Final = 16 * 1024


class PortTaken(DomainError):
    """The control port cannot be listened on."""

    kind, code, title = Kind.UNAVAILABLE, "control-port", "The control port is not free"
    title_zh = "控制端口不可用"


def create_app(fleet: Fleet) -> Starlette:
    """The face of `fleet`."""

    async def stations(_: Request) -> JSONResponse:
        short = ("mac", "state", "online", "registered", "name", "user_code", "number")
        told = [station.state() for station in fleet.stations.values()]
        return JSONResponse([{name: state[name] for name in short} for state in told])

    async def state(request: Request) -> JSONResponse:
        return JSONResponse(fleet.find(request.path_params["mac"]).state())

    async def control(request: Request) -> JSONResponse:
        station = fleet.find(request.path_params["mac"])
        controls.parse(request.path_params["control"], await _arguments(request))(station)
        return JSONResponse(station.state())

    async def known(_: Request) -> JSONResponse:
        shapes = {name: it.shape.model_json_schema() for name, it in controls.CONTROLS.items()}
        return JSONResponse(shapes)

    routes = [
        Route("/stations", stations),
        Route("/controls", known),
        Route("/stations/{mac}/state", state),
        Route("/stations/{mac}/{control}", control, methods=["POST"]),
    ]
    # A name that leads here is not enough: a page of a stranger may have one.
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return Starlette(routes=routes, middleware=[hosts], exception_handlers={DomainError: _problem})


class Screen:
    """Serves the face of a fleet on this machine only."""

    name: Final = "emulator-screen"

    def __init__(self, fleet: Fleet, port: int) -> None:
        """Listen on `port`; 0: any free one, known as `port` after `start`."""
        self.port = port
        self._socket: socket.socket | None = None
        self._server = _Server(
            uvicorn.Config(
                create_app(fleet),
                host="127.0.0.1",
                port=port,
                log_config=None,
                access_log=False,
                lifespan="off",
            )
        )

    async def start(self) -> None:
        """Listen.

        Raises:
            PortTaken: somebody else does.
        """
        try:
            self._socket = listener = _listen(self.port)
        except OSError as error:
            raise PortTaken(f"port {self.port}: {error.strerror}") from None
        self.port = listener.getsockname()[1]
        log.info("screen.started", address=f"http://127.0.0.1:{self.port}/stations")

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`."""
        sockets = [self._socket] if self._socket is not None else None
        serving = asyncio.ensure_future(self._server.serve(sockets=sockets))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._server.should_exit = True
            await serving
        finally:
            stopping.cancel()

    async def close(self) -> None:
        """Give the port back."""
        if self._socket is not None:
            self._socket.close()


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _arguments(request: Request) -> dict[str, Any]:
    """The body: a JSON object, or nothing.

    Raises:
        BadControl: too long, not JSON, not an object, or not said to be JSON: a page in
            somebody's browser can send the rest here without being asked.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY:
            raise controls.BadControl("the body is too long")
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise controls.BadControl("send application/json")
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        raise controls.BadControl("the body is not JSON") from None
    if not isinstance(found, dict):
        raise controls.BadControl("the body is not a JSON object")
    return found


async def _problem(request: Request, error: Exception) -> JSONResponse:
    """RFC 9457, as everywhere."""
    if not isinstance(error, DomainError):
        raise error
    status = _STATUS.get(error.kind, 503)
    return JSONResponse(
        {
            "type": f"/problems/{error.code}",
            "title": error.title,
            "status": status,
            "detail": str(error),
            "instance": request.url.path,
            **error.facts,
        },
        status_code=status,
        media_type="application/problem+json",
    )


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener
