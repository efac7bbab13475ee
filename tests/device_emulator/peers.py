"""Programs and servers that the emulator talks to in tests."""

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from foundation.wire.enroll import EnrollRequest
from tests.device_emulator.toy import Toy
from tests.support.postgres import free_port

MOSQUITTO = "/usr/sbin/mosquitto"


@contextmanager
def mosquitto(directory: Path, *lines: str) -> Iterator[int]:
    """A plain broker that lets everybody in; yields its port."""
    port = free_port()
    config = directory / "mosquitto.conf"
    config.write_text(
        # `user root`: it keeps the user it has, which is the one that can read our files.
        f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n" + "\n".join(lines)
    )
    with subprocess.Popen(
        [MOSQUITTO, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _listening(port)
            yield port
        finally:
            process.terminate()


def _listening(port: int, within: float = 10.0) -> None:
    until = time.monotonic() + within
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < until, f"nobody listens on {port}"


class DeviceApi:
    """The device API of a `Toy` over real HTTP; `fails` makes it answer with that status."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.fails: int | None = None
        self.headers: dict[str, str] = {}
        self.calls = 0

    async def enroll(self, request: Request) -> Response:
        self.calls += 1
        if self.fails:
            return Response("{}", self.fails, self.headers)
        try:
            body = EnrollRequest.model_validate_json(await request.body())
        except ValidationError:
            return Response("{}", 422)
        return JSONResponse(self.toy.enrol(body).model_dump(mode="json", exclude_none=True))

    async def time(self, request: Request) -> Response:
        if self.fails:
            return Response("{}", self.fails, self.headers)
        answer = self.toy.time(request.query_params["nonce"])
        return JSONResponse(answer.model_dump(mode="json"))


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(
    api: DeviceApi, *, certificate: Path | None = None, key: Path | None = None
) -> AsyncIterator[str]:
    """Serve `api`; yields its address."""
    app = Starlette(
        routes=[
            Route("/device/v1/enroll", api.enroll, methods=["POST"]),
            Route("/device/v1/time", api.time),
        ]
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = _Quiet(
            uvicorn.Config(
                app,
                log_config=None,
                lifespan="off",
                ssl_certfile=certificate,
                ssl_keyfile=key,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await serving
