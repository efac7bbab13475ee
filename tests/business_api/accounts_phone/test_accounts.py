"""Residents' accounts: made by phone, entered by password or code, moved, and ended."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import structlog

from business_api.accounts import accounts, phone_accounts, private, roles
from business_api.accounts.errors import NoSuchAccount
from business_api.accounts.models import Account, RecoveryCode, RoleGrant, SignInSession
from business_api.accounts.phone_accounts import PhoneTaken
from business_api.authz.roles import Role
from business_api.authz.scope import ScopeType
from business_api.people.models import Person
from business_api.places.names import way_home
from business_api.tenancy import place
from device_registry.access import grants
from foundation import outbox
from foundation.models import AuditEvent
from tests.business_api.accounts_phone.residents import (
    OTHER,
    PASSWORD,
    PHONE,
    THIRD,
    Phone,
    code_of,
)
from tests.business_api.conftest import Api, Estate, bearer
from tests.support import tenants
from tests.support.sms import code_to, texts_to
from tests.support.until import until

MINUTE = timedelta(minutes=1, seconds=1)
NEW = "another long password"


async def test_register_and_sign_in_in_every_way(api: Api) -> None:
    wang = await Phone(api).register()
    me = (await wang.call("GET", "/v1/me")).json()
    assert (me["username"], me["name"], me["phone"]) == (None, "王五", "138****8000")
    assert me["has_password"] is True
    for typed in ("13800138000", "+86 138-0013-8000", " 138 0013 8000 ", "１３８００１３８０００"):
        assert (await wang.sign_in(username=typed)).status_code == 200, typed
    api.time.ahead += MINUTE
    code = await wang.code("sign_in")
    answer = await wang.post("/v1/auth/login/code", phone="138 0013 8000", code=code)
    assert answer.status_code == 200
    wang.headers = bearer(answer.json()["access_token"])
    assert await wang.is_in()
    again = await wang.post("/v1/auth/login/code", phone=PHONE, code=code)
    assert (again.status_code, code_of(again)) == (403, "code-expired")


async def test_what_is_stored_and_logged_names_no_number(api: Api) -> None:
    with structlog.testing.capture_logs() as logs:
        wang = await Phone(api).register()
        await wang.sign_in()
    account = await Account.get(phone_index__not_isnull=True)
    assert b"13800138000" not in bytes(account.phone_sealed or b"")
    assert "13800138000" not in f"{account.phone_index}"
    assert await phone_accounts.phone_of(api.context, account) == PHONE
    found = await phone_accounts.find_by_phone(api.context, "138 0013 8000")
    assert found is not None
    assert found.id == account.id
    lines = [(line.action, line.object, line.facts) for line in await AuditEvent.all()]
    assert [action for action, *_ in lines] == [
        "account.register",
        "session.begin",
        "session.begin",
    ]
    for text in (f"{logs}", f"{lines}"):
        assert "13800138000" not in text
        assert "王五" not in text


async def test_without_a_password_the_account_is_entered_by_codes_only(api: Api) -> None:
    wang = await Phone(api).register(password=None)
    assert (await wang.call("GET", "/v1/me")).json()["has_password"] is False
    # The last is the password of nobody, against which such tries are compared.
    for password in (PASSWORD, "x", "\N{REPLACEMENT CHARACTER}" * 40):
        assert (await wang.sign_in(password)).status_code == 401
    api.time.ahead += MINUTE
    body = {"code": await wang.own_code("password"), "new": NEW}
    assert (await wang.post("/v1/me/password/code", **body)).status_code == 204
    assert await wang.is_in()
    assert (await wang.sign_in(NEW)).status_code == 200


async def test_fifty_registrations_at_once_make_one_account(api: Api) -> None:
    wang = Phone(api)
    code = await wang.code("register")
    body = {"phone": PHONE, "code": code, "name": "王五"}
    answers = await asyncio.gather(*(wang.post("/v1/auth/register", **body) for _ in range(50)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 403, 429}
    assert await Account.all().count() == 1
    assert await SignInSession.all().count() == 1


async def test_the_index_decides_whose_the_number_is(api: Api) -> None:
    outcomes = await asyncio.gather(
        *(phone_accounts.register(api.context, PHONE, f"n{n}") for n in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, PhoneTaken) for each in outcomes) == 19
    assert await Account.all().count() == 1
    # A code that was under way when somebody else registered: it proves the number, and the
    # answer may say how things are.
    zhang = Phone(api, OTHER)
    code = await zhang.code("register")
    await phone_accounts.register(api.context, OTHER, "张三")
    answer = await zhang.post("/v1/auth/register", phone=OTHER, code=code, name="张三")
    assert (answer.status_code, code_of(answer)) == (409, "phone-taken")


async def test_a_registration_that_fails_can_be_repeated_with_its_code(api: Api) -> None:
    wang = Phone(api)
    body: dict[str, Any] = {"phone": PHONE, "code": await wang.code("register"), "name": "王五"}
    for password, reason in (
        ("short", "too_short"),
        ("password1234", "common"),
        ("13800138000!", "known_word"),
    ):
        weak = await wang.post("/v1/auth/register", **body, password=password)
        assert (code_of(weak), weak.json()["reason"]) == ("weak-password", reason)
    assert (await wang.post("/v1/auth/register", **body)).status_code == 201


async def test_a_forgotten_password_and_every_session_ends(api: Api) -> None:
    wang = await Phone(api).register()
    api.time.ahead += MINUTE
    body = {"phone": PHONE, "code": await wang.code("password"), "new": NEW}
    stranger = Phone(api)
    assert (
        await stranger.post("/v1/auth/password", **body | {"new": "王五王五王五王五1234"})
    ).json()["reason"] == "known_word"
    assert (await stranger.post("/v1/auth/password", **body)).status_code == 204
    assert not await wang.is_in()
    assert (await wang.sign_in()).status_code == 401
    assert (await wang.sign_in(NEW)).status_code == 200
    assert (await stranger.post("/v1/auth/password", **body)).status_code == 403


async def test_a_password_set_by_code_keeps_the_second_factor(api: Api) -> None:
    wang = await Phone(api).register()
    account = await Account.get()
    await Account.filter(id=account.id).update(
        totp_sealed=private.seal(api.context, account, "totp", "A" * 32), totp_at=api.time()
    )
    api.time.ahead += MINUTE
    body = {"phone": PHONE, "code": await wang.code("password"), "new": NEW}
    assert (await wang.post("/v1/auth/password", **body)).status_code == 204
    api.time.ahead += MINUTE
    for answer in (
        await wang.sign_in(NEW),
        await wang.post("/v1/auth/login/code", phone=PHONE, code=await wang.code("sign_in")),
    ):
        assert answer.status_code == 200
        assert set(answer.json()) == {"challenge", "expires_in"}


async def test_sessions_are_listed_and_ended_everywhere(api: Api) -> None:
    wang = await Phone(api).register()
    tablet = Phone(api, address="203.0.113.11")
    signed_in = await tablet.call(
        "POST",
        "/v1/auth/login",
        json={"username": PHONE, "password": PASSWORD},
        headers={"User-Agent": "tablet/1"},
    )
    tablet.headers = bearer(signed_in.json()["access_token"])
    stranger = await Phone(api, OTHER).register()
    listed = (await wang.call("GET", "/v1/auth/sessions")).json()["items"]
    assert {(row["address"], row["agent"], row["current"]) for row in listed} == {
        ("203.0.113.10", f"python-httpx/{httpx.__version__}", True),
        ("203.0.113.11", "tablet/1", False),
    }
    answer = await wang.call("DELETE", "/v1/auth/sessions?others_only=true")
    assert answer.status_code == 204
    assert (await wang.is_in(), await tablet.is_in()) == (True, False)
    assert (await wang.call("DELETE", "/v1/auth/sessions")).status_code == 204
    assert (await wang.is_in(), await stranger.is_in()) == (False, True)


async def test_another_number_by_codes_on_both(api: Api) -> None:
    wang = await Phone(api).register()
    tablet = Phone(api)
    tablet.headers = bearer((await tablet.sign_in()).json()["access_token"])
    api.time.ahead += MINUTE
    own = await wang.own_code("phone")
    assert (await wang.post("/v1/me/phone/codes", phone=OTHER)).status_code == 202
    new = await code_to(api.context, OTHER)
    body = {"phone": OTHER, "code": new, "own_code": own}
    if own != new:
        swapped = {"phone": OTHER, "code": own, "own_code": own}
        assert code_of(await wang.post("/v1/me/phone", **swapped)) == "wrong-code"
    missing = await wang.post("/v1/me/phone", phone=OTHER, code=new)
    assert (missing.status_code, code_of(missing)) == (422, "proof-needed")
    async with api.background():
        assert (await wang.post("/v1/me/phone", **body)).status_code == 204
        api.context.wake.kick(outbox.TOPIC)
        await until(lambda: _told(api, PHONE, "其他手机号"))
    assert (await wang.is_in(), await tablet.is_in()) == (True, False)
    assert (await wang.call("GET", "/v1/me")).json()["phone"] == "139****9000"
    assert (await wang.sign_in(username=PHONE)).status_code == 401
    assert (await wang.sign_in(username=OTHER)).status_code == 200
    assert await phone_accounts.find_by_phone(api.context, PHONE) is None
    api.time.ahead += MINUTE
    await Phone(api, PHONE, "203.0.113.12").register("李四")  # the old number is free


async def _told(api: Api, phone: str, words: str) -> bool:
    return any(words in text for text in await texts_to(api.context, phone))


async def test_another_number_by_password(api: Api) -> None:
    wang = await Phone(api).register()
    assert (await wang.post("/v1/me/phone/codes", phone=OTHER)).status_code == 202
    body = {"phone": OTHER, "code": await code_to(api.context, OTHER)}
    wrong = await wang.post("/v1/me/phone", **body, password="wrong")
    assert (wrong.status_code, code_of(wrong)) == (403, "wrong-password")
    assert (await wang.post("/v1/me/phone", **body, password=PASSWORD)).status_code == 204


async def test_a_number_that_has_an_account_is_not_to_be_had(api: Api) -> None:
    wang, zhang = await Phone(api).register(), await Phone(api, OTHER).register("张三")
    api.time.ahead += MINUTE
    assert (await wang.post("/v1/me/phone/codes", phone=OTHER)).status_code == 202
    assert await _told(api, OTHER, "已有账号")
    answer = await wang.post("/v1/me/phone", phone=OTHER, code="000000", password=PASSWORD)
    assert code_of(answer) == "wrong-code"
    # Taken while the code was under way: the index decides, and the code was not used up.
    assert (await wang.post("/v1/me/phone/codes", phone=THIRD)).status_code == 202
    code = await code_to(api.context, THIRD)
    taker = await phone_accounts.register(api.context, THIRD, "赵六")
    body = {"phone": THIRD, "code": code, "password": PASSWORD}
    taken = await wang.post("/v1/me/phone", **body)
    assert (taken.status_code, code_of(taken)) == (409, "phone-taken")
    await Account.filter(id=taker.id).delete()
    assert (await wang.post("/v1/me/phone", **body)).status_code == 204
    assert await zhang.is_in()


async def test_a_code_for_ones_new_number_is_no_use_to_another_account(api: Api) -> None:
    wang, zhang = await Phone(api).register(), await Phone(api, OTHER).register("张三")
    assert (await wang.post("/v1/me/phone/codes", phone=THIRD)).status_code == 202
    body = {"phone": THIRD, "code": await code_to(api.context, THIRD), "password": PASSWORD}
    assert code_of(await zhang.post("/v1/me/phone", **body)) == "code-expired"
    assert (await wang.post("/v1/me/phone", **body)).status_code == 204


async def test_the_end_of_an_account(api: Api, park: Estate) -> None:
    """Also of the owner of a house: who lives where is not the account's to say."""
    wang = await Phone(api).register()
    account = await Account.get(phone_index__not_isnull=True)
    await tenants.settle(account, park.flat, tenants.ResidentType.OWNER, api.time())
    await RecoveryCode.create(account=account, code_hash="x")
    api.time.ahead += MINUTE
    for body, code in (
        ({}, "proof-needed"),
        ({"password": "wrong"}, "wrong-password"),
        ({"own_code": "000000"}, "code-expired"),
    ):
        assert code_of(await wang.post("/v1/me/deletion", **body)) == code
    sealed, key = bytes(account.phone_sealed or b""), bytes(account.data_key or b"")
    own = await wang.own_code("delete")
    assert (await wang.post("/v1/me/deletion", own_code=own)).status_code == 204
    assert not await wang.is_in()
    assert (await wang.sign_in()).status_code == 401
    gone = await Account.get(id=account.id)
    assert gone.deleted_at is not None
    left = (gone.name, gone.username, gone.password_hash, gone.data_key, gone.phone_sealed)
    assert left == ("", None, "", None, None)
    assert (gone.phone_index, gone.totp_sealed) == (None, None)
    assert sealed
    assert key
    assert not await RecoveryCode.exists()
    # The person stays in the register, and belongs to nobody.
    person = await Person.get(community_id=park.id)
    assert person.account_id is None
    for door in way_home(park.flat):
        held = await grants.remote(account.id, door)
        assert [grant.why_not(api.time()) for grant in held] == ["person_suspended"]
    for act in (accounts.enable, accounts.disable):
        with pytest.raises(NoSuchAccount):
            await act(api.context, "platform", account.id)
    with pytest.raises(NoSuchAccount):
        await roles.give(
            api.context, "platform", account.id, Role.COMMUNITY_ADMIN, park.community.site
        )
    # And begins anew, as somebody else.
    api.time.ahead += MINUTE
    again = await Phone(api).register()
    assert (await again.call("GET", "/v1/me")).json()["id"] != str(account.id)


