"""Signing in: tokens, refresh and theft, sessions, lock-out, shutting out."""

import asyncio
from datetime import timedelta

import httpx
import jwt
import pytest
import structlog

from business_api.accounts import accounts, passwords, staff
from business_api.accounts.models import LoginFailure, SignInSession
from business_api.authz.roles import Role
from foundation.models import AuditEvent
from foundation.security import Keyring
from tests.business_api.conftest import PASSWORD, Api, Estate, bearer


async def actions(action: str) -> list[AuditEvent]:
    return await AuditEvent.filter(action=action).order_by("seq")


async def test_sign_in_gives_tokens_that_work(api: Api, park: Estate) -> None:
    answer = await api.sign_in(" ADMIN ")
    assert answer.status_code == 200
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 900
    assert answer.headers["cache-control"] == "no-store"

    me = await api.client.get("/v1/me", headers=bearer(tokens["access_token"]))
    assert me.json() == {
        "id": str(park.admin.id),
        "username": "admin",
        "name": "Admin",
        "phone": None,
        "language": "zh",
        "has_password": True,
        "must_change_password": False,
        "second_factor": False,
        "must_set_up_second_factor": False,
        "roles": ["community_admin"],
        "session_id": tokens["session_id"],
    }
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert claims["sub"] == str(park.admin.id)
    assert claims["sid"] == tokens["session_id"]
    assert claims["exp"] - claims["iat"] == 900
    assert len(claims["jti"]) == 26


async def test_what_is_stored_is_no_token(api: Api, park: Estate) -> None:
    tokens = await api.tokens("admin")
    session = await SignInSession.get(id=tokens["session_id"])
    assert session.token_hash not in tokens["refresh_token"]
    assert len(session.token_hash) == 64
    assert park.admin.password_hash.startswith("$argon2id$")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "x" * 5000,
        jwt.encode({"sub": "x", "sid": "y", "exp": 1}, "k" * 32, "HS256"),
        jwt.encode({"sub": "x", "sid": "y", "exp": 9**10, "iss": "linli"}, "", "none"),
    ],
)
async def test_a_token_that_is_not_ours(api: Api, park: Estate, token: str) -> None:
    answer = await api.client.get("/v1/me", headers=bearer(token))
    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/not-signed-in"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_signed_with_the_key_of_another_platform(api: Api, park: Estate) -> None:
    good = (await api.tokens("admin"))["access_token"]
    claims = jwt.decode(good, options={"verify_signature": False})
    forged = jwt.encode(claims, Keyring(bytes(32)).derive("jwt"), "HS256")
    assert (await api.client.get("/v1/me", headers=bearer(forged))).status_code == 401


async def test_an_access_token_ends_and_a_refresh_goes_on(api: Api, park: Estate) -> None:
    tokens = await api.tokens("admin")
    api.time.ahead = timedelta(minutes=15, seconds=1)
    assert (
        await api.client.get("/v1/me", headers=bearer(tokens["access_token"]))
    ).status_code == 401

    body = {"refresh_token": tokens["refresh_token"]}
    answer = await api.client.post("/v1/auth/refresh", json=body)
    assert answer.status_code == 200
    following = answer.json()
    assert following["session_id"] == tokens["session_id"]
    assert following["refresh_token"] != tokens["refresh_token"]
    me = await api.client.get("/v1/me", headers=bearer(following["access_token"]))
    assert me.status_code == 200


