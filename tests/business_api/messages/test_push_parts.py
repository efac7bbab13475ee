"""Encryption and addresses, without a database."""

import asyncio
import socket
import threading
from ipaddress import ip_address, ip_network

import http_ece
import httpcore
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as some

from business_api.messages.push import endpoints, vapid
from business_api.messages.push.encryption import LONGEST, RECORD, BadBrowserKey, encoded, encrypt
from business_api.messages.push.endpoints import BadEndpoint, NotPublic, is_public, pool, read
from foundation.security import Keyring
from tests.business_api.messages.browser import unb64
from tests.business_api.messages.peer import Answer, peer

HERE = ip_address("127.0.0.1")


def private(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(unb64(text), "big"), ec.SECP256R1())


def test_the_example_of_the_standard():
    """RFC 8291, appendix A."""
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        unb64(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkN"
            "toIAiw4"
        ),
        unb64("BTBZMqHH6r4Tts7J_aSIgg"),
        salt=unb64("DGv6ra1nlYgDCS1FRnbzlw"),
        ours=private("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
        step=1,
    )
    assert body == unb64(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLoc"
        "InmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLV"
        "WGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(some.binary(max_size=LONGEST))
def test_another_implementation_reads_it(content: bytes):
    key, secret = ec.generate_private_key(ec.SECP256R1()), bytes(range(16))
    body = encrypt(content, encoded(key.public_key()), secret)
    read_ = http_ece.decrypt(body, private_key=key, auth_secret=secret, version="aes128gcm")
    assert read_ == content
    assert len(body) <= RECORD


def test_what_cannot_be_encrypted():
    key = encoded(ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(ValueError, match="too long"):
        encrypt(bytes(LONGEST + 1), key, bytes(16))
    for wrong, secret in ((key[:-1], 16), (b"\4" + bytes(64), 16), (bytes(65), 16), (key, 15)):
        with pytest.raises(BadBrowserKey):
            encrypt(b"x", wrong, bytes(secret))


def test_the_platforms_key_follows_from_the_master_key():
    one, two = Keyring(bytes(32)), Keyring(bytes(range(32)))
    assert vapid.public_key(one) == vapid.public_key(one) != vapid.public_key(two)
    assert len(unb64(vapid.public_key(one))) == 65


@pytest.mark.parametrize(
    "url",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def-_",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
        "https://web.push.apple.com/QGuQ",
        "https://wns2-bl2p.notify.windows.com/w/?token=BQYAAAC",
        "https://push.example.org:443/x",
        "https://xn--fiqs8s.example.cn/x",
    ],
)
def test_push_services_are_let_through(url: str):
    where = read(url, ())
    assert where.url == url
    assert where.origin == f"https://{where.host}"


HOSTILE = [
    "",
    "https://",
    "http://push.example.org/x",
    "ftp://push.example.org/x",
    "file:///etc/passwd",
    "//push.example.org/x",
    "https://localhost/x",
    "https://router/x",
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://2130706433/x",
    "https://0x7f.0.0.1/x",
    "https://0177.0.0.1/x",
    "https://[::1]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[fe80::1%25eth0]/x",
    "https://10.0.0.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://push.example.org:8443/x",
    "https://push.example.org:22/x",
    "https://push.example.org:99999/x",
    "https://user@push.example.org/x",
    "https://user:word@push.example.org/x",
    "https://push.example.org@127.0.0.1/x",
    "https://push.example.org\\@127.0.0.1/x",
    "https://127.0.0.1#@push.example.org/x",
    "https://push.example.org/x#y",
    "https://push.example.org/x\r\nHost: a",
    "https://push.example.org /x",
    "https://push.example.org\t/x",
    "https://push.example.org./x",
    "https://-push.example.org/x",
    "https://push..example.org/x",
    "https://пуш.example.org/x",
    "https://push.example.org/\ud800",
    "https://push.example.org/\0",
    "https://[/x",
    "https://" + "a" * 64 + ".org/x",
    "https://push.example.org/" + "x" * 1000,
    "http://10.1.2.3/x",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_nothing_else_is(url: str):
    with pytest.raises(BadEndpoint):
        read(url, (ip_network("127.0.0.8/29"), ip_network("192.168.0.0/16")))


@given(some.text(max_size=80).map(lambda text: f"https://{text}"))
def test_any_text_is_judged(url: str):
    try:
        where = read(url, ())
    except BadEndpoint:
        return
    assert where.host.isascii()
    assert "." in where.host


def test_own_networks_are_let_through_when_the_settings_say_so():
    networks = (ip_network("192.168.7.0/24"), ip_network("fd00::/8"))
    assert read("http://192.168.7.9:8081/x", networks).origin == "http://192.168.7.9:8081"
    assert read("http://[fd00::1]:8081/x", networks).origin == "http://[fd00::1]:8081"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        *(
            (address, False)
            for address in (
                *("127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
                *("169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1"),
                *("198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fd00::1", "ff02::1"),
                *("::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1"),
                *("2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1", "fec0::1"),
            )
        ),
    ],
)
def test_which_addresses_are_public(address: str, public: bool):
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize("found", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]])
async def test_a_name_that_leads_inside_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, found: list[str]
):
    """The name service is somebody else's, and says one thing now and another one later."""
    async with peer(lambda _: Answer()) as inside:

        def look_up(host: str, port: int, **_: object) -> list[object]:
            assert host == "push.example.org"
            return [(0, 0, 0, "", (address, inside.port)) for address in found]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        async with pool((), 2) as connections:
            with pytest.raises(httpcore.ConnectError, match="NotPublic"):
                await connections.request("POST", f"http://push.example.org:{inside.port}/x")
        assert inside.connections == 0


async def test_the_next_address_is_tried_when_one_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
):
    async with peer(lambda _: Answer()) as inside:
        found = [ip_address("127.0.0.3"), ip_address("127.0.0.2"), HERE]
        monkeypatch.setattr(endpoints, "_look_up", lambda *_: found)
        async with pool((ip_network("127.0.0.0/8"),), 2) as connections:
            answer = await connections.request("POST", f"http://push.example.org:{inside.port}/x")
        assert answer.status == 200
        assert inside.connections == 1


async def test_what_was_judged_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    original = socket.getaddrinfo

    async with peer(lambda _: Answer()) as inside:

        def look_up(host: str, port: int, *more: object, **named: object) -> list[object]:
            if host == "push.example.org":
                asked.append(host)
                return [(0, 0, 0, "", ("127.0.0.1", port))]
            return original(host, port, *more, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        async with pool((ip_network("127.0.0.0/8"),), 2) as connections:
            answer = await connections.request("POST", f"http://push.example.org:{inside.port}/x")
        assert answer.status == 200
        assert asked == ["push.example.org"]
        assert inside.requests[0].headers["host"] == f"push.example.org:{inside.port}"


async def test_slow_names_use_up_no_threads_of_others(monkeypatch: pytest.MonkeyPatch):
    free = threading.Event()
    monkeypatch.setattr(endpoints, "_look_up", lambda *_: [free.wait(10) and HERE])
    backend = endpoints._PublicOnly(())
    stuck = [asyncio.create_task(backend._judged("a.example", 443)) for _ in range(20)]
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 7), 5) == 7
    finally:
        free.set()
        await asyncio.wait(stuck)
    assert all(isinstance(task.exception(), NotPublic) for task in stuck)
