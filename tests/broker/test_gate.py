"""What the gate lets in, what it says to the others, and what they cannot do."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from broker.refusals import Reason
from foundation.wire import topics
from tests.attacks.raw import CONNACK, Will, Wire, connect, packet, publish, subscribe, text
from tests.broker.conftest import MakeLab
from tests.broker.lab import MAC, OTHER, Lab
from tests.support.until import until

LWT = topics.will(MAC)


def refused(reason: Reason) -> float:
    """How many were refused for this so far."""
    labels = {"reason": reason.value}
    return REGISTRY.get_sample_value("broker_refusals_total", labels) or 0.0


async def knock(lab: Lab, *sent: bytes) -> tuple[int | None, bool]:
    """Send bytes; the return code, and whether the connection was closed."""
    wire = await lab.dial()
    await wire.send(*sent)
    body = await wire.answer(CONNACK)
    if body is not None and body[1] == 0:
        return 0, False
    await until(lambda: wire.closed)
    return (body[1] if body else None), True


FORMS = [
    ("clean session is asked for", {"clean": False}, 5, Reason.FORM),
    ("no keep-alive", {"keepalive": 0}, 5, Reason.FORM),
    ("keep-alive too short", {"keepalive": 9}, 5, Reason.FORM),
    ("keep-alive too long", {"keepalive": 121}, 5, Reason.FORM),
    ("keep-alive at its limits", {"keepalive": 10}, 0, None),
    ("keep-alive at its limits", {"keepalive": 120}, 0, None),
    ("its own will", {"will": Will(LWT, b"{}", qos=1)}, 0, None),
    ("its own will, retained", {"will": Will(LWT, b"{}", retain=True)}, 5, Reason.WILL),
    ("a will for another", {"will": Will(topics.will(OTHER), b"{}")}, 5, Reason.WILL),
    ("a will that opens a door", {"will": Will(topics.command(OTHER), b"{}")}, 5, Reason.WILL),
    ("a will that is a command", {"will": Will(topics.command(MAC), b"{}")}, 5, Reason.WILL),
    ("a will on another topic", {"will": Will(topics.up(MAC, "evt"), b"{}")}, 5, Reason.WILL),
    ("MQTT 3.1", {"level": 3}, 1, Reason.VERSION),
    ("MQTT 5", {"level": 5}, 1, Reason.VERSION),
]


@pytest.mark.parametrize(("what", "form", "code", "reason"), FORMS)
async def test_the_form_of_a_stations_connect(
    make_lab: MakeLab, what: str, form: dict[str, object], code: int, reason: Reason | None
) -> None:
    async with make_lab(keepalive_min=10) as lab:
        before = refused(reason) if reason else 0
        wire, answer = await lab.login(**form)
        assert answer == code, what
        if reason is not None:
            await until(lambda: wire.closed)
            assert refused(reason) == before + 1
            assert not lab.changes


IDS = [
    "a/b", "a+", "a#", "a\nb", "a\x7fb", "a\x85b", "x" * 129,
    "02AABBCCDD01", "02:aa:bb:cc:dd:01", "02-aa-bb-cc-dd-01",
]  # fmt: skip


@pytest.mark.parametrize("client_id", IDS)
async def test_ids_that_could_be_mistaken(lab: Lab, client_id: str) -> None:
    assert await knock(lab, connect(client_id, "console", "x")) == (2, True)
    assert not lab.open_lane.admitted


@pytest.mark.parametrize("username", ["a/b", "+", "#", "a\tb", "x" * 129])
async def test_user_names_that_could_be_mistaken(lab: Lab, username: str) -> None:
    assert await knock(lab, connect("me", username, "x")) == (2, True)


async def test_an_empty_id_wants_no_session_kept(lab: Lab) -> None:
    assert await knock(lab, connect("", "console", "x", clean=False)) == (2, True)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600,
        publish("a", b"b"),
        b"\x10\x00",
        packet(0x11, text("MQTT") + b"\x04\x02\x00\x1e" + text("a")),
        packet(0x10, text("MQTT") + b"\x04\x03\x00\x1e" + text("a")),
        packet(0x10, text("MQTT") + b"\x04\x02\x00\x1e" + text(b"\xff\xfe")),
        packet(0x10, text("MQTT") + b"\x04\xc2\x00\x1e" + text("a") + text("b")),
        b"\x10\xff\xff\xff\x7f",
        b"\x10\xff\xff\xff\xff\xff",
        connect(MAC, "C", "x" * 2100),
    ],
)
async def test_what_is_no_connect_is_closed_without_a_word(lab: Lab, sent: bytes) -> None:
    before = refused(Reason.MALFORMED)
    assert await knock(lab, sent) == (None, True)
    assert refused(Reason.MALFORMED) == before + 1


async def test_the_longest_connect(lab: Lab) -> None:
    given = connect(MAC, "C", "x" * (2048 - len(connect(MAC, "C", "")) - 1))
    assert len(given) == 2048
    assert await knock(lab, given) == (5, True)


async def test_silence_is_not_waited_for(make_lab: MakeLab) -> None:
    async with make_lab(connect_timeout=timedelta(milliseconds=150)) as lab:
        before = refused(Reason.TIMEOUT)
        mute, slow, honest = await lab.dial(), await lab.dial(), await lab.online()
        for byte in connect(MAC, "C", "x")[:-1]:
            slow.writer.write(bytes([byte]))
        await until(lambda: mute.closed and slow.closed)
        assert refused(Reason.TIMEOUT) == before + 2
        assert await honest.alive()
        assert not lab.gate.pending


async def test_too_many_silent_sockets_push_out_the_oldest(make_lab: MakeLab) -> None:
    async with make_lab(pending_connects=10) as lab:
        mute = [await lab.dial() for _ in range(30)]
        await until(lambda: sum(wire.closed for wire in mute) == 20)
        assert len(lab.gate.pending) == 10
        await lab.online()
        assert mute[0].closed
        assert not mute[-1].closed


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        (None, None, 4),
        ("C" + MAC[-4:], None, 4),
        ("C" + MAC[-4:], "", 4),
        ("C" + MAC[-4:], "right", 5),
        ("C" + MAC[-4:], "bm90LWEtcGFzc3dvcmQ=", 5),
        ("someone", "right", 5),
    ],
)
async def test_bad_credentials(
    lab: Lab, username: str | None, password: str | None, code: int
) -> None:
    assert await knock(lab, connect(MAC, username, password)) == (code, True)


async def test_a_password_belongs_to_its_station_and_code(lab: Lab) -> None:
    mine, other = lab.rows[MAC], lab.rows[OTHER]
    assert await knock(lab, connect(MAC, mine.comm_code, lab.password(OTHER))) == (5, True)
    assert await knock(lab, connect(MAC, other.comm_code, lab.password(OTHER))) == (5, True)
    assert await knock(lab, connect(MAC, other.comm_code, lab.password(MAC))) == (5, True)
    assert await knock(lab, connect(OTHER, mine.comm_code, lab.password(MAC))) == (5, True)
    assert (await lab.login())[1] == 0


async def test_a_password_is_good_once(lab: Lab) -> None:
    once = lab.password()
    first, code = await lab.login(password=once)
    assert code == 0
    _, code = await lab.login(password=once)
    assert code == 4
    assert await first.alive()
    assert lab.reasons() == ["up"]


@pytest.mark.parametrize(("skew", "code"), [(-130, 4), (-110, 0), (110, 0), (130, 4), (86400, 4)])
async def test_a_password_is_good_near_its_time(lab: Lab, skew: int, code: int) -> None:
    ts = lab.clock().timestamp() + skew
    assert (await lab.login(password=lab.password(ts=ts)))[1] == code


async def test_a_used_password_stays_used_for_as_long_as_it_could_be_right(lab: Lab) -> None:
    ahead = lab.password(ts=lab.clock().timestamp() + 110)
    assert (await lab.login(password=ahead))[1] == 0
    lab.skew = timedelta(seconds=200)
    lab.logins.forget(lab.clock())
    assert (await lab.login(password=ahead))[1] == 4


async def test_while_our_own_database_is_down_clients_are_asked_to_come_again(lab: Lab) -> None:
    lab.logins.available = False
    assert (await lab.login())[1] == 3
    lab.reload()
    assert (await lab.login())[1] == 0


async def test_while_presence_cannot_be_written_nobody_is_let_in(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.gates["changes"] = asyncio.Event()
    monkeypatch.setattr("broker.lane._UNTOLD", 1)
    await lab.login(MAC)
    await until(lambda: len(lab.comings) == 1)
    await lab.login(OTHER)
    assert (await lab.login())[1] == 3


async def test_both_secrets_work_during_a_rotation(lab: Lab) -> None:
    lab.rows[MAC] = type(lab.rows[MAC])(
        MAC,
        lab.rows[MAC].device_id,
        lab.rows[MAC].comm_code,
        {1: lab.rows[MAC].auth_keys[1], 2: _key(2)},
    )
    lab.reload()
    await lab.online()
    assert not lab.used
    wire = await lab.online(password=lab.password(version=2))
    assert [(used.mac, used.secret_ver) for used in lab.used] == [(MAC, 2)]
    assert await wire.alive()


async def test_a_session_ends_with_the_secret_that_began_it(lab: Lab) -> None:
    wire = await lab.online()
    row = lab.rows[MAC]
    lab.rows[MAC] = type(row)(MAC, row.device_id, row.comm_code, {2: _key(2)})
    lab.reload()
    await until(lambda: wire.closed)
    assert (await lab.login())[1] == 5
    assert (await lab.login(password=lab.password(version=2)))[1] == 0


def _key(version: int) -> bytes:
    from tests.broker.lab import secret

    return secret(MAC, version).auth


HOSTILE = [
    connect(MAC, "C0001", "wrong", clean=False, will=Will(topics.command(MAC), b"open")),
    connect(MAC, "C0001", "wrong", clean=True),
    connect(MAC, None, None),
    connect(MAC, "C0001", "wrong", will=Will(LWT, b"gone")),
    connect(MAC, "C0001", "x" * 3000),
    connect(MAC, "C0001", "x")[:-1],
]


@pytest.mark.parametrize("sent", HOSTILE)
async def test_a_refused_login_touches_no_session(lab: Lab, sent: bytes) -> None:
    honest = await lab.online()
    session = lab.lane.session(MAC)
    for _ in range(3):
        wire = await lab.dial()
        await wire.send(sent, subscribe(topics.filters(MAC)), publish(topics.up(MAC, "evt"), b"x"))
        await wire.close()
    for _ in range(3):
        await knock(lab, connect(MAC, lab.rows[MAC].comm_code, lab.password(OTHER)))
    assert lab.lane.session(MAC) is session
    await lab.link.send(MAC, topics.command(MAC), b"hello", qos=0)
    await until(lambda: [m.payload for m in honest.heard] == [b"hello"])
    assert lab.reasons() == ["up"]
    assert not any(lab.heard.values())


async def test_who_knows_the_mac_cannot_lock_the_station_out(make_lab: MakeLab) -> None:
    async with make_lab(connect_rate=5, flap_limit=5, refused_rate=10) as lab:
        used = lab.password()
        assert (await lab.login(password=used))[1] == 0
        for n in range(40):
            given = used if n % 2 else "wrong"
            assert (await lab.login(password=given))[1] in (4, 5, None)
        assert (await lab.login())[1] == 0  # though its address is in disgrace as well


async def test_refused_too_often_an_address_gets_no_answer(make_lab: MakeLab) -> None:
    async with make_lab(refused_rate=5) as lab:
        answers = [(await lab.login(password="wrong"))[1] for _ in range(8)]
        assert answers == [5, 5, 5, 5, 5, None, None, None]
        assert (await lab.login())[1] == 0


async def test_logins_of_one_station_are_rated(make_lab: MakeLab) -> None:
    async with make_lab(connect_rate=5) as lab:
        assert [(await lab.login())[1] for _ in range(7)] == [0] * 5 + [3] * 2
        assert (await lab.login(OTHER))[1] == 0
        lab.skew = timedelta(seconds=61)
        assert (await lab.login())[1] == 0


async def test_a_flapping_station_is_banned_for_a_while(make_lab: MakeLab) -> None:
    async with make_lab(flap_limit=4, connect_rate=100) as lab:
        for n in range(4):
            wire, code = await lab.login()
            assert code == 0
            await wire.close()
            await until(lambda n=n: len(lab.changes) == 2 * n + 2)
        assert lab.banned == [MAC]
        assert (await lab.login())[1] == 3
        assert (await lab.login(OTHER))[1] == 0
        lab.skew = timedelta(minutes=5, seconds=1)
        assert (await lab.login())[1] == 0
        assert lab.banned == [MAC]


async def test_what_follows_the_connect_at_once_is_not_lost(lab: Lab) -> None:
    wire = await lab.dial()
    await wire.send(
        connect(MAC, lab.rows[MAC].comm_code, lab.password()),
        subscribe(topics.filters(MAC)),
        publish(topics.up(MAC, "hello"), b"hi", qos=1),
    )
    assert await wire.answer(CONNACK) == b"\0\0"
    assert await wire.answer(4) == b"\0\1"
    assert lab.payloads("hello") == [b"hi"]


async def test_what_follows_a_refused_connect_is_not_read(lab: Lab) -> None:
    wire: Wire = await lab.dial()
    await wire.send(
        connect(MAC, "C", "wrong"), connect(MAC, lab.rows[MAC].comm_code, lab.password())
    )
    assert await wire.answer(CONNACK) == b"\0\5"
    await until(lambda: wire.closed)
    assert not wire.packets
    assert lab.lane.session(MAC) is None