async def test_who_works_here_is_let_go_first(api: Api, park: Estate) -> None:
    wang = await Phone(api).register()
    account = await Account.get(phone_index__not_isnull=True)
    now = api.time()
    grant = await RoleGrant.create(
        account=account,
        role=Role.CASHIER,
        scope_type=ScopeType.COMMUNITY,
        scope_id=park.id,
        created_at=now,
        **place(park.community.site),
    )
    refused = await wang.post("/v1/me/deletion", password=PASSWORD)
    assert (refused.status_code, code_of(refused)) == (409, "in-service")
    await RoleGrant.filter(id=grant.id).update(valid_to=now)
    assert (await wang.post("/v1/me/deletion", password=PASSWORD)).status_code == 204


async def test_deleted_twice_at_once(api: Api) -> None:
    wang = await Phone(api).register()
    answers = await asyncio.gather(
        *(wang.post("/v1/me/deletion", password=PASSWORD) for _ in range(8))
    )
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 401, 403, 404, 409}
    lines = await AuditEvent.filter(action="account.delete")
    assert len(lines) == 1


async def test_staff_keep_their_username(api: Api, park: Estate) -> None:
    """The number of staff is to call them: neither a way in, nor a reason for a code."""
    sealed = private.seal(api.context, park.admin, "phone", PHONE)
    await Account.filter(id=park.admin.id).update(phone_sealed=sealed, data_key=park.admin.data_key)
    admin = Phone(api, headers=park.headers)
    for path, body in (
        ("/v1/me/codes", {"purpose": "delete"}),
        ("/v1/me/phone/codes", {"phone": OTHER}),
        ("/v1/me/phone", {"phone": OTHER, "code": "000000", "password": tenants.PASSWORD}),
        ("/v1/me/deletion", {"password": tenants.PASSWORD}),
        ("/v1/me/password/code", {"code": "000000", "new": NEW}),
    ):
        answer = await admin.post(path, **body)
        assert (answer.status_code, code_of(answer)) == (409, "not-by-phone"), path
    assert (await admin.sign_in(tenants.PASSWORD, PHONE)).status_code == 401
    assert (await admin.ask("sign_in")).status_code == 202
    assert await _told(api, PHONE, "不能用短信登录")
    # And the resident with that number may have an account of its own.
    api.time.ahead += MINUTE
    await Phone(api).register()
