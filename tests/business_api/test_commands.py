"""`linli user`, `linli demo`, `linli openapi`, as an operator runs them."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from business_api.openapi_cli import document
from tests.support import database as databases
from tests.support.commands import LINLI, environment, linli


@pytest.fixture
def env(tmp_path: Path) -> Mapping[str, str]:
    """On SQLite: the functions behind the commands are tested on both."""
    made = environment(tmp_path / "data", databases.at(tmp_path / "linli.sqlite3"))
    assert linli("migrate", env=made).returncode == 0
    return made


def user(
    *arguments: str, env: Mapping[str, str], password: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LINLI, "user", *arguments],
        env=env,
        input=f"{password}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


SECRET = "a long enough sentence"


def test_the_first_super_admin_and_what_follows(env: Mapping[str, str]) -> None:
    """Few commands, for each is a process; the functions behind them have tests of their own."""
    made = user("create", "Root", "--password-stdin", env=env, password=SECRET)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("super_admin root: ")
    again = user("create", "root", "--password-stdin", env=env, password=SECRET)
    assert (again.returncode, again.stderr.strip()) == (2, "linli: The username is taken")
    nowhere = user("create", "boss", "--role", "property_admin", "--generate", env=env)
    assert nowhere.returncode == 2
    assert "--at" in nowhere.stderr
    assert len(nowhere.stderr.splitlines()) == 1
    second = user("create", "second", "--generate", env=env)
    assert "to be changed at the first sign-in: " in second.stdout
    assert user("revoke", "root", "--role", "super_admin", env=env).returncode == 0
    told = user("explain", "root", "operator.manage", env=env)
    assert told.stdout.strip() == "root may not operator.manage: expired, super_admin"
    listed = user("list", env=env).stdout
    assert "共 2 条" in listed
    assert listed.count("super_admin") == 1
    assert SECRET not in made.stdout + made.stderr + listed


def test_users(env: Mapping[str, str]) -> None:
    assert user("create", "boss", "--password-stdin", env=env, password=SECRET).returncode == 0
    weak = user("password", "boss", "--password-stdin", env=env, password="short")
    assert weak.returncode == 2
    made_up = user("password", "boss", "--generate", env=env).stdout
    assert len(made_up.strip().rsplit(" ", 1)[1]) >= 16
    assert "last super admin" in user("disable", "boss", env=env).stderr
    assert "no second factor" in user("forget-second-factor", "boss", env=env).stderr
    assert user("disable", "nobody", env=env).returncode == 2


def test_demo(env: Mapping[str, str]) -> None:
    first, second = (linli("demo", "--stations", env=env) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert "/v1/doors/" in first.stdout
    absent = linli("demo", "--screens", "http://127.0.0.1:1", "--within", "1", env=env)
    assert absent.returncode == 2
    assert "did not come" in absent.stderr.splitlines()[-1]


def test_openapi(tmp_path: Path) -> None:
    out = str(tmp_path / "openapi.json")
    texts = []
    for seed in ("1", "2"):
        env = environment(tmp_path, None, PYTHONHASHSEED=seed, LINLI_HTTP__PORT="9")
        assert linli("openapi", "--out", out, env=env).returncode == 0
        texts.append(Path(out).read_text(encoding="utf-8"))
    assert texts[0] == texts[1] == document()
    assert linli("openapi", "--check", "--out", out, env=env).returncode == 0
    Path(out).write_text(texts[0].replace("signIn", "logIn"), encoding="utf-8")
    drifted = linli("openapi", "--check", "--out", out, env=env)
    assert drifted.returncode == 2
    assert "openapi-drift" not in drifted.stderr
    assert "run `linli openapi`" in drifted.stderr
    missing = linli("openapi", "--check", "--out", f"{out}.not", env=env)
    assert missing.returncode == 2


def test_the_file_in_the_repository_is_up_to_date() -> None:
    file = Path(__file__).parents[2] / "openapi.json"
    assert file.read_text(encoding="utf-8") == document(), "run `linli openapi`"
