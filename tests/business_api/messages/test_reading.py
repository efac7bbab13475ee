from datetime import timedelta
from uuid import UUID

import pytest

from business_api import housekeeping
from business_api.accounts.models import Account
from business_api.messages import forgetting
from business_api.messages.models import (
    Delivery,
    Message,
    MessagePreference,
    PushSubscription,
    QuietHours,
    WeChatBinding,
)
from business_api.messages.preferences import CHOICES
from business_api.messages.routing import route
from foundation.ids import new_id
from tests.business_api.conftest import Api, Estate
from tests.business_api.messages.desk import told
from tests.support.statements import statements


async def ids(api: Api, headers: dict[str, str], **query: str) -> list[str]:
    answer = await api.client.get("/v1/me/messages", headers=headers, params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def unread(api: Api, headers: dict[str, str]) -> int:
    answer = await api.client.get("/v1/me/messages/unread", headers=headers)
    return int(answer.json()["unread"])


async def test_one_reads_what_one_was_told_in_ones_language(api: Api, park: Estate):
    await told(api.context, [park.admin.id], kind="certification.submitted", name="王<b>芳")
    answer = await api.client.get(
        "/v1/me/messages", headers=park.headers | {"Accept-Language": "en"}
    )
    [item] = answer.json()["items"]
    row = await Message.get()
    assert item == {
        "id": str(row.id),
        "kind": "certification.submitted",
        "group": "work",
        "urgent": False,
        "title": "A certification waits for review",
        "body": 'Somebody called "王<b>芳" applies for 1号楼 0101. Please review.',
        "refs": {"certification_id": "x"},
        "created_at": item["created_at"],
        "read_at": None,
    }
    chinese = (await api.client.get("/v1/me/messages", headers=park.headers)).json()
    assert chinese["items"][0]["title"] == "房屋认证待审核"


async def test_pages_unread_and_marking(api: Api, park: Estate):
    for number in range(5):
        await told(api.context, [park.admin.id], key=str(number))
    everything = await ids(api, park.headers)
    assert len(everything) == 5
    newest = [str(row.id) for row in await Message.all().order_by("-id")]
    assert everything == newest
    assert await ids(api, park.headers, page="2", size="2") == newest[2:4]

    for _ in range(2):
        answer = await api.client.post(f"/v1/me/messages/{newest[0]}/read", headers=park.headers)
        assert answer.status_code == 204
    assert await unread(api, park.headers) == 4
    assert await ids(api, park.headers, unread="true") == newest[1:]

    until = (await Message.get(id=newest[3])).created_at.isoformat()
    answer = await api.client.post(
        "/v1/me/messages/read", headers=park.headers, json={"until": until}
    )
    assert answer.json() == {"unread": 2}
    answer = await api.client.post("/v1/me/messages/read", headers=park.headers, json={})
    assert answer.json() == {"unread": 0}


async def test_what_others_were_told_does_not_exist(api: Api, park: Estate, elsewhere: Estate):
    await told(api.context, [park.admin.id])
    row = await Message.get()
    assert await ids(api, elsewhere.headers) == []
    for id_ in (row.id, new_id()):
        answer = await api.client.post(f"/v1/me/messages/{id_}/read", headers=elsewhere.headers)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-message")
    await api.client.post("/v1/me/messages/read", headers=elsewhere.headers, json={})
    assert await unread(api, park.headers) == 1


async def test_lists_cost_the_same_for_one_and_for_many(api: Api, park: Estate):
    await told(api.context, [park.admin.id])
    await ids(api, park.headers)
    with statements() as one:
        await ids(api, park.headers)
    for number in range(20):
        await told(api.context, [park.admin.id], key=f"n{number}")
    with statements() as many:
        await ids(api, park.headers, size="100")
    assert len(one) == len(many)


async def test_a_message_of_a_version_that_is_gone_is_not_shown(api: Api, park: Estate):
    await told(api.context, [park.admin.id])
    await told(api.context, [park.admin.id], key="2")
    await Message.filter(key="2").update(kind="no.such")
    await Message.filter(key="1").update(params={})  # of older words
    [item] = (await api.client.get("/v1/me/messages", headers=park.headers)).json()["items"]
    assert item["refs"] == {"certification_id": ""}
    assert await unread(api, park.headers) == 1
    await route(api.context)
    assert await Message.filter(round=None).count() == 0


async def test_wishes(api: Api, park: Estate):
    url = "/v1/me/message-preferences"
    found = (await api.client.get(url, headers=park.headers)).json()
    assert [(row["group"], row["channel"]) for row in found["channels"]] == list(CHOICES)
    assert all(row["on"] for row in found["channels"])
    assert found["quiet"] is None

    wish = {
        "channels": [{"group": "home", "channel": "sms", "on": False}],
        "quiet": {"begin": "22:30", "end": "07:00", "zone": "Europe/Berlin"},
    }
    for _ in range(2):
        answer = await api.client.put(url, headers=park.headers, json=wish)
        assert answer.status_code == 200, answer.text
    found = (await api.client.get(url, headers=park.headers)).json()
    assert found == answer.json()
    assert [row for row in found["channels"] if not row["on"]] == wish["channels"]
    assert found["quiet"] == wish["quiet"]
    hours = await QuietHours.get()
    assert (hours.begin, hours.end) == (22 * 60 + 30, 7 * 60)

    await api.client.put(url, headers=park.headers, json={"channels": []})
    found = (await api.client.get(url, headers=park.headers)).json()
    assert all(row["on"] for row in found["channels"])
    assert found["quiet"] is None


CHOICE = {"group": "home", "channel": "sms", "on": False}


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"channels": [CHOICE, CHOICE]},
        {"channels": [{"group": "work", "channel": "sms", "on": True}]},
        {"channels": [{"group": "x", "channel": "sms", "on": True}]},
        {"channels": [CHOICE | {"account_id": str(UUID(int=1))}]},
        {"channels": [CHOICE] * 101},
        {"channels": [], "quiet": {"begin": "24:00", "end": "07:00"}},
        {"channels": [], "quiet": {"begin": "22:00", "end": "22:00"}},
        {"channels": [], "quiet": {"begin": "22:00", "end": "07:00", "zone": "../../etc/passwd"}},
        {"channels": [], "quiet": {"begin": "22:00", "end": "07:00", "zone": "\0"}},
        {"channels": [], "quiet": {"begin": "٢٢:00", "end": "07:00"}},
    ],
)
async def test_wishes_that_make_no_sense(api: Api, park: Estate, wish):
    answer = await api.client.put("/v1/me/message-preferences", headers=park.headers, json=wish)
    assert answer.status_code == 422, answer.text


