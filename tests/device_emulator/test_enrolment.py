"""REG/1 over real HTTP and HTTPS."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from device_emulator.enrolment import Platform, UnsafePlatform
from device_emulator.identity import Identity
from device_emulator.inputs import ContactFailed
from device_emulator.memory import Memory
from foundation.certificates import local_authority
from foundation.wire import enroll
from foundation.wire.enroll import EnrollAnswer, EnrollRequest, Registration, TimeAnswer
from tests.device_emulator.peers import DeviceApi, served
from tests.device_emulator.toy import Toy
from tests.support.postgres import free_port

MAC = "02a1b2c30001"
NONCE = "0" * 32


@pytest.fixture
async def api() -> DeviceApi:
    return DeviceApi(Toy())


@pytest.fixture
async def url(api: DeviceApi) -> AsyncIterator[str]:
    async with served(api) as url:
        yield url


def _request(identity: Identity) -> EnrollRequest:
    body: dict[str, object] = {
        "mac": MAC,
        "model": "m",
        "fw": "1",
        "pk": identity.pk,
        "ts": 1,
        "nonce": NONCE,
        "boot": 1,
        "held": 0,
    }
    sig = enroll.sign(identity.sign, enroll.REQUEST, body)
    return EnrollRequest.model_validate(body | {"sig": sig})


async def test_unregistered_then_registered(api: DeviceApi, url: str) -> None:
    identity = Identity.of(Memory())
    async with Platform(url) as platform:
        first = await platform.enrol(_request(identity))
        assert isinstance(first, EnrollAnswer)
        assert (first.status, first.user_code) == ("unregistered", "K7QF-2M9X")
        api.toy.register(MAC)
        second = await platform.enrol(_request(identity))
        assert isinstance(second, EnrollAnswer)
        body = second.model_dump(mode="json")
        enroll.check(api.toy.pk, enroll.ANSWER, body, second.sig)
        plain = enroll.unseal(identity.box, second.sealed or "")
        assert Registration.model_validate_json(plain).comm_code == "cc30001"


async def test_the_time(api: DeviceApi, url: str) -> None:
    async with Platform(url) as platform:
        answer = await platform.time(NONCE)
    assert isinstance(answer, TimeAnswer)
    assert answer.nonce == NONCE


@pytest.mark.parametrize(
    ("status", "headers", "meant"),
    [
        (500, {}, ContactFailed(500)),
        (422, {}, ContactFailed(422)),
        (429, {"Retry-After": "17"}, ContactFailed(429, 17)),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, ContactFailed(503)),
    ],
)
async def test_no(
    api: DeviceApi, url: str, status: int, headers: dict[str, str], meant: ContactFailed
) -> None:
    api.fails, api.headers = status, headers
    async with Platform(url) as platform:
        assert await platform.enrol(_request(Identity.of(Memory()))) == meant
        assert await platform.time(NONCE) == meant


async def test_nobody_there_and_somebody_else(url: str) -> None:
    async with Platform(f"http://127.0.0.1:{free_port()}") as platform:
        assert await platform.time(NONCE) == ContactFailed()
    async with Platform(f"{url}/elsewhere") as platform:
        assert await platform.time(NONCE) == ContactFailed(404)


async def test_https_with_the_given_authority_only(api: DeviceApi, tmp_path: Path) -> None:
    ours = local_authority(tmp_path / "ours", ["127.0.0.1"])
    theirs = local_authority(tmp_path / "theirs", ["127.0.0.1"])
    async with served(api, certificate=ours.certificate, key=ours.key) as url:
        async with Platform(url, ours.ca) as platform:
            assert isinstance(await platform.time(NONCE), TimeAnswer)
        for ca in (theirs.ca, None):
            async with Platform(url, ca) as platform:
                assert await platform.time(NONCE) == ContactFailed()


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:8080", "http://example.org", "ftp://127.0.0.1", "127.0.0.1", ""]
)
def test_nothing_goes_in_clear_over_a_network(url: str) -> None:
    with pytest.raises(UnsafePlatform):
        Platform(url)


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(UnsafePlatform, match=name):
            Platform("https://127.0.0.1:8443", tmp_path / name)
