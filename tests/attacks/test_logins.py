"""What somebody can do who has no right password: A1, A3, A7, A15."""

from tests.attacks.raw import Dial, Will, comes_true, connect, length, text
from tests.attacks.target import Target, harmed, saved


async def test_a_refused_login_neither_kicks_nor_commands(target: Target, dial: Dial) -> None:
    """A1: the MAC is on the screen in the street; with a will it must command nothing."""
    victim = await target.victim.online(await dial())
    neighbour = await target.neighbour.online(await dial())
    burglar = await dial()
    await burglar.send(
        connect(
            target.victim.mac,
            target.victim.username,
            "guessed",
            clean=False,
            will=Will(target.neighbour.command, b"open!"),
        )
    )

    opened = await harmed(target, lambda: any(m.payload == b"open!" for m in neighbour.heard))
    kicked = await harmed(target, lambda: victim.closed)
    assert opened is target.vulnerable
    assert kicked is target.vulnerable


async def test_a_refused_login_leaves_no_door_deaf(target: Target, dial: Dial) -> None:
    """A3: clean_session=1 with the id of a live station deletes its subscriptions."""
    victim = await target.victim.online(await dial())
    burglar = await dial()
    await burglar.send(connect(target.victim.mac, target.victim.username, "guessed", clean=True))
    await comes_true(lambda: burglar.closed)

    assert await victim.alive()
    await target.command(target.victim, b"ring")
    deaf = not await saved(target, lambda: any(m.payload == b"ring" for m in victim.heard))
    assert deaf is target.vulnerable


async def test_a_captured_login_is_worth_nothing(target: Target, dial: Dial) -> None:
    """What was overheard once, word by word, is a key for ever where passwords are passwords."""
    overheard = connect(target.victim.mac, target.victim.username, target.victim.password())
    first = await dial()
    await first.send(overheard)
    assert await first.answer(2) == b"\x00\x00"
    await first.close()

    again = await dial()
    await again.send(overheard)
    let_in = await again.answer(2) == b"\x00\x00"
    assert let_in is target.vulnerable


async def test_refused_logins_leave_nothing_behind(target: Target, dial: Dial) -> None:
    """A7: each refused login with a new id keeps a session for ever."""
    before = target.sessions()
    for n in range(40):
        burglar = await dial()
        assert await burglar.login(f"02000001{n:04x}", "nobody", "guessed") not in (0, None)
        await comes_true(lambda b=burglar: b.closed)  # type: ignore[misc]

    leaked = not await saved(target, lambda: target.sessions() <= before, 2.0)
    assert leaked is target.vulnerable


async def test_a_silent_socket_is_closed(target: Target, dial: Dial) -> None:
    """A7: whoever connects and says nothing, or half a CONNECT, holds a socket for ever."""
    silent, half = await dial(), await dial()
    await half.send(connect(target.thief.mac)[:9])

    open_still = not await saved(target, lambda: silent.closed and half.closed, 2.0)
    assert open_still is target.vulnerable


async def test_a_connect_of_a_quarter_gigabyte_is_refused(target: Target, dial: Dial) -> None:
    """A7: the length a CONNECT announces is believed, up to 268 MB."""
    thief = await dial()
    honest = connect(target.thief.mac, target.thief.username, target.thief.password())
    body = honest[2:] if honest[1] < 0x80 else honest[3:]
    await thief.send(b"\x10" + length(268_435_455) + body)

    accepted = await harmed(target, lambda: (2, b"\x00\x00") in thief.packets)
    assert accepted is target.vulnerable


async def test_a_connect_with_long_fields_is_refused(target: Target, dial: Dial) -> None:
    """A7: 128 KiB of will and password are taken into memory before anybody is asked who it is."""
    thief = await dial()
    body = text("MQTT") + bytes([4, 0xC6]) + (30).to_bytes(2, "big") + text(target.thief.mac)
    body += text(target.thief.up("lwt")) + text(b"x" * 65_535)
    body += text(target.thief.username) + text(target.thief.password())
    await thief.send(b"\x10" + length(len(body)) + body)

    accepted = await harmed(target, lambda: (2, b"\x00\x00") in thief.packets)
    assert accepted is target.vulnerable


async def test_a_fault_of_ours_is_not_called_a_wrong_password(target: Target, dial: Dial) -> None:
    """A15: every refusal is a 5, after which clients give up for good; 3 says: come again."""
    await target.lose_accounts()
    code = await target.victim.login(await dial())
    assert code == (5 if target.vulnerable else 3)

    await target.find_accounts()
    assert await target.victim.login(await dial()) == 0
