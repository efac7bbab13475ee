"""A station's session: messages in and out, and the bounds on both."""

import asyncio
from datetime import timedelta

import pytest

from broker import codec
from device_registry.link import Delivery
from foundation.wire import topics
from tests.attacks.raw import BYE, PING, PUBACK, Will, connect, packet, publish, subscribe
from tests.broker.conftest import MakeLab
from tests.broker.lab import MAC, OTHER, Lab
from tests.support.until import until


async def test_a_station_comes_and_goes(lab: Lab) -> None:
    wire = await lab.online()
    session = lab.lane.session(MAC)
    assert session is not None
    await until(lambda: lab.reasons() == ["up"])
    await wire.send(BYE)
    await until(lambda: lab.reasons() == ["up", "closed"])
    assert lab.lane.session(MAC) is None
    assert {change.epoch for change in lab.changes} == {session.epoch}
    assert {change.address for change in lab.changes} == {"127.0.0.1"}


async def test_qos1_is_acknowledged_only_when_the_handler_has_returned(lab: Lab) -> None:
    lab.gates["evt"] = asyncio.Event()
    wire = await lab.online()
    await wire.send(publish(topics.up(MAC, "evt"), b"a", qos=1, pid=7))
    assert await wire.alive()  # everything sent so far was read
    assert not any(kind == PUBACK for kind, _ in wire.packets)
    lab.gates["evt"].set()
    assert await wire.answer(PUBACK) == b"\x00\x07"
    assert lab.payloads("evt") == [b"a"]


async def test_messages_are_handed_on_in_order_and_in_batches(make_lab: MakeLab) -> None:
    async with make_lab(ingest_batch=10, inflight=100) as lab:
        lab.gates["evt"] = asyncio.Event()
        wire = await lab.online()
        sent = [f"{n}".encode() for n in range(45)]
        topic = topics.up(MAC, "evt")
        await wire.send(*(publish(topic, body, qos=1, pid=n + 1) for n, body in enumerate(sent)))
        assert await wire.alive()
        lab.gates["evt"].set()
        await until(lambda: len(lab.heard["evt"]) == 45)
        assert lab.payloads("evt") == sent
        assert max(lab.batches["evt"]) == 10
        acked = [await wire.answer(PUBACK) for _ in sent]
        assert acked == [(n + 1).to_bytes(2, "big") for n in range(45)]


async def test_the_beginning_of_a_session_is_told_before_its_messages(lab: Lab) -> None:
    lab.gates["changes"] = asyncio.Event()
    wire = await lab.online()
    await wire.send(publish(topics.up(MAC, "hello"), b"hi", qos=1))
    assert await wire.alive()
    assert not lab.order
    lab.gates["changes"].set()
    await until(lambda: len(lab.order) == 2)
    assert [what for what, _ in lab.order] == ["up", "hello"]


async def test_a_hello_is_handled_before_what_follows_it(lab: Lab) -> None:
    lab.gates["hello"] = asyncio.Event()
    wire = await lab.online()
    await wire.send(*(publish(topics.up(MAC, name), b"x", qos=1) for name in ("hello", "evt")))
    assert await wire.alive()
    assert not lab.heard["evt"]
    lab.gates["hello"].set()
    await until(lambda: len(lab.order) == 3)
    assert [what for what, _ in lab.order] == ["up", "hello", "evt"]


async def test_heartbeats_are_coalesced_by_station(lab: Lab) -> None:
    lab.gates["hb"] = asyncio.Event()
    one, two = await lab.online(MAC), await lab.online(OTHER)
    for n in range(20):
        await one.send(publish(topics.up(MAC, "hb"), f"{n}".encode()))
    await two.send(publish(topics.up(OTHER, "hb"), b"other"))
    assert await one.alive()
    assert await two.alive()
    assert len(lab.inbox.queues["hb"]) <= 2
    lab.gates["hb"].set()
    await until(lambda: b"19" in lab.payloads("hb") and b"other" in lab.payloads("hb"))
    assert len(lab.heard["hb"]) <= 4


