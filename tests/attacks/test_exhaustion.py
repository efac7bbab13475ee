"""What one client can use up: A14, A15."""

import asyncio

from tests.attacks.raw import Dial, comes_true, connect, packet, publish, subscribe, text
from tests.attacks.target import Target, harmed, saved


async def test_a_packet_of_20_megabytes_is_refused(target: Target, dial: Dial) -> None:
    """A14: there is no packet limit."""
    thief = await target.thief.online(await dial())
    await thief.send(publish(target.thief.up("evt"), b"x" * 20_000_000))

    taken = await harmed(target, lambda: any(target.ingested(target.thief)))
    assert taken is target.vulnerable
    assert await saved(target, lambda: thief.closed) is not target.vulnerable


async def test_a_station_that_stops_reading_is_cut_off(target: Target, dial: Dial) -> None:
    """A14: whatever a slow reader does not take is kept for it, as a task each."""
    before = len(asyncio.all_tasks())
    stalled = await dial(reading=False)
    await stalled.send(*_login(target))
    await comes_true(lambda: target.online(target.victim))
    for _ in range(4000):
        await target.command(target.victim, b"x" * 4096)

    grew = await harmed(target, lambda: len(asyncio.all_tasks()) > before + 500)
    kept = not await saved(target, lambda: not target.online(target.victim))
    assert grew is target.vulnerable
    assert kept is target.vulnerable


async def test_a_flood_is_not_taken_in_at_once(target: Target, dial: Dial) -> None:
    """A14: there is no rate limit. Ours takes 500 in ten seconds, and reads no more till then."""
    thief = await target.thief.online(await dial())
    flood = publish(target.thief.up("evt"), b"flood")
    await thief.send(*[flood] * 5000)

    taken = await harmed(target, lambda: len(target.ingested(target.thief)) > 2000)
    assert taken is target.vulnerable


MALFORMED = {
    "reserved type 0": b"\x00\x00",
    "reserved type 15": b"\xf0\x00",
    "a second CONNECT": b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x1e\x00\x00",
    "a packet for clients only": b"\xd0\x00",
    "SUBSCRIBE with wrong flags": b"\x80\x06\x00\x01\x00\x01x\x00",
    "SUBSCRIBE without filters": b"\x82\x02\x00\x01",
    "SUBSCRIBE with QoS 3": b"\x82\x06\x00\x01\x00\x01x\x03",
    "SUBSCRIBE with packet id 0": b"\x82\x06\x00\x00\x00\x01x\x00",
    "PUBLISH with QoS 3": packet(0x36, text("v1/02000000000c/up/s/x") + b"\x00\x01x"),
    "PUBLISH with packet id 0": packet(0x32, text("v1/02000000000c/up/s/x") + b"\x00\x00x"),
    "PUBLISH without topic": packet(0x30, text("") + b"x"),
    "PUBLISH with a NUL in its topic": packet(0x30, text("v1/02000000000c/up/s/\0") + b"x"),
    "PUBLISH with a surrogate": packet(0x30, text(b"v1/02000000000c/up/s/\xed\xa0\x80") + b"x"),
    "PUBLISH on $SYS": packet(0x30, text("$SYS/broker/x") + b"x"),
    "a topic longer than its packet": b"\x30\x04\x00\x20ab",
    "PUBACK with a long body": b"\x40\x04\x00\x01\x00\x01",
    "PINGREQ with a body": b"\xc0\x02\x00\x00",
    "a length of five bytes": b"\x30\xff\xff\xff\xff\x01",
}


async def test_what_is_malformed_closes_the_connection(target: Target, dial: Dial) -> None:
    """A15: most malformed packets are ignored, or worse, instead of ending the connection."""
    survived = []
    for name, bad in MALFORMED.items():
        thief = await target.thief.online(await dial())
        await thief.send(bad)
        if not await saved(target, lambda w=thief: w.closed, 0.3):  # type: ignore[misc]
            survived.append(name)
        await thief.close()
        await comes_true(lambda: not target.online(target.thief))

    assert (len(survived) >= 5) is target.vulnerable, survived
    assert target.vulnerable or not survived


def _login(target: Target) -> tuple[bytes, bytes]:
    victim = target.victim
    return connect(victim.mac, victim.username, victim.password()), subscribe(victim.filters)
