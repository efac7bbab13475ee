"""`/v1/persons`: masked, in clear with a reason, edited, agreed; never across communities."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from business_api.authz.roles import Role
from business_api.people import consents, persons, reveals
from business_api.people.consent_texts import TEXTS, Purpose
from business_api.people.models import ConsentRecord, IdType, Person
from business_api.people.persons import NewPerson
from business_api.residents.models import ResidentType
from foundation.models import AuditEvent
from tests.business_api.conftest import Api, Estate

NUMBER = "11010519491231002X"
AGREED = consents.current(Purpose.ID_NUMBER)
CONSENT = {"purpose": "id_number", "version": AGREED.version}
WHY = {"field": "phone", "reason": "漏水，联系住户"}


async def zhang(api: Api, park: Estate) -> Person:
    new = NewPerson("张三", "13800138000", IdType.RESIDENT_ID, NUMBER, (AGREED,))
    return await persons.create(api.context, "platform", park.site, new)


async def send(
    api: Api, method: str, path: str, headers: dict[str, str], body: Any = None, **more: str
) -> Any:
    return await api.client.request(method, path, json=body, headers=headers | more)


async def test_a_person_is_shown_masked(api: Api, park: Estate) -> None:
    person = await zhang(api, park)
    answer = await send(api, "GET", f"/v1/persons/{person.id}", park.headers)
    assert answer.headers["ETag"] == '"1"'
    shown = answer.json()
    assert shown["phone"] == "138****8000"
    assert shown["id_number"] == "1101**********002X"
    assert shown["has_account"] is False
    assert "13800138000" not in answer.text
    assert NUMBER not in answer.text


async def test_in_clear_with_a_reason_and_a_line(api: Api, park: Estate) -> None:
    path = f"/v1/persons/{(await zhang(api, park)).id}/reveal"
    answer = await send(api, "POST", path, park.headers, WHY)
    assert answer.json() == {"value": "+8613800138000"}
    assert answer.headers["Cache-Control"] == "no-store"
    call = {"field": "id_number", "reason": "报警 138-0013-8000 及 11010519491231002X 案件 12345"}
    assert (await send(api, "POST", path, park.headers, call)).json() == {"value": NUMBER}
    lines = await AuditEvent.filter(action="person.reveal").order_by("seq")
    assert [line.facts["field"] for line in lines] == ["phone", "id_number"]
    assert lines[0].facts["reason"] == "漏水，联系住户"
    # What stays for ever holds no number of anybody.
    assert lines[1].facts["reason"] == "报警 ****8000 及 ****002X 案件 12345"
    assert {line.actor for line in lines} == {f"account/{park.admin.id}"}


@pytest.mark.parametrize(
    "body",
    [
        {"field": "phone"},
        {"field": "phone", "reason": ""},
        {"field": "phone", "reason": "   "},
        {"field": "phone", "reason": "x"},
        {"field": "phone", "reason": "x" * 201},
        {"field": "phone", "reason": "因\x00故"},
        {"field": "data_key", "reason": "看看"},
        {"field": "name", "reason": "看看"},
    ],
)
async def test_without_a_reason_nothing_is_shown(
    api: Api, park: Estate, body: dict[str, str]
) -> None:
    path = f"/v1/persons/{(await zhang(api, park)).id}/reveal"
    answer = await send(api, "POST", path, park.headers, body)
    assert answer.status_code == 422
    assert "138001" not in answer.text
    assert not await AuditEvent.filter(action="person.reveal").exists()


async def test_who_may_not_look(api: Api, park: Estate, sibling: Estate, elsewhere: Estate) -> None:
    person = await zhang(api, park)
    path = f"/v1/persons/{person.id}"
    await api.account("reviewer", Role.HOUSE_REVIEWER, park.site)
    await api.account("manager", Role.PROPERTY_ADMIN, park.company.site)
    await api.resident("owner", park.flat)
    strangers = [sibling.headers, elsewhere.headers]
    strangers += [await api.headers(name) for name in ("reviewer", "manager")]
    for headers in strangers:
        for method, of, body in (
            ("GET", path, None),
            ("POST", f"{path}/reveal", WHY),
            ("POST", f"{path}/erase", None),
            ("GET", f"{path}/consents", None),
            ("PATCH", path, {"name": "x"}),
        ):
            answer = await send(api, method, of, headers, body, **{"If-Match": '"1"'})
            assert answer.status_code in (403, 404), answer.text
            missing = await send(
                api,
                method,
                of.replace(str(person.id), str(uuid4())),
                headers,
                body,
                **{"If-Match": '"1"'},
            )
            assert missing.json()["type"] == answer.json()["type"]
    owner = await send(api, "GET", path, await api.headers("owner"))
    assert owner.status_code == 404
    assert (await Person.get(id=person.id)).name == "张三"


async def test_nobody_copies_the_register(api: Api, park: Estate) -> None:
    path = f"/v1/persons/{(await zhang(api, park)).id}/reveal"
    most = reveals.LIMITS[timedelta(hours=1)]
    for _ in range(most - 2):
        assert (await send(api, "POST", path, park.headers, WHY)).status_code == 200
    # At once, too: the last two go to two of six.
    last = await asyncio.gather(*(send(api, "POST", path, park.headers, WHY) for _ in range(6)))
    assert sorted(answer.status_code for answer in last) == [200] * 2 + [429] * 4
    refused = next(answer for answer in last if answer.status_code == 429)
    assert refused.json()["type"] == "/problems/too-many-reveals"
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert await AuditEvent.filter(action="person.reveal").count() == most
    api.time.ahead += timedelta(hours=1, seconds=1)
    headers = await api.headers("admin")
    assert (await send(api, "POST", path, headers, WHY)).status_code == 200


async def test_an_edit(api: Api, park: Estate) -> None:
    path = f"/v1/persons/{(await zhang(api, park)).id}"
    assert (await send(api, "PATCH", path, park.headers, {"name": "张山"})).status_code == 422
    match = {"If-Match": '"1"'}
    change = {"name": "张山", "phone": "13900139000"}
    answer = await send(api, "PATCH", path, park.headers, change, **match)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["name"], answer.json()["phone"]) == ("张山", "139****9000")
    assert answer.json()["id_number"] == "1101**********002X"
    assert answer.headers["ETag"] == '"2"'
    stale = await send(api, "PATCH", path, park.headers, {"phone": None}, **match)
    assert stale.status_code == 412
    gone = {"phone": None, "id_type": None, "id_number": None}
    answer = await send(api, "PATCH", path, park.headers, gone, **{"If-Match": '"2"'})
    assert [answer.json()[name] for name in gone] == [None] * 3
    kept = await Person.get()
    assert (kept.phone_sealed, kept.phone_index, kept.id_number_sealed) == (None, "", None)
    lines = await AuditEvent.filter(action="person.change").order_by("seq")
    assert [line.facts["changed"] for line in lines] == [
        ["name", "phone"],
        ["id_number", "id_type", "phone"],
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "invalid-request"),
        ({"name": None}, "invalid-request"),
        ({"name": ""}, "invalid-request"),
        ({"name": "\x00"}, "invalid-request"),
        ({"name": "x" * 10_000}, "invalid-request"),
        ({"community_id": str(uuid4())}, "invalid-request"),
        ({"account_id": str(uuid4())}, "invalid-request"),
        ({"phone": "12"}, "invalid-request"),
        ({"phone": "0000000"}, "bad-phone"),
        ({"id_number": NUMBER}, "id-type-needed"),
        ({"id_type": "passport"}, "id-type-needed"),
        ({"id_type": "resident_id", "id_number": "1"}, "bad-id-number"),
        ({"consents": [CONSENT]}, "invalid-request"),
        ({"name": "x", "consents": [CONSENT | {"version": "0"}]}, "consent-needed"),
    ],
)
async def test_edits_that_cannot_be(
    api: Api, park: Estate, change: dict[str, Any], code: str
) -> None:
    person = await zhang(api, park)
    path = f"/v1/persons/{person.id}"
    answer = await send(api, "PATCH", path, park.headers, change, **{"If-Match": '"1"'})
    assert answer.json()["type"] == f"/problems/{code}", answer.text
    assert answer.status_code == 422
    assert (await Person.get(id=person.id)).version == 1


async def test_two_edits_at_once(api: Api, park: Estate) -> None:
    path = f"/v1/persons/{(await zhang(api, park)).id}"
    match = {"If-Match": '"1"'}
    answers = await asyncio.gather(
        *(send(api, "PATCH", path, park.headers, {"name": f"张{n}"}, **match) for n in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


async def test_a_document_needs_consent_and_goes_with_it(api: Api, park: Estate) -> None:
    person = await persons.create(api.context, "platform", park.site, NewPerson("李四"))
    path = f"/v1/persons/{person.id}"
    document = {"id_type": "resident_id", "id_number": NUMBER}
    match = {"If-Match": '"1"'}
    answer = await send(api, "PATCH", path, park.headers, document, **match)
    assert answer.json()["type"] == "/problems/consent-needed"
    assert answer.json()["version"] == AGREED.version
    signed = await send(api, "POST", f"{path}/consents", park.headers, CONSENT)
    assert signed.status_code == 201
    assert (await send(api, "POST", f"{path}/consents", park.headers, CONSENT)).json() == (
        signed.json()
    )
    answer = await send(api, "PATCH", path, park.headers, document, **match)
    assert answer.json()["id_number"] == "1101**********002X"

    back = f"/v1/consents/{signed.json()['id']}/withdraw"
    for _ in range(2):
        assert (await send(api, "POST", back, park.headers)).status_code == 204
    assert (await send(api, "GET", path, park.headers)).json()["id_number"] is None
    listed = (await send(api, "GET", f"{path}/consents", park.headers)).json()
    assert listed["total"] == 1
    assert listed["items"][0]["withdrawn_at"] is not None
    actions = await AuditEvent.filter(object=f"person/{person.id}").order_by("seq")
    assert [line.action for line in actions] == [
        *("consent.grant", "consent.grant", "person.change", "consent.withdraw"),
    ]


async def test_residents_agree_and_withdraw_for_themselves(
    api: Api, park: Estate, elsewhere: Estate
) -> None:
    await api.resident("owner", park.flat)
    await api.resident("other", park.home, ResidentType.TENANT)
    owner, other = await api.headers("owner"), await api.headers("other")
    texts = (await send(api, "GET", "/v1/consent-texts", owner)).json()
    assert {text["purpose"]: text["version"] for text in texts} == {
        purpose.value: text.version for purpose, text in TEXTS.items()
    }
    body = CONSENT | {"community_id": str(park.id)}
    given = await send(api, "POST", "/v1/me/consents", owner, body)
    assert given.status_code == 201, given.text
    strange = CONSENT | {"community_id": str(elsewhere.id)}
    assert (await send(api, "POST", "/v1/me/consents", owner, strange)).status_code == 404
    mine = (await send(api, "GET", "/v1/me/consents", owner)).json()
    assert [one["id"] for one in mine["items"]] == [given.json()["id"]]
    assert (await send(api, "GET", "/v1/me/consents", other)).json()["total"] == 0
    back = f"/v1/me/consents/{given.json()['id']}/withdraw"
    assert (await send(api, "POST", back, other)).status_code == 404
    assert (await send(api, "POST", back, owner)).status_code == 204
    assert (await ConsentRecord.get()).withdrawn_at is not None


def test_a_text_says_the_same_in_both_languages() -> None:
    assert set(TEXTS) == set(Purpose)
    for text in TEXTS.values():
        assert text.zh.startswith("我同意")
        assert text.en.startswith("I agree")