async def test_a_heartbeat_at_qos_1_is_acknowledged_like_any_other(lab: Lab) -> None:
    wire = await lab.online()
    await wire.send(publish(topics.up(MAC, "hb"), b"1", qos=1, pid=3))
    assert await wire.answer(PUBACK) == b"\x00\x03"
    assert lab.payloads("hb") == [b"1"]


async def test_a_name_that_nobody_hears_is_acknowledged_and_dropped(lab: Lab) -> None:
    wire = await lab.online()
    await wire.send(publish(topics.up(MAC, "unknown"), b"1", qos=1, pid=3))
    assert await wire.answer(PUBACK) == b"\x00\x03"


@pytest.mark.parametrize(
    "bad",
    [
        publish(topics.up(OTHER, "evt"), b"x"),
        publish(topics.command(MAC), b"x"),
        publish(topics.down(MAC, "acl"), b"x"),
        publish(f"v1/{MAC}/up/c/evt", b"x"),
        publish(f"v1/{MAC}/up/s/", b"x"),
        publish(f"v1/{MAC}/up/s/a/b", b"x"),
        publish(f"v1/{MAC}/up/s/A", b"x"),
        publish(f"v1/{MAC}/up/s/+", b"x"),
        publish(f"v1/{MAC}/up/s/#", b"x"),
        publish("link/x", b"x"),
        publish("$SYS/x", b"x"),
        publish(topics.up(MAC, "evt"), b"x", retain=True),
        publish(topics.up(MAC, "evt"), b"x", qos=2),
        publish(topics.up(MAC, "evt"), b"x", qos=1, pid=0),
        packet(0x36, b"\x00\x01a\x00\x01"),
        packet(0x38, b"\x00\x01a"),
        packet(0x50, b"\x00\x01"),
        packet(0x62, b"\x00\x01"),
        packet(0x10, b""),
        packet(0x20, b"\x00\x00"),
        packet(0xF0, b""),
        packet(0x80, b"\x00\x01\x00\x01a\x00"),
        subscribe([]),
        packet(0xC1, b""),
        packet(0xC0, b"x"),
        packet(0xE0, b"x"),
        b"\x30\xff\xff\xff\xff\x7f",
    ],
)
async def test_what_no_station_does_ends_its_session(lab: Lab, bad: bytes) -> None:
    wire = await lab.online()
    await wire.send(bad)
    await until(lambda: wire.closed)
    await until(lambda: lab.reasons() == ["up", "protocol"])
    assert not any(lab.heard.values())


async def test_a_packet_longer_than_allowed_ends_the_session_before_it_has_come(
    make_lab: MakeLab,
) -> None:
    async with make_lab(packet_bytes=2048) as lab:
        wire = await lab.online()
        await wire.send(publish(topics.up(MAC, "evt"), b"x" * 1900, qos=1))
        assert await wire.answer(PUBACK)
        await wire.send(publish(topics.up(MAC, "evt"), b"x" * 2048)[:5])
        await until(lambda: wire.closed)
        assert len(lab.heard["evt"]) == 1


async def test_only_its_own_two_filters_are_granted(lab: Lab) -> None:
    wire, code = await lab.login()
    assert code == 0
    own, commands = (name for name, _ in topics.filters(MAC))
    foreign = [name for name, _ in topics.filters(OTHER)]
    asked = [own, commands, *foreign, "#", "v1/#", f"v1/{MAC}/#", f"v1/{MAC}/dn/s/acl", "$SYS/#"]
    assert await wire.join(*((name, 1) for name in asked)) == [1, 0, *[0x80] * 7]
    assert await wire.join((own, 2)) == [1]
    assert await wire.join((own, 0)) == [0]


