"""Web Push against a push service on loopback, which decrypts and checks what it gets."""

import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import http_ece
import pytest

from business_api.messages import deliveries
from business_api.messages.channels import Letter
from business_api.messages.models import Delivery, DeliveryState, PushSubscription
from business_api.messages.push import channel, subscriptions
from business_api.messages.push.channel import PushChannel
from business_api.messages.push.encryption import LONGEST
from foundation.ids import new_id
from tests.business_api.conftest import Api, Estate, bearer
from tests.business_api.messages.browser import (
    Browser,
    Service,
    b64,
    push_service,
    sender,
    subscribe,
    unb64,
)
from tests.business_api.messages.desk import change, posting, told
from tests.business_api.messages.peer import Answer
from tests.support.until import until

URL = "/v1/me/push-subscriptions"
LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
async def service(api: Api) -> AsyncIterator[Service]:
    change(api.context, push_networks=LOOPBACK, push_contact="mailto:ops@example.org")
    async with push_service() as here:
        yield here


async def settled() -> list[Delivery]:
    rows = await Delivery.all()
    return rows if rows and all(row.next_try is None for row in rows) else []


async def pushed(api: Api, park: Estate, key: str = "1") -> list[Delivery]:
    """Tell the admin something and wait until nothing is left to do."""
    await Delivery.all().delete()
    await told(api.context, [park.admin.id], key=key)
    async with posting(api.context, PushChannel(api.context)):
        return await until(settled)


async def listed(api: Api, park: Estate) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (
        await api.client.get(URL, headers=park.headers, params={"size": 100})
    ).json()["items"]
    return items


async def test_only_the_browser_can_read_it_and_the_service_knows_who_sends(
    api: Api, park: Estate, service: Service
):
    one, two = service.browser("one"), service.browser("two")
    for browser in (one, two):
        assert (await subscribe(api.client, park.headers, browser)).status_code == 201
    rows = await pushed(api, park)
    assert [row.state for row in rows] == [DeliveryState.SENT, DeliveryState.SENT]
    key = (await api.client.get("/v1/me/push-key", headers=park.headers)).json()["public_key"]
    for name, browser in (("one", one), ("two", two)):
        [request] = service.got(name)
        said = browser.read(request)
        assert said["title"] == "房屋认证已通过"
        assert said["body"] == "您对1号楼 0101的认证已通过审核。"
        claims, public = sender(request)
        assert public == unb64(key)
        assert claims["sub"] == "mailto:ops@example.org"
        assert 0 < claims["exp"] - time.time() <= 24 * 3600
        assert request.headers["ttl"] == "86400"
        assert request.headers["urgency"] == "normal"
        assert request.headers["topic"] == said["id"].replace("-", "")
        assert "认证".encode() not in request.body
        assert len(request.body) <= 4096
    with pytest.raises(http_ece.ECEException):
        one.read(service.got("two")[0])


async def test_nothing_of_a_browser_is_in_clear_in_the_table(
    api: Api, park: Estate, service: Service
):
    browser = service.browser("a-secret-name")
    await subscribe(api.client, park.headers, browser)
    row = await PushSubscription.get()
    stored = repr(dict(row)).encode() + row.endpoint_sealed + row.key_sealed
    assert b"a-secret-name" not in stored
    assert browser.secret not in stored
    assert set((await listed(api, park))[0]) == {"id", "host", "agent", "created_at", "current"}


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_is_gone_is_forgotten(
    api: Api, park: Estate, service: Service, status: int
):
    await subscribe(api.client, park.headers, service.browser("gone"))
    await subscribe(api.client, park.headers, service.browser("here"))
    service.answers["/push/gone"] = Answer(status)
    rows = await pushed(api, park)
    assert {row.state for row in rows} == {DeliveryState.SENT, DeliveryState.SKIPPED}
    assert len(await listed(api, park)) == 1
    await pushed(api, park, "2")
    assert (len(service.got("gone")), len(service.got("here"))) == (1, 2)


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (Answer(413), (DeliveryState.DEAD, "too_large")),
        (Answer(400), (DeliveryState.DEAD, "refused")),
        (Answer(301, headers=("Location: http://127.0.0.1:1/",)), (DeliveryState.DEAD, "refused")),
        (Answer(307, headers=("Location: /push/elsewhere",)), (DeliveryState.DEAD, "refused")),
        (Answer(429, headers=("Retry-After: 120",)), (DeliveryState.FAILED, "refused")),
        (Answer(403), (DeliveryState.FAILED, "refused")),
        (Answer(500, body=b"x" * 1_000_000), (DeliveryState.FAILED, "service")),
        (Answer(503, headers=("Retry-After: 99999999999999",)), (DeliveryState.FAILED, "service")),
        (Answer(201, headers=("X: " + "y" * 200_000,)), (DeliveryState.FAILED, "unreachable")),
    ],
)
async def test_what_a_service_says_is_understood(
    api: Api, park: Estate, service: Service, answer: Answer, end: tuple[DeliveryState, str]
):
    await subscribe(api.client, park.headers, service.browser("it"))
    service.answers["/push/it"] = answer
    await told(api.context, [park.admin.id])
    async with posting(api.context, PushChannel(api.context)):
        await until(lambda: Delivery.filter(state=end[0], lease=None).exists())
    row = await Delivery.get()
    assert (row.state, row.error) == end
    if answer.status == 429:
        assert timedelta(seconds=90) < row.next_try - api.time() <= timedelta(seconds=120)
    elif row.next_try is not None:
        assert row.next_try - api.time() <= deliveries.LONGEST_PAUSE
    assert service.got("elsewhere") == []
    assert (await PushSubscription.get()).failures == 1
    service.answers.clear()
    await pushed(api, park, "2")
    assert (await PushSubscription.get()).failures == 0