async def test_a_stolen_refresh_token_ends_the_session(api: Api, park: Estate) -> None:
    tokens = await api.tokens("admin")
    other = await api.tokens("admin")
    spent = {"refresh_token": tokens["refresh_token"]}
    following = (await api.client.post("/v1/auth/refresh", json=spent)).json()

    again = await api.client.post("/v1/auth/refresh", json=spent)
    assert again.status_code == 401
    # Whoever it was, both lose the session, at once; the owner's other one goes on.
    for token in (tokens["access_token"], following["access_token"]):
        assert (await api.client.get("/v1/me", headers=bearer(token))).status_code == 401
    latest = {"refresh_token": following["refresh_token"]}
    assert (await api.client.post("/v1/auth/refresh", json=latest)).status_code == 401
    assert (
        await api.client.get("/v1/me", headers=bearer(other["access_token"]))
    ).status_code == 200
    revoked = await actions("session.revoke")
    assert [line.facts["reason"] for line in revoked] == ["token_reuse"]


async def test_two_refreshes_at_once_are_not_both_good(api: Api, park: Estate) -> None:
    body = {"refresh_token": (await api.tokens("admin"))["refresh_token"]}
    answers = await asyncio.gather(
        *(api.client.post("/v1/auth/refresh", json=body) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]


@pytest.mark.parametrize("token", ["x", "AAAA", "é" * 20, "A" * 107, "=" * 50])
async def test_a_made_up_refresh_token(api: Api, park: Estate, token: str) -> None:
    answer = await api.client.post("/v1/auth/refresh", json={"refresh_token": token})
    assert answer.status_code == 401
    assert not await actions("session.revoke")


async def test_a_refresh_token_ends_after_thirty_days(api: Api, park: Estate) -> None:
    tokens = await api.tokens("admin")
    api.time.ahead = timedelta(days=30, seconds=1)
    body = {"refresh_token": tokens["refresh_token"]}
    assert (await api.client.post("/v1/auth/refresh", json=body)).status_code == 401


async def test_sign_out(api: Api, park: Estate) -> None:
    tokens = await api.tokens("admin")
    headers = bearer(tokens["access_token"])
    assert (await api.client.post("/v1/auth/logout", headers=headers)).status_code == 204
    assert (await api.client.get("/v1/me", headers=headers)).status_code == 401
    body = {"refresh_token": tokens["refresh_token"]}
    assert (await api.client.post("/v1/auth/refresh", json=body)).status_code == 401
    assert len(await actions("session.end")) == 1


async def test_sessions_are_listed_and_ended_by_their_owner_only(api: Api, park: Estate) -> None:
    await api.account("zhang")
    phone, desk = await api.tokens("zhang"), await api.tokens("zhang")
    foreign = await api.tokens("admin")
    headers = bearer(desk["access_token"])

    listed = (await api.client.get("/v1/auth/sessions", headers=headers)).json()
    assert listed["total"] == 2
    assert {row["id"]: row["current"] for row in listed["items"]} == {
        phone["session_id"]: False,
        desk["session_id"]: True,
    }
    other = f"/v1/auth/sessions/{foreign['session_id']}"
    assert (await api.client.delete(other, headers=headers)).status_code == 404
    mine = f"/v1/auth/sessions/{phone['session_id']}"
    assert (await api.client.delete(mine, headers=headers)).status_code == 204
    assert (await api.client.delete(mine, headers=headers)).status_code == 404
    assert (
        await api.client.get("/v1/me", headers=bearer(phone["access_token"]))
    ).status_code == 401
    assert (await api.client.get("/v1/me", headers=headers)).status_code == 200
    assert (await api.client.get("/v1/me", headers=park.headers)).status_code == 200


async def test_the_oldest_session_makes_room(
    api: Api, park: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("business_api.accounts.sessions.MOST", 2)
    await api.account("zhang")
    first, *rest = [await api.tokens("zhang") for _ in range(3)]
    assert (
        await api.client.get("/v1/me", headers=bearer(first["access_token"]))
    ).status_code == 401
    for tokens in rest:
        headers = bearer(tokens["access_token"])
        assert (await api.client.get("/v1/me", headers=headers)).status_code == 200


async def test_nobody_learns_which_usernames_exist(api: Api, park: Estate) -> None:
    await api.account("gone")
    gone = await accounts.find("gone")
    await accounts.disable(api.context, "platform", gone.id)
    bodies = []
    for username, password in (("admin", "wrong"), ("nobody", "wrong"), ("gone", PASSWORD)):
        answer = await api.sign_in(username, password)
        assert answer.status_code == 401
        body = answer.json()
        body.pop("request_id")
        bodies.append(body)
    assert bodies[0] == bodies[1] == bodies[2]
    assert bodies[0]["type"] == "/problems/wrong-credentials"


async def test_failures_are_audited_without_what_was_typed(api: Api, park: Estate) -> None:
    with structlog.testing.capture_logs() as logs:
        await api.sign_in("admin", "wrong")
        await api.sign_in("my secret phrase", "other secret phrase")
    known, unknown = await actions("session.refuse")
    assert known.object == f"account/{park.admin.id}"
    assert known.community_id == park.id
    assert unknown.object.startswith("username/")
    assert unknown.community_id is None
    written = f"{known.facts} {unknown.object} {unknown.facts} {logs}"
    failures = await LoginFailure.all()
    written += "".join(failure.who for failure in failures)
    assert len(failures) == 2
    assert "secret" not in written
    assert "wrong" not in written


async def test_lock_out_after_ten_tries_whether_the_name_exists_or_not(
    api: Api, park: Estate
) -> None:
    with api.settings(login_tries=3):
        for username in ("admin", "nobody"):
            for _ in range(3):
                assert (await api.sign_in(username, "wrong")).status_code == 401
            for password in ("wrong", PASSWORD):
                locked = await api.sign_in(username, password)
                assert locked.status_code == 429
                assert locked.json()["type"] == "/problems/too-many-tries"
                assert 1 <= int(locked.headers["retry-after"]) <= 900
        # The session that was open before goes on, and can be refreshed and changed.
        assert (await api.client.get("/v1/me", headers=park.headers)).status_code == 200
        body = {"current": PASSWORD, "new": "another long password"}
        changed = await api.client.post("/v1/me/password", json=body, headers=park.headers)
        assert changed.status_code == 204
        # Somebody else may sign in from the same address.
        await api.account("zhang")
        assert (await api.sign_in("zhang")).status_code == 200
        # The lock is not prolonged by knocking at it.
        api.time.ahead = timedelta(minutes=15, seconds=1)
        assert (await api.sign_in("admin", "another long password")).status_code == 200


async def test_many_tries_at_once_are_counted_too(api: Api, park: Estate) -> None:
    with api.settings(login_tries=3):
        answers = await asyncio.gather(*(api.sign_in("admin", "wrong") for _ in range(12)))
    looked_at = [answer for answer in answers if answer.status_code == 401]
    assert len(looked_at) <= 3
    assert {answer.status_code for answer in answers} <= {401, 429}


async def test_an_address_that_fails_too_often(api: Api, park: Estate) -> None:
    with api.settings(address_tries=4):
        for n in range(4):
            assert (await api.sign_in(f"guess{n}", "wrong")).status_code == 401
        assert (await api.sign_in("admin")).status_code == 429


async def test_one_owner_of_many_addresses(api: Api, park: Estate) -> None:
    async def status(address: str) -> int:
        far = httpx.ASGITransport(api.app, client=(address, 1))
        async with httpx.AsyncClient(transport=far, base_url="http://linli.test") as client:
            body = {"username": address, "password": "wrong"}
            return (await client.post("/v1/auth/login", json=body)).status_code

    with api.settings(address_tries=2):
        same = [await status(f"2001:db8::{n}") for n in range(1, 4)]
        assert same == [401, 401, 429]
        assert await status("2001:db8:0:1::1") == 401


async def test_right_passwords_do_not_add_up(api: Api, park: Estate) -> None:
    with api.settings(login_tries=2):
        for _ in range(4):
            assert (await api.sign_in("admin")).status_code == 200
    assert await LoginFailure.all().count() == 0


async def test_a_disabled_account_is_out_at_once(api: Api, park: Estate) -> None:
    await api.account("zhang")
    tokens = await api.tokens("zhang")
    headers = bearer(tokens["access_token"])
    assert (await api.client.get("/v1/me", headers=headers)).status_code == 200
    zhang = await accounts.find("zhang")
    await accounts.disable(api.context, "platform", zhang.id)
    assert (await api.client.get("/v1/me", headers=headers)).status_code == 401
    body = {"refresh_token": tokens["refresh_token"]}
    assert (await api.client.post("/v1/auth/refresh", json=body)).status_code == 401
    assert (await api.sign_in("zhang")).status_code == 401
    await accounts.enable(api.context, "platform", zhang.id)
    assert (await api.sign_in("zhang")).status_code == 200
    assert (await api.client.get("/v1/me", headers=headers)).status_code == 401


async def test_a_change_of_password_ends_the_other_sessions(api: Api, park: Estate) -> None:
    other = await api.tokens("admin")
    body = {"current": PASSWORD, "new": "another long password"}
    answer = await api.client.post("/v1/me/password", json=body, headers=park.headers)
    assert answer.status_code == 204
    assert (await api.client.get("/v1/me", headers=park.headers)).status_code == 200
    assert (
        await api.client.get("/v1/me", headers=bearer(other["access_token"]))
    ).status_code == 401
    assert (await api.sign_in("admin")).status_code == 401
    assert (await api.sign_in("admin", "another long password")).status_code == 200
    (line,) = await actions("account.password")
    assert line.facts == {"sessions_ended": 1, "address": "127.0.0.1"}
    assert line.community_id == park.id


@pytest.mark.parametrize(
    ("passwords", "refusal"),
    [
        (("wrong", "another long password"), ("wrong-password", None)),
        ((PASSWORD, "x" * 11), ("weak-password", "too_short")),
        ((PASSWORD, "Qwerty123456"), ("weak-password", "common")),
        ((PASSWORD, "linli-username-12"), ("weak-password", "known_word")),
        ((PASSWORD, "The-long-username"), ("weak-password", "known_word")),
    ],
)
async def test_a_password_that_cannot_be_set(
    api: Api, park: Estate, passwords: tuple[str, str], refusal: tuple[str, str | None]
) -> None:
    await api.account("the-long-username")
    headers = await api.headers("the-long-username")
    body = {"current": passwords[0], "new": passwords[1]}
    answer = await api.client.post("/v1/me/password", json=body, headers=headers)
    code, reason = refusal
    assert answer.json()["type"] == f"/problems/{code}"
    assert answer.json().get("reason") == reason


async def test_guessing_the_current_password_in_an_open_session(api: Api, park: Estate) -> None:
    body = {"current": "wrong", "new": "another long password"}
    with api.settings(login_tries=2):
        codes = [
            (await api.client.post("/v1/me/password", json=body, headers=park.headers)).status_code
            for _ in range(3)
        ]
        assert codes == [403, 403, 429]
        assert (await api.sign_in("admin")).status_code == 200  # counted apart


async def test_a_password_typed_on_another_keyboard(api: Api, park: Estate) -> None:
    composed, decomposed = "caf\u00e9 caf\u00e9 caf\u00e9", "cafe\u0301 cafe\u0301 cafe\u0301"
    new = await staff.prepare(staff.NewStaff("Zo\u00eb", composed, "Zoë"), must_change=False)
    await staff.create(api.context, "platform", new, Role.CASHIER, park.site)
    assert (await api.sign_in("zoe\u0308", decomposed)).status_code == 200


async def test_too_many_password_checks_at_once_are_refused(
    api: Api, park: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_WAITING", 0)
    answer = await api.sign_in("admin")
    assert answer.status_code == 503
    assert answer.json()["type"] == "/problems/sign-in-busy"
    assert await LoginFailure.all().count() == 0
