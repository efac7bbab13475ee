"""What an authenticated station can do to others with messages: A4, A5, A6, A13."""

from tests.attacks.raw import Dial, comes_true, packet, publish, text
from tests.attacks.target import Target, harmed, saved


async def test_nobody_sees_what_others_retained(target: Target, dial: Dial) -> None:
    """A4: on connect a client gets every retained message that anybody subscribed to."""
    victim = await target.victim.online(await dial())
    await victim.send(publish(target.victim.up("hb"), b"private", retain=True))
    await comes_true(lambda: b"private" in target.ingested(target.victim))
    thief = await target.thief.online(await dial())

    seen = await harmed(target, lambda: any(m.payload == b"private" for m in thief.heard))
    assert seen is target.vulnerable


async def test_no_command_waits_for_a_station(target: Target, dial: Dial) -> None:
    """A5: QoS 0 to an offline persistent session is queued, and opens a door minutes late."""
    first = await dial()
    if await target.victim.login(first, clean=False) != 0:
        first = await dial()
        assert await target.victim.login(first, clean=True) == 0
    await first.join((target.victim.command, 1))
    await first.close()
    assert await comes_true(lambda: not target.online(target.victim), 5.0)

    await target.command(target.victim, b"late")
    again = await dial()
    if await target.victim.login(again, clean=False) != 0:
        again = await dial()
        assert await target.victim.login(again, clean=True) == 0
        await again.join(*target.victim.filters)
    opened = await harmed(target, lambda: any(m.payload == b"late" for m in again.heard))
    assert opened is target.vulnerable


async def test_a_station_speaks_for_nobody_else(target: Target, dial: Dial) -> None:
    """A6: ingest hung on `on_broker_message_received` hears what the access list refuses."""
    thief = await target.thief.online(await dial())
    await thief.send(publish(target.victim.up("evt"), b"forged", qos=1))

    believed = await harmed(target, lambda: b"forged" in target.ingested(target.victim))
    assert believed is target.vulnerable


async def test_a_payload_is_never_read_as_packets(target: Target, dial: Dial) -> None:
    """A13: a topic with a wildcard raises before its payload is read: packets inside packets."""
    thief = await target.thief.online(await dial())
    inner = publish(target.thief.up("evt"), b"smuggled")
    await thief.send(publish(target.thief.up("+"), inner))

    smuggled = await harmed(target, lambda: b"smuggled" in target.ingested(target.thief))
    assert smuggled is target.vulnerable
    assert await saved(target, lambda: thief.closed) is not target.vulnerable


async def test_a_topic_that_is_not_text_closes_the_connection(target: Target, dial: Dial) -> None:
    """A15: invalid UTF-8 becomes the text of a Python bytes literal, and goes on."""
    thief = await target.thief.online(await dial())
    await thief.send(packet(0x30, text(b"v1/\xff\xfe/up/s/evt") + b"odd"))

    assert (not await saved(target, lambda: thief.closed)) is target.vulnerable
