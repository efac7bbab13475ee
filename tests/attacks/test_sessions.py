"""Presence, take-over and acknowledgement: A8, A10, A11, A12."""

import asyncio

from tests.attacks.raw import PUBACK, Dial, comes_true, packet, publish, subscribe, text
from tests.attacks.target import Target, harmed, saved
from tests.support.until import until


async def test_nothing_is_acknowledged_before_it_is_stored(target: Target, dial: Dial) -> None:
    """A8: the PUBACK is sent when the message is in a queue, whatever becomes of it."""
    victim = await target.victim.online(await dial())
    target.pause()
    try:
        await victim.send(publish(target.victim.up("evt"), b"event", qos=1, pid=7))
        acknowledged = await harmed(target, lambda: (PUBACK, b"\x00\x07") in victim.packets)
        assert b"event" not in target.stored()
        assert acknowledged is target.vulnerable
    finally:
        target.resume()
    await until(lambda: b"event" in target.stored())
    assert target.vulnerable or await victim.answer(PUBACK) == b"\x00\x07"


async def test_a_silent_station_is_offline(target: Target, dial: Dial) -> None:
    """A10: keep-alive is not enforced: a half-open station stays online for ever."""
    victim = await target.victim.online(await dial(), keepalive=1)
    assert await comes_true(lambda: target.online(target.victim))

    believed = not await saved(target, lambda: victim.closed, 2.5)
    assert believed is target.vulnerable
    gone = await saved(target, lambda: not target.online(target.victim))
    assert gone is not target.vulnerable


async def test_half_a_header_does_not_shift_the_stream(target: Target, dial: Dial) -> None:
    """A10: after a time-out in the middle of a header the rest is read from the wrong byte.

    It is one PUBLISH, its length 64. Read from its second byte it is a PUBACK (0x40, four
    bytes of it are eaten), then another PUBLISH, then pings.
    """
    thief = await target.thief.online(await dial(), keepalive=1)
    inner = publish(target.thief.up("evt"), b"shifted")
    whole = packet(0x30, text(b"x" + inner) + b"\xc0\x00" * 13)
    assert whole[1] == 0x40
    await thief.send(whole[:1])
    await comes_true(lambda: thief.closed, 2.5)
    await thief.send(whole[1:])

    shifted = await harmed(target, lambda: b"shifted" in target.ingested(target.thief))
    assert shifted is target.vulnerable


async def test_a_take_over_ends_the_old_connection(target: Target, dial: Dial) -> None:
    """A11, clean sessions: the old socket goes on publishing; its end reports the new one gone."""
    old = await target.victim.online(await dial())
    new = await target.victim.online(await dial())

    await old.send(publish(target.victim.up("evt"), b"from the old one"))
    spoke = await harmed(target, lambda: b"from the old one" in target.ingested(target.victim))
    assert spoke is target.vulnerable
    assert await saved(target, lambda: old.closed) is not target.vulnerable
    await old.close()

    wrong = await harmed(target, lambda: not target.online(target.victim))
    assert wrong is target.vulnerable
    assert await new.alive()


async def test_the_new_connection_hears(target: Target, dial: Dial) -> None:
    """A11, persistent sessions: after a take-over the new connection goes deaf."""
    wires = []
    for _ in range(2):
        wire = await dial()
        if await target.victim.login(wire, clean=False) != 0:
            wire = await dial()
            assert await target.victim.login(wire, clean=True) == 0
        assert await wire.join(*target.victim.filters) == [1, 0]
        wires.append(wire)
    await comes_true(lambda: wires[0].closed)

    assert await wires[1].alive()
    await target.command(target.victim, b"ring")
    deaf = not await saved(target, lambda: any(m.payload == b"ring" for m in wires[1].heard))
    assert deaf is target.vulnerable


async def test_subscribing_loses_nobody_a_message(target: Target, dial: Dial) -> None:
    """A12: a SUBSCRIBE during a broadcast ends it, and the remaining subscribers hear nothing."""
    thief = await target.thief.online(await dial())
    victim = await target.victim.online(await dial())

    async def subscribe_all_the_time() -> None:
        for n in range(2000):
            await thief.send(subscribe([(f"v1/{target.thief.mac}/dn/s/{n}", 0)]))
            await asyncio.sleep(0)

    busy = asyncio.create_task(subscribe_all_the_time())
    for n in range(100):
        await target.command(target.victim, b"%d" % n)
        await asyncio.sleep(0)
    await busy
    assert await victim.alive()

    complete = await saved(target, lambda: len(victim.heard) == 100, 2.0)
    assert complete is not target.vulnerable
