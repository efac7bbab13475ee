"""The second factor: set up, asked for, lost, put off; and guessed at."""

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
import structlog

from business_api.accounts.models import Account, LoginFailure, RecoveryCode
from business_api.authz.roles import Role
from foundation.models import AuditEvent
from tests.business_api.accounts.conftest import Ladder, Staff, hire, problem
from tests.business_api.conftest import PASSWORD, Api, Estate, bearer


class Phone:
    """Somebody's authenticator, on the clock of the test."""

    def __init__(self, api: Api, secret: str) -> None:
        self._api = api
        self._totp = pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        return self._totp.at(self._api.time() + timedelta(seconds=30 * steps))

    def next(self) -> str:
        """A code that was not used yet: time goes on."""
        self._api.time.ahead += timedelta(seconds=30)
        return self.code()


async def enrolled(api: Api, staff: Staff) -> tuple[Phone, list[str]]:
    begun = await staff.post("/me/second-factor", {"password": PASSWORD})
    assert begun.status_code == 200, begun.text
    phone = Phone(api, begun.json()["secret"])
    confirmed = await staff.post("/me/second-factor/confirm", {"code": phone.code()})
    assert confirmed.status_code == 200, confirmed.text
    return phone, confirmed.json()["codes"]


async def challenge(api: Api, username: str = "worker") -> str:
    answer = await api.sign_in(username)
    assert answer.status_code == 200
    assert set(answer.json()) == {"challenge", "expires_in"}
    return str(answer.json()["challenge"])


async def second(api: Api, token: str, code: str) -> httpx.Response:
    body = {"challenge": token, "code": code}
    return await api.client.post("/v1/auth/second-factor", json=body)


@pytest.fixture
async def worker(api: Api, park: Estate) -> Staff:
    return await hire(api, "worker", Role.REPAIR_WORKER, park.site)


async def test_set_up_and_sign_in(api: Api, worker: Staff) -> None:
    other = await api.tokens("worker")
    begun = (await worker.post("/me/second-factor", {"password": PASSWORD})).json()
    uri = urlsplit(begun["uri"])
    asked = parse_qs(uri.query)
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/linli:worker")
    assert (asked["secret"], asked["issuer"]) == ([begun["secret"]], ["linli"])
    assert len(begun["secret"]) == 32
    assert begun["qr_svg"].startswith("<svg")
    # Not confirmed: nothing is asked for.
    assert "access_token" in (await api.sign_in("worker")).json()

    phone = Phone(api, begun["secret"])
    confirmed = await worker.post("/me/second-factor/confirm", {"code": phone.code()})
    assert len(set(confirmed.json()["codes"])) == 10
    assert (await worker.get("/me")).json()["second_factor"] is True
    ended = await api.client.get("/v1/me", headers=bearer(other["access_token"]))
    assert ended.status_code == 401

    token = await challenge(api)
    # The challenge is no session, and no refresh token.
    assert (await api.client.get("/v1/me", headers=bearer(token))).status_code == 401
    refresh = await api.client.post("/v1/auth/refresh", json={"refresh_token": token})
    assert refresh.status_code in (401, 422)
    tokens = await second(api, token, phone.next())
    assert tokens.status_code == 200
    me = await api.client.get("/v1/me", headers=bearer(tokens.json()["access_token"]))
    assert me.status_code == 200
    assert await LoginFailure.all().count() == 0


async def test_the_secret_is_nowhere_in_clear(api: Api, worker: Staff) -> None:
    with structlog.testing.capture_logs() as logs:
        begun = (await worker.post("/me/second-factor", {"password": PASSWORD})).json()
        phone = Phone(api, begun["secret"])
        answer = await worker.post("/me/second-factor/confirm", {"code": phone.code()})
        codes = answer.json()["codes"]
        token = await challenge(api)
        await second(api, token, codes[0])
    account = await Account.get(username="worker")
    hashes = [row.code_hash for row in await RecoveryCode.all()]
    lines = [line.facts for line in await AuditEvent.all()]
    written = f"{account.totp_sealed!r} {hashes} {lines} {logs}"
    for secret in (begun["secret"], token, *codes, *(code.replace("-", "") for code in codes)):
        assert secret not in written
    assert len(hashes) == 10