async def test_messages_reach_a_station_at_the_qos_of_its_subscription(lab: Lab) -> None:
    wire = await lab.online()
    command, state = topics.command(MAC), topics.down(MAC, "evtack")
    assert await lab.link.send(MAC, command, b"open", qos=0) is Delivery.SENT
    assert await lab.link.send(MAC, command, b"open", qos=1) is Delivery.SENT
    assert await lab.link.send(MAC, state, b"ack", qos=1) is Delivery.SENT
    await until(lambda: len(wire.heard) == 3)
    assert [(m.topic, m.qos) for m in wire.heard] == [(command, 0), (command, 0), (state, 1)]
    assert not any(m.retain or m.dup for m in wire.heard)


async def test_what_is_not_subscribed_or_not_connected_is_offline(lab: Lab) -> None:
    send = lab.link.send
    assert await send(MAC, topics.command(MAC), b"x", qos=0) is Delivery.OFFLINE
    wire, _ = await lab.login()
    assert await send(MAC, topics.command(MAC), b"x", qos=0) is Delivery.OFFLINE
    assert await wire.join((topics.filters(MAC)[1][0], 0)) == [0]
    assert await send(MAC, topics.command(MAC), b"x", qos=0) is Delivery.SENT
    assert await send(MAC, topics.down(MAC, "acl"), b"x", qos=1) is Delivery.OFFLINE
    body = b"\x00\x09" + len(topics.filters(MAC)[1][0]).to_bytes(2, "big")
    await wire.send(packet(0xA2, body + topics.filters(MAC)[1][0].encode()))
    assert await wire.answer(11) == b"\x00\x09"
    assert await send(MAC, topics.command(MAC), b"x", qos=0) is Delivery.OFFLINE
    await until(lambda: len(wire.heard) == 1)


async def test_a_message_is_addressed_to_its_station_or_not_sent(lab: Lab) -> None:
    await lab.online()
    with pytest.raises(ValueError, match="not addressed"):
        await lab.link.send(MAC, topics.command(OTHER), b"x", qos=0)
    with pytest.raises(ValueError, match="not addressed"):
        await lab.link.send(MAC, topics.up(MAC, "evt"), b"x", qos=0)


async def test_no_more_than_the_window_is_out_and_the_rest_keeps_its_order(
    make_lab: MakeLab,
) -> None:
    async with make_lab(inflight=3) as lab:
        wire = await lab.online()
        wire.acknowledge = False
        for n in range(10):
            await lab.link.send(MAC, topics.down(MAC, "acl"), f"{n}".encode(), qos=1)
        await until(lambda: len(wire.heard) == 3)
        assert await wire.alive()
        assert len(wire.heard) == 3
        for n in range(10):
            await wire.send(packet(0x40, (n + 1).to_bytes(2, "big")))
        await until(lambda: len(wire.heard) == 10)
        assert [m.payload for m in wire.heard] == [f"{n}".encode() for n in range(10)]


async def test_who_never_acknowledges_is_closed_as_slow(make_lab: MakeLab) -> None:
    async with make_lab(inflight=3, out_queue=1000) as lab:
        wire = await lab.online()
        wire.acknowledge = False
        sent = [
            await lab.link.send(MAC, topics.down(MAC, "acl"), b"x" * 400, qos=1) for _ in range(8)
        ]
        assert sent.count(Delivery.SENT) == 5
        assert sent[-1] is Delivery.OFFLINE
        await until(lambda: lab.reasons()[-1:] == ["slow"])


async def test_who_does_not_read_is_closed_as_slow(lab: Lab) -> None:
    wire, other = await lab.dial(reading=False), await lab.online(OTHER)
    await wire.send(connect(MAC, lab.rows[MAC].comm_code, lab.password()))
    await wire.send(subscribe(topics.filters(MAC)))
    await until(lambda: lab.lane.session(MAC) is not None)

    async def flooded() -> bool:
        sent = await lab.link.send(MAC, topics.command(MAC), b"x" * 20_000, qos=0)
        return sent is Delivery.OFFLINE and "slow" in lab.reasons()

    await until(flooded)
    assert await other.alive()


