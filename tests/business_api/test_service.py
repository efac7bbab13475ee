"""The API on real sockets: plain and TLS, started, stopped and refused."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.responses import StreamingResponse

from business_api import patience, service
from business_api.service import HttpService, PortTaken
from foundation.runner import Context
from foundation.security import Keyring
from foundation.settings import Database, Http, Settings

CUT = (ConnectionResetError, asyncio.IncompleteReadError)


@pytest.fixture(autouse=True)
def _rows(rows: object) -> None:
    """Housekeeping looks into the database."""


@pytest.fixture
def context(database: Database, tmp_path: Path) -> Context:
    http = Http(port=0, tls_port=0)
    settings = Settings(database=database, data_dir=tmp_path, http=http)
    return Context(settings, Keyring(bytes(32)))


@asynccontextmanager
async def running(api: HttpService) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    await api.start()
    task = asyncio.create_task(api.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 15)
        await api.close()


async def test_plain_and_tls(context: Context) -> None:
    api = HttpService(context)
    async with running(api):
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{api.port}/healthz")
            assert answer.json() == {"status": "alive"}
            assert "server" not in answer.headers
        trust = ssl.create_default_context(cafile=context.settings.data_dir / "tls" / "ca.pem")
        async with httpx.AsyncClient(verify=trust) as client:
            answer = await client.get(f"https://localhost:{api.tls_port}/healthz")
            assert answer.json() == {"status": "alive"}
            assert "strict-transport-security" in answer.headers
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", api.port), 1)


async def test_without_tls(context: Context) -> None:
    http = Http(port=0, tls_port=None)
    context.settings = context.settings.model_copy(update={"http": http})
    api = HttpService(context)
    async with running(api):
        assert api.tls_port is None
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{api.port}/healthz")).is_success


@pytest.mark.parametrize("which", ["port", "tls_port"])
async def test_a_taken_port_is_one_clear_line(context: Context, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        http = context.settings.http.model_copy(update={which: port})
        context.settings = context.settings.model_copy(update={"http": http})
        api = HttpService(context)
        with pytest.raises(PortTaken) as refused:
            await api.start()
        await api.close()
    setting = f"LINLI_HTTP__{which.upper()}={port}"
    assert str(refused.value) == f"{setting} on 127.0.0.1: another program uses it"


async def test_an_address_that_is_not_ours(context: Context) -> None:
    http = context.settings.http.model_copy(update={"host": "192.0.2.1"})
    context.settings = context.settings.model_copy(update={"http": http})
    with pytest.raises(PortTaken, match=r"192\.0\.2\.1"):
        await HttpService(context).start()


async def test_closed_without_having_run(context: Context) -> None:
    api = HttpService(context)
    await api.start()
    await api.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", api.port), 1)


async def test_what_is_in_flight_finishes_and_streams_end(context: Context) -> None:
    api = HttpService(context)
    entered, go_on = asyncio.Event(), asyncio.Event()

    @api.app.get("/slow")
    async def slow() -> str:
        entered.set()
        await go_on.wait()
        return "done"

    async def events() -> AsyncIterator[bytes]:
        yield b": here\n\n"
        await api.app.state.stop.wait()
        yield b": bye\n\n"

    @api.app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(events(), media_type="text/event-stream")

    async with running(api) as stop, httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{api.port}"
        answering = asyncio.create_task(client.get(f"{url}/slow"))
        reading = asyncio.create_task(client.get(f"{url}/stream"))
        await entered.wait()
        stop.set()
        streamed = await asyncio.wait_for(reading, 5)
        assert streamed.text == ": here\n\n: bye\n\n"
        assert not answering.done()
        go_on.set()
        assert (await asyncio.wait_for(answering, 5)).json() == "done"


async def test_signals_stay_with_the_runner(context: Context) -> None:
    import signal

    before = signal.getsignal(signal.SIGTERM)
    async with running(HttpService(context)):
        assert signal.getsignal(signal.SIGTERM) is before


async def test_who_does_not_finish_its_headers_is_cut_off(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.2)
    api = HttpService(context)
    async with running(api):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        ok = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(ok)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        await reader.readexactly(len(b'{"status":"alive"}'))
        writer.write(b"GET /healthz HTTP/1.1\r\nHos")
        with pytest.raises(CUT):
            await asyncio.wait_for(reader.readexactly(1), 5)
        silent, _ = await asyncio.open_connection("127.0.0.1", api.port)
        with pytest.raises(CUT):
            await asyncio.wait_for(silent.readexactly(1), 5)


async def test_a_slow_answer_is_not_a_slow_question(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.05)
    api = HttpService(context)
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, passed.set)

    @api.app.get("/slow")
    async def slow() -> str:
        await passed.wait()
        return "done"

    async with running(api), httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{api.port}/slow")).json() == "done"


async def test_an_account_does_not_leak_into_the_next_request_of_a_connection(
    context: Context,
) -> None:
    import structlog

    api = HttpService(context)
    seen: list[dict[str, object]] = []

    @api.app.get("/who")
    async def who() -> None:
        seen.append(structlog.contextvars.get_contextvars())
        structlog.contextvars.bind_contextvars(account="me")

    async with running(api), httpx.AsyncClient() as client:
        for _ in range(2):
            await client.get(f"http://127.0.0.1:{api.port}/who")
    assert [set(variables) for variables in seen] == [{"request_id"}, {"request_id"}]


async def test_build_is_a_service(context: Context) -> None:
    assert service.build(context).name == "api"