async def test_a_code_is_good_once_and_one_step_off(api: Api, worker: Staff) -> None:
    phone, _ = await enrolled(api, worker)
    used = phone.code()
    assert problem(await second(api, await challenge(api), used)) == "wrong-second-factor"
    api.time.ahead += timedelta(minutes=10)
    for steps, good in ((-2, False), (2, False), (-1, True), (0, True), (1, True)):
        answer = await second(api, await challenge(api), phone.code(steps))
        assert (answer.status_code == 200) is good, steps
    # A later one was used: those before are spent with it.
    for steps in (-1, 0, 1):
        answer = await second(api, await challenge(api), phone.code(steps))
        assert problem(answer) == "wrong-second-factor"


async def test_of_two_with_the_same_code_one_gets_in(api: Api, worker: Staff) -> None:
    phone, codes = await enrolled(api, worker)
    for code in (phone.next(), codes[0]):
        token = await challenge(api)
        answers = await asyncio.gather(*(second(api, token, code) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403, 403]


async def test_guesses_are_counted_and_limited(api: Api, worker: Staff) -> None:
    phone, codes = await enrolled(api, worker)
    with api.settings(login_tries=3):
        token = await challenge(api)
        answers = await asyncio.gather(*(second(api, token, "000000") for _ in range(8)))
        looked_at = [answer.status_code for answer in answers].count(403)
        assert looked_at <= 3
        for _ in range(3 - looked_at):
            assert (await second(api, token, "000000")).status_code == 403
        for code in ("000000", phone.next(), codes[0]):
            locked = await second(api, await challenge(api), code)
            assert problem(locked) == "too-many-tries"
            assert int(locked.headers["retry-after"]) > 0
        # The right password does not start the count anew; time does.
        api.time.ahead += timedelta(minutes=15, seconds=1)
        assert (await second(api, await challenge(api), phone.code())).status_code == 200
    refused = await AuditEvent.filter(action="session.refuse")
    assert {line.facts["by"] for line in refused} == {"second_factor"}
    assert {line.object for line in refused} == {f"account/{worker.account.id}"}


@pytest.mark.parametrize(
    "code", ["1", "12345", "1234567", "abcdef", "-", "٣٤٥٦٧٨", "0" * 40, "0" * 41, "\x00", ""]
)
async def test_codes_that_are_none(api: Api, worker: Staff, code: str) -> None:
    await enrolled(api, worker)
    answer = await second(api, await challenge(api), code)
    assert problem(answer) in {"wrong-second-factor", "invalid-request"}


@pytest.mark.parametrize("token", ["x", "a.b.c", "x" * 2000, "\ud83d", "é"])
async def test_challenges_that_are_none(api: Api, worker: Staff, token: str) -> None:
    if token == "\ud83d":
        content = b'{"challenge": "\\ud83d", "code": "123456"}'
        headers = {"Content-Type": "application/json"}
        answer = await api.client.post("/v1/auth/second-factor", content=content, headers=headers)
    else:
        answer = await second(api, token, "123456")
    assert problem(answer) in {"challenge-over", "invalid-request"}


async def test_a_challenge_ends(api: Api, park: Estate, worker: Staff, ladder: Ladder) -> None:
    phone, _ = await enrolled(api, worker)
    late = await challenge(api)
    api.time.ahead += timedelta(minutes=5, seconds=1)
    assert problem(await second(api, late, phone.code())) == "challenge-over"
    # An access token is no challenge.
    foreign = park.headers["Authorization"].split()[1]
    assert problem(await second(api, foreign, phone.code())) == "challenge-over"
    account = f"/accounts/{worker.account.id}"
    disabled = await challenge(api)
    assert (await ladder.community.post(f"{account}/disable")).status_code == 204
    assert problem(await second(api, disabled, phone.code())) == "challenge-over"
    assert (await ladder.community.post(f"{account}/enable")).status_code == 204
    changed = await challenge(api)
    reset = await ladder.community.post(f"{account}/password", {})
    assert reset.status_code == 200
    assert problem(await second(api, changed, phone.code())) == "challenge-over"


async def test_recovery_codes(api: Api, worker: Staff) -> None:
    phone, codes = await enrolled(api, worker)
    typed = codes[0].upper().replace("-", " ").replace("0", "O").replace("1", "I")
    assert (await second(api, await challenge(api), typed)).status_code == 200
    assert problem(await second(api, await challenge(api), codes[0])) == "wrong-second-factor"
    body = {"password": PASSWORD, "code": phone.next()}
    tokens = (await second(api, await challenge(api), phone.next())).json()
    staff = Staff(api, worker.account, bearer(tokens["access_token"]))
    assert problem(await staff.post("/me/second-factor/recovery-codes", body)) == (
        "wrong-second-factor"  # that of the sign-in came later
    )
    body["code"] = phone.next()
    fresh = (await staff.post("/me/second-factor/recovery-codes", body)).json()["codes"]
    assert not set(fresh) & set(codes)
    assert problem(await second(api, await challenge(api), codes[1])) == "wrong-second-factor"
    assert (await second(api, await challenge(api), fresh[1])).status_code == 200
    assert await RecoveryCode.all().count() == 10


async def test_putting_it_off_needs_both(api: Api, worker: Staff) -> None:
    phone, _ = await enrolled(api, worker)
    off = "/me/second-factor/off"
    wrong = await worker.post(off, {"password": "wrong", "code": phone.next()})
    assert problem(wrong) == "wrong-password"
    wrong = await worker.post(off, {"password": PASSWORD, "code": "000000"})
    assert problem(wrong) == "wrong-second-factor"
    begun = await worker.post("/me/second-factor", {"password": PASSWORD})
    assert problem(begun) == "second-factor-on"
    confirmed = await worker.post("/me/second-factor/confirm", {"code": phone.code()})
    assert problem(confirmed) == "second-factor-on"
    done = await worker.post(off, {"password": PASSWORD, "code": phone.code()})
    assert done.status_code == 204
    assert "access_token" in (await api.sign_in("worker")).json()
    again = await worker.post(off, {"password": PASSWORD, "code": phone.code()})
    assert problem(again) == "second-factor-off"
    assert await RecoveryCode.all().count() == 0


async def test_confirming_without_the_secret(api: Api, worker: Staff) -> None:
    nothing = await worker.post("/me/second-factor/confirm", {"code": "123456"})
    assert problem(nothing) == "second-factor-off"
    wrong = await worker.post("/me/second-factor", {"password": "wrong"})
    assert problem(wrong) == "wrong-password"
    with api.settings(login_tries=2):
        await worker.post("/me/second-factor", {"password": PASSWORD})
        codes = [
            problem(await worker.post("/me/second-factor/confirm", {"code": "000000"}))
            for _ in range(3)
        ]
    assert codes[-1] == "too-many-tries"
    assert "access_token" in (await api.sign_in("worker")).json()


async def test_an_admin_lets_in_who_lost_it(api: Api, worker: Staff, ladder: Ladder) -> None:
    path = f"/accounts/{worker.account.id}/second-factor/reset"
    assert problem(await ladder.community.post(path)) == "second-factor-off"
    await enrolled(api, worker)
    assert problem(await ladder.company.post(path)) == "may-not-manage"
    assert (await ladder.community.post(path)).status_code == 204
    assert (await worker.get("/me")).status_code == 401
    assert "access_token" in (await api.sign_in("worker")).json()
    (line,) = await AuditEvent.filter(action="account.second_factor_off")
    assert line.actor == f"account/{ladder.community.account.id}"
    assert line.community_id is not None


async def test_it_may_be_required_above_communities(api: Api, park: Estate, ladder: Ladder) -> None:
    with api.settings(require_second_factor=True):
        for staff in (ladder.root, ladder.operator, ladder.company):
            me = (await staff.get("/me")).json()
            assert me["must_set_up_second_factor"] is True
            refused = await staff.get("/accounts")
            assert problem(refused) == "second-factor-set-up-needed"
        assert (await ladder.community.get("/accounts")).status_code == 200
        await enrolled(api, ladder.company)
        assert (await ladder.company.get("/accounts")).status_code == 200
        assert (await ladder.company.get("/me")).json()["must_set_up_second_factor"] is False


async def test_first_the_password_then_the_factor(api: Api, park: Estate, ladder: Ladder) -> None:
    await Account.filter(id=ladder.company.account.id).update(must_change_password=True)
    with api.settings(require_second_factor=True):
        headers = await api.headers("company")
        answer = await api.client.post(
            "/v1/me/second-factor", json={"password": PASSWORD}, headers=headers
        )
        assert problem(answer) == "password-change-needed"