async def test_beyond_the_inflight_bound_a_station_is_not_read(make_lab: MakeLab) -> None:
    async with make_lab(inflight=5) as lab:
        lab.gates["evt"] = asyncio.Event()
        wire = await lab.online()
        topic = topics.up(MAC, "evt")
        await wire.send(*(publish(topic, b"x", qos=1, pid=n + 1) for n in range(50)), PING)
        session = lab.lane.session(MAC)
        assert session is not None
        await until(lambda: session._inflight == 5)
        assert len(lab.inbox.queues["evt"]) <= 5
        assert not wire.packets
        lab.gates["evt"].set()
        await until(lambda: len(lab.heard["evt"]) == 50)
        assert max(lab.batches["evt"]) <= 5
        assert await wire.answer(13) is not None


async def test_the_message_rate_is_held_by_not_reading(make_lab: MakeLab) -> None:
    async with make_lab(message_rate=2) as lab:  # 20 in the window of 10 s
        wire = await lab.online()
        session = lab.lane.session(MAC)
        assert session is not None
        topic = topics.up(MAC, "evt")
        await wire.send(*(publish(topic, f"{n}".encode()) for n in range(50)))
        await until(lambda: len(lab.heard["evt"]) >= 19)
        assert len(lab.heard["evt"]) <= 21
        session.new_window()
        session.new_window()
        await until(lambda: len(lab.heard["evt"]) == 50)
        assert lab.payloads("evt") == [f"{n}".encode() for n in range(50)]


async def test_the_byte_rate_is_held_by_not_reading(make_lab: MakeLab) -> None:
    async with make_lab(byte_rate=1000) as lab:
        wire = await lab.online()
        topic = topics.up(MAC, "evt")
        for n in range(4):
            await wire.send(publish(topic, bytes([n]) * 6000))
        await until(lambda: len(lab.heard["evt"]) == 1)
        session = lab.lane.session(MAC)
        assert session is not None

        def eased() -> bool:
            session.new_window()
            return len(lab.heard["evt"]) == 4

        await until(eased)


async def test_a_full_queue_stops_reading_and_loses_nothing(make_lab: MakeLab) -> None:
    async with make_lab(ingest_queue=5000, ingest_batch=2) as lab:
        lab.gates["evt"] = asyncio.Event()
        wires = [await lab.online(MAC), await lab.online(OTHER)]
        for wire, mac in zip(wires, (MAC, OTHER), strict=True):
            topic = topics.up(mac, "evt")
            await wire.send(*(publish(topic, b"x" * 100, qos=1, pid=n + 1) for n in range(60)))
        queue = lab.inbox.queues["evt"]
        await until(lambda: len(queue) >= 8)
        assert len(queue) <= 5000 // 500 + 2
        lab.gates["evt"].set()
        await until(lambda: len(lab.heard["evt"]) == 120)
        for wire in wires:
            await until(lambda wire=wire: len(wire.packets) == 60)


async def test_silence_ends_a_session_after_one_and_a_half_keepalives(lab: Lab) -> None:
    loop = asyncio.get_running_loop()
    wire, code = await lab.login(keepalive=1)
    busy, _ = await lab.login(OTHER, keepalive=1)
    began = loop.time()
    while not wire.closed:
        await busy.send(PING)
        await asyncio.sleep(0.1)
    assert code == 0
    assert 1.5 <= loop.time() - began <= 1.5 + 2.5
    await until(lambda: lab.reasons() == ["up", "timeout"])
    assert lab.reasons(OTHER) == ["up"]


