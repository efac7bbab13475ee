"""The same gate behind TCP, TLS and WebSocket, on both event loops."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import gmqtt
import paho.mqtt.client as paho
import pytest
import uvloop
from gmqtt.mqtt.constants import MQTTv311
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as ws_connect
from websockets.exceptions import InvalidStatus

from broker.listeners import CannotListen
from foundation.wire import topics
from tests.attacks.raw import connect, publish, subscribe
from tests.broker import lab as labs
from tests.broker.conftest import MakeLab
from tests.broker.lab import MAC, OTHER, Lab
from tests.support.until import until


def trusting(lab: Lab) -> ssl.SSLContext:
    """A client that believes the lab's own authority."""
    return ssl.create_default_context(cafile=lab.settings.data_dir / "tls" / "ca.pem")


async def over_tls(lab: Lab) -> None:
    wire = await lab.dial_tls(trusting(lab))
    given = connect(MAC, lab.rows[MAC].comm_code, lab.password())
    await wire.send(given, subscribe(topics.filters(MAC)))
    assert await wire.answer(2) == b"\0\0"
    assert await wire.answer(9) is not None
    await lab.link.send(MAC, topics.down(MAC, "acl"), b"x" * 60_000, qos=1)
    await until(lambda: [m.payload for m in wire.heard] == [b"x" * 60_000])
    await wire.send(publish(topics.up(MAC, "evt"), b"y" * 60_000, qos=1))
    assert await wire.answer(4) == b"\0\1"
    assert lab.payloads("evt") == [b"y" * 60_000]
    await wire.close()
    await until(lambda: lab.reasons() == ["up", "reset"])
    refused = await lab.dial_tls(trusting(lab))
    assert await refused.login(MAC, "C", "wrong") == 5
    await until(lambda: refused.closed)


async def over_websocket(lab: Lab) -> None:
    url = f"ws://127.0.0.1:{lab.listeners.port('ws_port')}/mqtt"
    async with ws_connect(url, subprotocols=["mqtt"], max_size=None) as ws:  # type: ignore[list-item]
        assert ws.subprotocol == "mqtt"
        said = connect(MAC, lab.rows[MAC].comm_code, lab.password())
        said += subscribe(topics.filters(MAC)) + publish(topics.up(MAC, "evt"), b"y", qos=1)
        for at in range(0, len(said), 7):  # packets need not fit messages
            await ws.send(said[at : at + 7])
        expected = b"\x20\x02\0\0" + b"\x90\x04\0\1\1\0" + b"\x40\x02\0\1"
        assert await some(ws, len(expected)) == expected
        await lab.link.send(MAC, topics.command(MAC), b"open", qos=0)
        assert (await some(ws, 10)).endswith(b"open")
        assert [change.address for change in lab.changes] == ["127.0.0.1"]
    await until(lambda: lab.reasons() == ["up", "reset"])


async def some(ws: ClientConnection, size: int) -> bytes:
    """At least `size` bytes."""
    got = b""
    while len(got) < size:
        data = await ws.recv()
        assert isinstance(data, bytes)
        got += data
    return got


LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize("story", [over_tls, over_websocket])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_station_on_every_listener_and_loop(
    story: Callable[[Lab], Awaitable[None]],
    loop: Callable[[], asyncio.AbstractEventLoop],
    tmp_path: Path,
) -> None:
    async def told() -> None:
        async with labs.running(labs.settings(tmp_path, tls_port=0, ws_port=0)) as lab:
            await story(lab)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(told())


async def test_websocket_needs_its_path_and_protocol(make_lab: MakeLab) -> None:
    async with make_lab(ws_port=0) as lab:
        url = f"ws://127.0.0.1:{lab.listeners.port('ws_port')}"
        with pytest.raises(InvalidStatus, match="404"):
            await ws_connect(f"{url}/other", subprotocols=["mqtt"])  # type: ignore[list-item]
        with pytest.raises(InvalidStatus, match="400"):
            await ws_connect(f"{url}/mqtt")


async def test_text_over_websocket_is_no_mqtt(make_lab: MakeLab) -> None:
    async with make_lab(ws_port=0) as lab:
        url = f"ws://127.0.0.1:{lab.listeners.port('ws_port')}/mqtt"
        async with ws_connect(url, subprotocols=["mqtt"]) as ws:  # type: ignore[list-item]
            await ws.send("hello")
            await ws.wait_closed()
        await until(lambda: not lab.gate.pending)


async def test_who_does_not_read_a_websocket_is_slow(make_lab: MakeLab) -> None:
    async with make_lab(ws_port=0) as lab:
        url = f"ws://127.0.0.1:{lab.listeners.port('ws_port')}/mqtt"
        async with ws_connect(url, subprotocols=["mqtt"], max_queue=1, close_timeout=0.1) as ws:  # type: ignore[list-item]
            await ws.send(connect(MAC, lab.rows[MAC].comm_code, lab.password()))
            await ws.send(subscribe(topics.filters(MAC)))
            await until(lambda: lab.lane.session(MAC) is not None)

            async def flooded() -> bool:
                await lab.link.send(MAC, topics.command(MAC), b"x" * 50_000, qos=0)
                return "slow" in lab.reasons()

            await until(flooded)