async def test_messages_are_kept_half_a_year(api: Api, park: Estate):
    await told(api.context, [park.admin.id])
    await Message.all().update(created_at=api.time() - timedelta(days=179))
    await Delivery.create(
        message=await Message.get(),
        account_id=park.admin.id,
        channel="sms",
        lane=1,
    )
    await housekeeping.forget(api.context)
    assert await Message.all().count() == 1
    api.time.ahead = timedelta(days=2)
    await housekeeping.forget(api.context)
    assert (await Message.all().count(), await Delivery.all().count()) == (0, 0)


async def test_nothing_is_left_of_an_account_that_is_gone(
    api: Api, park: Estate, elsewhere: Estate
):
    for account in (park.admin, elsewhere.admin):
        await told(api.context, [account.id])
        await MessagePreference.create(account_id=account.id, group="home", channel="sms", on=False)
        await QuietHours.create(account_id=account.id, begin=0, end=1, zone="UTC")
        await WeChatBinding.create(
            account_id=account.id,
            openid_sealed=b"x",
            openid_index=account.username,
            created_at=api.time(),
        )
        await PushSubscription.create(
            account_id=account.id,
            session_id=new_id(),
            endpoint_sealed=b"x",
            endpoint_index=account.username,
            key_sealed=b"x",
            host="x",
            created_at=api.time(),
        )
    await Account.filter(id=park.admin.id).update(deleted_at=api.time())
    assert await forgetting.forget(api.context) == 5
    for model in (Message, MessagePreference, QuietHours, WeChatBinding, PushSubscription):
        assert await model.all().values_list("account_id", flat=True) == [elsewhere.admin.id]
    assert await forgetting.forget(api.context) == 0