async def test_who_is_not_read_is_not_silent(make_lab: MakeLab) -> None:
    async with make_lab(inflight=1) as lab:
        lab.gates["evt"] = asyncio.Event()
        wire = await lab.online(keepalive=1)
        session = lab.lane.session(MAC)
        assert session is not None
        await wire.send(publish(topics.up(MAC, "evt"), b"x", qos=1), PING)
        await until(lambda: session._held)
        assert not session.overdue(lab.lane.time() + 1000)
        lab.gates["evt"].set()
        assert await wire.answer(13) is not None
        assert session.overdue(lab.lane.time() + 1500)


async def test_a_will_is_heard_when_a_station_is_lost(lab: Lab) -> None:
    wire = await lab.online(will=Will(topics.will(MAC), b'{"sess":"1"}', qos=1))
    wire.reset()
    await until(lambda: lab.reasons() == ["up", "will"])
    await until(lambda: lab.payloads("lwt") == [b'{"sess":"1"}'])
    assert lab.heard["lwt"][0].epoch == lab.changes[0].epoch


async def test_a_will_is_not_heard_after_a_goodbye(lab: Lab) -> None:
    wire = await lab.online(will=Will(topics.will(MAC), b"x"))
    await wire.send(BYE)
    await until(lambda: lab.reasons() == ["up", "closed"])
    wire = await lab.online()
    wire.reset()
    await until(lambda: lab.reasons() == ["up", "closed", "up", "reset"])
    assert not lab.heard["lwt"]


async def test_every_split_of_a_conversation_means_the_same(lab: Lab) -> None:
    said = (
        connect(MAC, lab.rows[MAC].comm_code, lab.password())
        + subscribe(topics.filters(MAC))
        + publish(topics.up(MAC, "evt"), b"x" * 300, qos=1, pid=9)
        + PING
    )
    wire = await lab.dial()
    for byte in said:
        wire.writer.write(bytes([byte]))
        await wire.writer.drain()
    for kind in (2, 9, 4, 13):
        assert await wire.answer(kind) is not None
    assert lab.payloads("evt") == [b"x" * 300]
    whole = await lab.dial()
    await whole.send(said)
    assert await whole.answer(2) == bytes([0, codec.BAD_CREDENTIALS])  # the password was used


async def test_a_kick_is_immediate(lab: Lab) -> None:
    wire = await lab.online()
    assert await lab.link.kick(MAC, "suspended")
    assert not await lab.link.kick(MAC, "suspended")
    assert await lab.link.send(MAC, topics.command(MAC), b"x", qos=0) is Delivery.OFFLINE
    await until(lambda: wire.closed)
    assert lab.reasons() == ["up", "kicked"]


async def test_who_may_log_in_no_more_is_out_at_once(lab: Lab) -> None:
    wire, other = await lab.online(), await lab.online(OTHER)
    del lab.rows[MAC]
    lab.reload()
    await until(lambda: wire.closed)
    assert await other.alive()
    await until(lambda: lab.reasons() == ["up", "kicked"])


async def test_epochs_grow_over_sessions_and_restarts(make_lab: MakeLab) -> None:
    epochs: list[int] = []
    for _ in range(2):
        async with make_lab() as lab:
            for _ in range(3):
                await lab.online()
            await until(lambda lab=lab: len(lab.changes) == 5)
            epochs += [change.epoch for change in lab.changes if change.up]
    assert epochs == sorted(set(epochs))
    assert len(epochs) == 6
    assert epochs[-1] < 2**53


async def test_on_shutdown_what_was_taken_is_stored_and_acknowledged(make_lab: MakeLab) -> None:
    async with make_lab(refusal_delay=timedelta()) as lab:
        lab.gates["evt"] = asyncio.Event()
        wire = await lab.online()
        await wire.send(publish(topics.up(MAC, "evt"), b"last", qos=1, pid=5))
        assert await wire.alive()
    assert lab.payloads("evt") == [b"last"]
    assert await wire.answer(PUBACK) == b"\x00\x05"
    assert lab.reasons() == ["up", "shutdown"]