async def test_a_kick_closes_a_websocket(make_lab: MakeLab) -> None:
    async with make_lab(ws_port=0) as lab:
        url = f"ws://127.0.0.1:{lab.listeners.port('ws_port')}/mqtt"
        async with ws_connect(url, subprotocols=["mqtt"]) as ws:  # type: ignore[list-item]
            await ws.send(connect(MAC, lab.rows[MAC].comm_code, lab.password()))
            assert await some(ws, 4) == b"\x20\x02\0\0"
            assert await lab.link.kick(MAC, "suspended")
            await ws.wait_closed()
        await until(lambda: lab.reasons() == ["up", "kicked"])


async def test_silent_tls_handshakes_are_ended(make_lab: MakeLab) -> None:
    async with make_lab(tls_port=0, connect_timeout=timedelta(milliseconds=200)) as lab:
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.listeners.port("tls_port"))
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("listener", ["port", "tls_port", "ws_port"])
async def test_silent_sockets_push_out_the_oldest_on_every_listener(
    make_lab: MakeLab, listener: str
) -> None:
    async with make_lab(tls_port=0, ws_port=0, pending_connects=10) as lab:
        mute = [
            await asyncio.open_connection("127.0.0.1", lab.listeners.port(listener))
            for _ in range(30)
        ]
        for reader, _ in mute[:20]:
            with suppress(ConnectionError):
                assert await reader.read() == b""
        assert len(lab.gate.pending) == 10
        tls = await lab.dial_tls(trusting(lab))
        assert await tls.login(MAC, lab.rows[MAC].comm_code, lab.password()) == 0
        await lab.online(OTHER)
        for _, writer in mute:
            writer.transport.abort()
        await until(lambda: not lab.gate.pending)


async def test_a_taken_port_is_told_in_one_line(make_lab: MakeLab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{port}.*LINLI_BROKER__WS_PORT"):
            async with make_lab(ws_port=port):
                pass


async def test_a_host_that_is_not_ours_is_told(make_lab: MakeLab) -> None:
    with pytest.raises(CannotListen, match="LINLI_BROKER__PORT"):
        async with make_lab(host="192.0.2.1"):
            pass


async def test_sockets_do_not_wait_to_fill_packets(lab: Lab) -> None:
    await lab.online()
    session = lab.lane.session(MAC)
    assert session is not None
    sock = session._transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_paho_as_a_station(lab: Lab) -> None:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, MAC, protocol=paho.MQTTv311)
    client.username_pw_set(lab.rows[MAC].comm_code, lab.password())
    client.will_set(topics.will(MAC), b"gone", qos=1)
    heard: list[bytes] = []
    client.on_message = lambda _, __, message: heard.append(message.payload)
    client.on_connect = lambda c, *_: c.subscribe([(name, q) for name, q in topics.filters(MAC)])
    client.connect_async("127.0.0.1", lab.listeners.port("port"), keepalive=30)
    client.loop_start()
    try:
        await until(lambda: lab.lane.session(MAC) is not None)

        async def taken() -> bool:
            sent = await lab.link.send(MAC, topics.down(MAC, "acl"), b"list", qos=1)
            return sent == "sent"

        await until(taken)
        await until(lambda: heard == [b"list"])
        info = client.publish(topics.up(MAC, "evt"), b"event", qos=1)
        await asyncio.to_thread(info.wait_for_publish, 5)
        assert lab.payloads("evt") == [b"event"]
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
    await until(lambda: lab.reasons() == ["up", "closed"])


async def test_gmqtt_as_a_station(lab: Lab) -> None:
    heard: list[bytes] = []
    subscribed = asyncio.Event()
    client = gmqtt.Client(OTHER, clean_session=True)
    client.set_auth_credentials(lab.rows[OTHER].comm_code, lab.password(OTHER))
    client.on_connect = lambda c, *_: [c.subscribe(f, qos=q) for f, q in topics.filters(OTHER)]
    client.on_subscribe = lambda *_: subscribed.set()

    async def on_message(_: object, topic: str, payload: bytes, *__: object) -> int:
        heard.append(payload)
        return 0

    client.on_message = on_message
    await client.connect("127.0.0.1", lab.listeners.port("port"), keepalive=30, version=MQTTv311)
    await asyncio.wait_for(subscribed.wait(), 5)
    await until(lambda: lab.lane.session(OTHER) is not None)

    async def taken() -> bool:
        return await lab.link.send(OTHER, topics.down(OTHER, "acl"), b"list", qos=1) == "sent"

    await until(taken)
    await until(lambda: heard == [b"list"])
    client.publish(topics.up(OTHER, "evt"), b"event", qos=1)
    await until(lambda: lab.payloads("evt") == [b"event"])
    await client.disconnect()
    await until(lambda: lab.reasons(OTHER) == ["up", "closed"])
