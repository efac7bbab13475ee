"""Service accounts at the gate: by secret, by argon2 hash, by token; what the lane is given."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from broker.accounts import AUDIENCE
from broker.authority import Platform, ServiceAccount
from foundation.settings import Scopes
from foundation.wire import topics
from tests.attacks.raw import PING, Will, connect
from tests.broker.conftest import MakeLab
from tests.broker.lab import KEYRING, MAC, Lab
from tests.support.until import until

ACCOUNTS: dict[str, Any] = {
    "service_accounts": {
        "plain": "secret words",
        "hashed": Argon2Hasher(time_cost=1, memory_cost=64).hash("secret words"),
        "broken": "$argon2id$nothing",
    },
    "service_scopes": {"plain": Scopes(publish=("site/#",), subscribe=("v1/+/up/#",))},
}


def token(name: str = "dash", key: bytes | None = None, **claims: Any) -> str:
    """A token of this platform, good for a minute unless `claims` say otherwise."""
    body = {
        "sub": name,
        "aud": AUDIENCE,
        "exp": datetime.now(UTC) + timedelta(minutes=1),
        "publish": ["a/#"],
        "subscribe": ["b/+"],
    } | claims
    body = {claim: value for claim, value in body.items() if value is not None}
    return jwt.encode(body, key or KEYRING.derive("mqtt-jwt"), algorithm="HS256")


async def login(lab: Lab, username: str, password: str, **kwargs: Any) -> int | None:
    wire = await lab.dial()
    return await wire.login(kwargs.pop("client_id", "me"), username, password, **kwargs)


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("plain", "secret words", 0),
        ("plain", "secret word", 5),
        ("hashed", "secret words", 0),
        ("hashed", "secret word", 5),
        pytest.param("hashed", ACCOUNTS["service_accounts"]["hashed"], 5, id="the hash itself"),
        ("broken", "$argon2id$nothing", 5),
        ("nobody", "secret words", 5),
        ("plain", "", 4),
    ],
)
async def test_by_secret(make_lab: MakeLab, username: str, password: str, code: int) -> None:
    async with make_lab(**ACCOUNTS) as lab:
        assert await login(lab, username, password) == code
        assert len(lab.open_lane.admitted) == (code == 0)


async def test_the_open_lane_gets_everything_it_needs(make_lab: MakeLab) -> None:
    async with make_lab(**ACCOUNTS) as lab:
        wire = await lab.dial()
        will = Will("site/gone", b"bye", qos=1, retain=True)
        await wire.send(connect("me", "plain", "secret words", keepalive=77, will=will), PING)
        assert await wire.answer(2) == b"\0\0"
        assert await wire.answer(12) == b""  # the lab's lane sends back what it gets
        [one] = lab.open_lane.admitted
        assert one.principal == ServiceAccount("plain", ("site/#",), ("v1/+/up/#",))
        assert (one.connect.client_id, one.connect.keepalive) == ("me", 77)
        assert one.connect.will is not None
        assert one.connect.will.topic == "site/gone"
        assert one.after == PING
        assert one.address == "127.0.0.1"
        assert not lab.changes


@pytest.mark.parametrize(
    "topic",
    [topics.command(MAC), topics.will(MAC), "link/x", "other/x", "$SYS/x"],
)
async def test_a_will_is_judged_like_a_publish(make_lab: MakeLab, topic: str) -> None:
    async with make_lab(**ACCOUNTS) as lab:
        assert await login(lab, "plain", "secret words", will=Will(topic, b"x")) == 5
        assert not lab.open_lane.admitted


async def test_an_account_cannot_be_a_station(make_lab: MakeLab) -> None:
    async with make_lab(**ACCOUNTS) as lab:
        assert await login(lab, "plain", "secret words", client_id=MAC) == 5
        assert not lab.open_lane.admitted


async def test_by_token(lab: Lab) -> None:
    assert await login(lab, "dash", token()) == 0
    principal = lab.open_lane.admitted[0].principal
    assert isinstance(principal, ServiceAccount)
    assert (principal.publish, principal.subscribe) == (("a/#",), ("b/+",))
    assert await login(lab, "dash", token(publish="a/#", subscribe=["a#", 7, "ok"])) == 0
    principal = lab.open_lane.admitted[1].principal
    assert isinstance(principal, ServiceAccount)
    assert (principal.publish, principal.subscribe) == ((), ("ok",))
    assert await login(lab, "dash", token(platform=True)) == 0
    assert lab.open_lane.admitted[2].principal == Platform("dash")


@pytest.mark.parametrize(
    "wrong",
    [
        token("other"),
        token(key=b"x" * 32),
        token(aud="something"),
        token(exp=None),
        token(sub=None),
        token(exp=datetime.now(UTC) - timedelta(seconds=1)),
        token(exp="soon"),
        token()[:-4] + "AAAA",
        jwt.encode({"sub": "dash", "aud": AUDIENCE, "exp": 9e9}, None, algorithm="none"),
        "ey.ey.ey",
    ],
    ids=[
        *("nobody", "other key", "other audience", "for ever", "of nobody", "too old"),
        *("no time", "other signature", "unsigned", "no token"),
    ],
)
async def test_wrong_tokens(lab: Lab, wrong: str) -> None:
    assert await login(lab, "dash", wrong) == 5
    assert not lab.open_lane.admitted


async def test_a_session_ends_with_its_token(lab: Lab) -> None:
    wire = await lab.dial()
    ends = datetime.now(UTC) + timedelta(seconds=2)
    assert await wire.login("me", "dash", token(exp=ends)) == 0
    await until(lambda: wire.closed)
    assert datetime.now(UTC) - ends < timedelta(seconds=2)


async def test_no_more_clients_than_allowed(make_lab: MakeLab) -> None:
    async with make_lab(**ACCOUNTS, service_connections=2) as lab:
        kept = [await lab.dial() for _ in range(3)]
        answers = [await wire.login("me", "plain", "secret words") for wire in kept]
        assert answers == [0, 0, 3]
        await kept[0].close()
        await until(lambda: lab.gate._clients == 1)
        assert await login(lab, "plain", "secret words") == 0
        assert (await lab.login())[1] == 0  # stations do not count


async def test_guessing_does_not_keep_the_loop_or_the_known_away(make_lab: MakeLab) -> None:
    async with make_lab(**ACCOUNTS) as lab:
        assert await login(lab, "hashed", "secret words") == 0
        guesses = [asyncio.create_task(login(lab, "hashed", f"{n}")) for n in range(60)]
        assert await login(lab, "hashed", "secret words") == 0
        answers = await asyncio.gather(*guesses)
        assert set(answers) <= {3, 5}
        assert 5 in answers


async def test_where_too_many_were_refused_no_hash_is_computed(make_lab: MakeLab) -> None:
    async with make_lab(**ACCOUNTS, refused_rate=3) as lab:
        answers = [await login(lab, "hashed", "wrong") for _ in range(5)]
        assert answers == [5, 5, 5, None, None]
