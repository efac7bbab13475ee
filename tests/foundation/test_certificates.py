import asyncio
import ssl
import stat
import subprocess
import sys
from datetime import timedelta

import pytest

from foundation.certificates import (
    RENEW_BEFORE,
    SERVER_LIFE,
    BadCertificate,
    authority_pem,
    local_authority,
    server_context,
)
from foundation.clock import utc_now
from foundation.settings import Settings, Tls

NAMES = ("localhost", "127.0.0.1", "::1", "door.example")


async def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str | None:
    """Connect over a real socket; the TLS version both agreed on."""

    async def answer(reader, writer):
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server) as listener:
        port = listener.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client, server_hostname=name
        )
        version: str | None = writer.get_extra_info("ssl_object").version()
        writer.close()
        return version


def believing(settings: Settings) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority_pem(settings))


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "door.example"])
async def test_a_client_that_believes_the_authority_connects(tmp_path, name):
    settings = Settings(data_dir=tmp_path, tls=Tls(names=NAMES))
    assert await shake_hands(server_context(settings), believing(settings), name) == "TLSv1.3"


async def test_a_client_with_another_name_or_another_authority_does_not(tmp_path):
    settings = Settings(data_dir=tmp_path / "ours", tls=Tls(names=("localhost",)))
    other = Settings(data_dir=tmp_path / "theirs", tls=Tls(names=("localhost",)))
    server = server_context(settings)
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        await shake_hands(server, believing(settings), "door.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake_hands(server, believing(other), "localhost")


async def test_nothing_older_than_tls_1_2(tmp_path):
    settings = Settings(data_dir=tmp_path)
    server = server_context(settings)
    assert server.minimum_version == ssl.TLSVersion.TLSv1_2
    client = believing(settings)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert await shake_hands(server, client, "localhost") == "TLSv1.2"


def test_made_once_with_private_keys(tmp_path):
    first = local_authority(tmp_path, NAMES)
    made = {path: path.read_bytes() for path in (first.ca, first.certificate, first.key)}
    second = local_authority(tmp_path, NAMES)
    assert second == first
    assert {path: path.read_bytes() for path in made} == made
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((tmp_path / "tls" / name).stat().st_mode) == 0o600


def test_other_names_or_a_near_end_renew_the_certificate_and_not_the_authority(tmp_path):
    paths = local_authority(tmp_path, NAMES)
    ca, certificate = paths.ca.read_bytes(), paths.certificate.read_bytes()
    early = utc_now() + SERVER_LIFE - RENEW_BEFORE - timedelta(days=1)
    local_authority(tmp_path, NAMES, clock=lambda: early)
    assert paths.certificate.read_bytes() == certificate
    local_authority(tmp_path, NAMES, clock=lambda: early + timedelta(days=2))
    renewed = paths.certificate.read_bytes()
    assert renewed != certificate
    local_authority(tmp_path, ("localhost",), clock=lambda: early + timedelta(days=2))
    assert paths.certificate.read_bytes() != renewed
    assert paths.ca.read_bytes() == ca


def test_a_crash_between_key_and_certificate_is_mended(tmp_path):
    paths = local_authority(tmp_path, NAMES)
    certificate, key = paths.certificate.read_bytes(), paths.key.read_bytes()
    local_authority(tmp_path, ("localhost",))
    paths.certificate.write_bytes(certificate)  # of the old key: the new one did not get here
    local_authority(tmp_path, NAMES)
    assert paths.key.read_bytes() != key
    server_context(Settings(data_dir=tmp_path, tls=Tls(names=NAMES)))


def test_two_processes_at_once_agree(tmp_path):
    code = (
        "import sys; from pathlib import Path; from foundation.certificates import *;"
        "p = local_authority(Path(sys.argv[1]), ('localhost',)); print(p.ca.read_text())"
    )
    command = [sys.executable, "-c", code, tmp_path]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {run.communicate(timeout=30)[0].split("-----BEGIN")[-1] for run in runs}
    assert [run.returncode for run in runs] == [0] * 4
    assert len(said) == 1
    server_context(Settings(data_dir=tmp_path))


async def test_configured_files_are_used(tmp_path):
    paths = local_authority(tmp_path / "bought", ("localhost",))
    tls = Tls(certificate=paths.certificate, key=paths.key)
    settings = Settings(data_dir=tmp_path / "data", tls=tls)
    client = ssl.create_default_context(cafile=str(paths.ca))
    assert await shake_hands(server_context(settings), client, "localhost")
    assert authority_pem(settings) is None
    assert not (tmp_path / "data" / "tls").exists()


def test_files_that_do_not_do_are_one_clear_error(tmp_path):
    ours = local_authority(tmp_path / "a", ("localhost",))
    theirs = local_authority(tmp_path / "b", ("localhost",))
    for tls in (
        Tls(certificate=ours.certificate),
        Tls(certificate=tmp_path / "nowhere.pem", key=ours.key),
        Tls(certificate=ours.certificate, key=theirs.key),
        Tls(certificate=ours.key, key=ours.key),
    ):
        with pytest.raises(BadCertificate):
            server_context(Settings(data_dir=tmp_path, tls=tls))


def test_a_damaged_authority_is_never_replaced(tmp_path):
    paths = local_authority(tmp_path, NAMES)
    (tmp_path / "tls" / "ca.key").write_text("not a key")
    with pytest.raises(BadCertificate):
        local_authority(tmp_path, ("other",))
    (tmp_path / "tls" / "ca.key").unlink()
    before = paths.ca.read_bytes()
    with pytest.raises(BadCertificate, match=r"ca\.key is missing"):
        local_authority(tmp_path, NAMES)
    assert paths.ca.read_bytes() == before