async def test_a_browser_that_never_works_is_forgotten(api: Api, park: Estate, service: Service):
    await subscribe(api.client, park.headers, service.browser("it"))
    await PushSubscription.all().update(failures=subscriptions.MOST_FAILURES - 1)
    service.answers["/push/it"] = Answer(400)
    await pushed(api, park)
    assert await listed(api, park) == []


async def test_signing_out_ends_the_pushes_of_that_browser(
    api: Api, park: Estate, service: Service
):
    other = bearer((await api.tokens("admin"))["access_token"])
    await subscribe(api.client, other, service.browser("out"))
    await subscribe(api.client, park.headers, service.browser("in"))
    assert [row["current"] for row in await listed(api, park)] == [True, False]
    await api.client.post("/v1/auth/logout", headers=other)
    rows = await pushed(api, park)
    assert sorted((row.state, row.error) for row in rows) == [
        (DeliveryState.SENT, ""),
        (DeliveryState.SKIPPED, "signed_out"),
    ]
    assert (service.got("out"), len(service.got("in"))) == ([], 1)
    assert len(await listed(api, park)) == 1


async def test_a_browser_shows_the_messages_of_who_is_signed_in(
    api: Api, park: Estate, elsewhere: Estate, service: Service
):
    shared = service.browser("shared")
    await subscribe(api.client, park.headers, shared)
    await subscribe(api.client, elsewhere.headers, shared)
    assert [row.account_id for row in await PushSubscription.all()] == [elsewhere.admin.id]

    # Who knows the address of another's browser, and not its secret, takes nothing away.
    await subscribe(api.client, park.headers, Browser(shared.endpoint))
    assert await PushSubscription.all().count() == 2
    await subscribe(api.client, park.headers, Browser(shared.endpoint))
    assert await PushSubscription.all().count() == 2


async def test_an_account_has_so_many_browsers(api: Api, park: Estate, service: Service):
    for number in range(13):
        answer = await subscribe(api.client, park.headers, service.browser(str(number)))
        assert answer.status_code == 201
    first, *rest = await listed(api, park)
    assert len(rest) == 9
    assert first["id"] == answer.json()["id"]
    gone = f"{URL}/{first['id']}"
    assert (await api.client.delete(gone, headers=park.headers)).status_code == 204
    assert (await api.client.delete(gone, headers=park.headers)).status_code == 404


async def test_others_browsers_do_not_exist(
    api: Api, park: Estate, elsewhere: Estate, service: Service
):
    row = (await subscribe(api.client, park.headers, service.browser("it"))).json()
    answer = await api.client.delete(f"{URL}/{row['id']}", headers=elsewhere.headers)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-subscription")
    assert len(await listed(api, park)) == 1
    assert (await api.client.get(URL, headers=elsewhere.headers)).json()["items"] == []


GOOD = Browser("https://push.example.org/x").json


@pytest.mark.parametrize(
    ("change_", "problem"),
    [
        ({"endpoint": "http://push.example.org/x"}, "bad-endpoint"),
        ({"endpoint": "https://localhost/x"}, "bad-endpoint"),
        ({"endpoint": "https://push.example.org/\ud800"}, "invalid-request"),
        ({"endpoint": "https://push.example.org/" + "é" * 900}, "bad-endpoint"),
        ({"keys": {"p256dh": "x", "auth": b64(bytes(16))}}, "bad-subscription"),
        ({"keys": {"p256dh": b64(b"\4" + bytes(64)), "auth": b64(bytes(16))}}, "bad-subscription"),
        ({"keys": GOOD["keys"] | {"auth": b64(bytes(15))}}, "bad-subscription"),
        ({"keys": GOOD["keys"] | {"auth": "é\0"}}, "bad-subscription"),
        ({"keys": GOOD["keys"] | {"more": "x"}}, "invalid-request"),
        ({"account_id": "x"}, "invalid-request"),
        ({"endpoint": "x" * 100_000}, "invalid-request"),
    ],
)
async def test_what_is_no_subscription_is_refused(
    api: Api, park: Estate, change_: dict[str, Any], problem: str
):
    raw = json.dumps(GOOD | change_)  # half characters too: escaped, as JSON can say them
    headers = park.headers | {"Content-Type": "application/json"}
    answer = await api.client.post(URL, headers=headers, content=raw)
    assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{problem}")
    assert await PushSubscription.all().count() == 0


def test_the_longest_words_fit():
    ids = [new_id() for _ in range(3)]
    words = ("标" * 900, "文" * 5000)
    letter = Letter(*ids, "target", "kind", {}, "zh", *words, urgent=False)
    said = json.loads(channel.content(letter))
    assert len(channel.content(letter)) <= LONGEST
    assert said["title"] == words[0]
    assert words[1].startswith(said["body"])
