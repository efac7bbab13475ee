import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.security import BadKey, Keyring, digest, hkdf, load_keyring, same

KEY = bytes(range(32))


def test_hkdf_is_that_of_the_standard():
    """RFC 5869, A.3: SHA-256, no salt, no info."""
    okm = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert hkdf(b"\x0b" * 22, "", 42).hex() == okm


def test_each_purpose_has_its_own_key_and_always_the_same():
    ring = Keyring(KEY)
    labels = ["seal", "server-sign", "jwt", "a", "b"]
    assert len({ring.derive(label) for label in labels}) == len(labels)
    assert Keyring(KEY).derive("jwt") == ring.derive("jwt")
    assert Keyring(bytes(32)).derive("jwt") != ring.derive("jwt")
    assert ring.signing_key().private_bytes_raw() == Keyring(KEY).signing_key().private_bytes_raw()


@given(st.binary(max_size=100), st.text(max_size=20))
def test_sealed_for_one_thing_opens_for_that_alone(plain: bytes, about: str):
    ring = Keyring(KEY)
    sealed = ring.seal(plain, about)
    assert ring.unseal(sealed, about) == plain
    assert plain not in sealed or len(plain) < 4
    assert sealed != ring.seal(plain, about), "the nonce is new each time"
    with pytest.raises(BadKey):
        ring.unseal(sealed, about + "x")
    with pytest.raises(BadKey):
        Keyring(bytes(32)).unseal(sealed, about)
    with pytest.raises(BadKey):
        ring.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), about)


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(12), bytes(27)])
def test_what_was_never_sealed_is_one_clear_error(sealed: bytes):
    with pytest.raises(BadKey):
        Keyring(KEY).unseal(sealed, "x")


def test_made_at_the_first_start_and_kept(tmp_path):
    first = load_keyring(tmp_path / "data", None)
    path = tmp_path / "data" / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_keyring(tmp_path / "data", None).derive("x") == first.derive("x")
    assert load_keyring(tmp_path / "other", path.read_text()).derive("x") == first.derive("x")
    assert [each.name for each in path.parent.iterdir()] == ["master.key"]


def test_two_first_starts_at_once_agree(tmp_path):
    code = (
        "import sys; from pathlib import Path; from foundation.security import load_keyring;"
        "print(load_keyring(Path(sys.argv[1]), None).derive('x').hex())"
    )
    command = [sys.executable, "-c", code, tmp_path]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    said = {run.communicate(timeout=30)[0] for run in runs}
    assert [run.returncode for run in runs] == [0] * 6
    assert len(said) == 1


@pytest.mark.parametrize("key", ["", "ab", "zz" * 32, "ab" * 31, "ab" * 33, "hunter2"])
def test_a_key_that_is_none_is_not_repeated_in_the_error(tmp_path, key: str):
    with pytest.raises(BadKey) as caught:
        load_keyring(tmp_path, key)
    assert not key or key not in str(caught.value)


def test_comparing_and_digests():
    assert same("a", b"a")
    assert not same("a", "b")
    assert same("é", "é")
    assert digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
