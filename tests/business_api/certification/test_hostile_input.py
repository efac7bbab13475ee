"""What people type into the form, and what they should not."""

import json
from typing import Any, Final
from uuid import uuid4

import pytest

from business_api.certification.models import Certification
from business_api.language import Language
from business_api.messages.models import Message
from business_api.messages.templates import TEMPLATES
from tests.business_api.certification.applicants import AGREED, Person, person
from tests.business_api.conftest import Api, Estate

TEXTS = ("\0", "a\0b", "\ud800", "\n", "", " ", "x" * 10_000, "\u202e" * 81, "'; --")
STRANGE: tuple[Any, ...] = (*TEXTS, 2**70, -1, 1.5, True, None, [], {}, ["x"], {"a": 1})
FIELDS = ("house_id", "type", "name", "id_type", "id_number", "consents", "file_ids", "owner")


@pytest.fixture
async def zhang(api: Api) -> Person:
    api.app.state.requests_per_account._cost = 0
    return await person(api, "zhang", "+8613811112222")


async def send(who: Person, path: str, body: Any) -> int:
    content = json.dumps(body)  # a client would refuse to send some of it
    headers = {**who.headers, "Content-Type": "application/json"}
    answer = await who.api.client.post(f"/v1{path}", content=content, headers=headers)
    assert answer.status_code < 500, (body, answer.text)
    assert answer.headers["content-type"].startswith("application/")
    return answer.status_code


@pytest.mark.parametrize("field", FIELDS)
async def test_no_value_of_a_field_is_a_crash(api: Api, park: Estate, zhang: Person, field: str):
    good = {
        "house_id": str(park.flat.id),
        "type": "owner",
        "name": "张三",
        "id_number": "11010519491231002X",
        "consents": AGREED,
    }
    for value in STRANGE:
        if await send(zhang, "/me/certifications", good | {field: value}) == 201:
            await Certification.all().delete()
    assert not await Certification.filter(name__contains="\x01").exists()


async def test_other_forms_bear_the_same(api: Api, park: Estate, zhang: Person):
    mine = await zhang.applied(park.flat, "owner")
    admin = Person(api, park.admin, park.headers, "")
    for value in STRANGE:
        for who, path, field in (
            (zhang, f"/me/certifications/{mine['id']}/confirm", "code"),
            (zhang, f"/me/certifications/{mine['id']}/ask", "owner_id"),
            (admin, f"/certifications/{mine['id']}/reveal", "reason"),
            (admin, f"/certifications/{uuid4()}/reject", "reason"),
            (admin, f"/me/household-requests/{uuid4()}/refuse", "reason"),
        ):
            await send(who, path, {field: value})
            await send(who, path, value)
    assert await zhang.state(mine) == "pending_review"


@pytest.mark.parametrize("house_id", ["00000000-0000-0000-0000-000000000000", "x", "", "0" * 99])
async def test_a_house_that_is_none(api: Api, zhang: Person, house_id: str):
    body = {"house_id": house_id, "type": "tenant", "name": "张三"}
    assert await send(zhang, "/me/certifications", body) in (404, 422)


async def test_lists_bear_strange_filters(api: Api, park: Estate):
    admin = Person(api, park.admin, park.headers, "")
    for value in ("\0", "%", "_", "'", "x" * 200, "\u202e", "\\"):
        for name in ("search", "state", "type", "path", "community_id", "page", "size"):
            answer = await admin.get("/certifications", **{name: value})
            assert answer.status_code in (200, 422), (name, value)


async def test_a_wildcard_is_a_letter(api: Api, park: Estate, zhang: Person):
    await zhang.applied(park.flat, "owner")
    admin = Person(api, park.admin, park.headers, "")
    for search in ("%", "_", "张_"):
        assert (await admin.get("/certifications", search=search)).json()["total"] == 0
    assert (await admin.get("/certifications", search="三")).json()["total"] == 1


async def test_unknown_fields_are_a_mistake(api: Api, park: Estate, zhang: Person):
    for more in ({"phone": "13800000000"}, {"state": "approved"}, {"account_id": str(uuid4())}):
        answer = await zhang.apply(park.flat, "tenant", **more)
        assert answer.status_code == 422


@pytest.mark.parametrize(
    "name",
    [
        *("您的房屋将被收回，请访问 evil.example", "https://evil.example", "evil.中国", "t.co"),
        *("加微信13800138000", "１２３", "Zhang_San", "张三（业主）", "张三\n李四", "@张三", "."),
        *("张" * 41, "'", "\u3164", "张\u202e三", "", " "),
    ],
)
async def test_a_name_holds_no_address_and_no_number(
    api: Api, park: Estate, zhang: Person, name: str
):
    answer = await zhang.apply(park.flat, "tenant", name=name)
    assert answer.status_code == 422
    assert not await Certification.all().exists()


QUOTES: Final[dict[Language, str]] = {"zh": "“”", "en": '""'}


@pytest.mark.parametrize(
    "name", ["张三", "阿卜杜拉·买买提", "J. R. O'Neill-Smith", "José", "Jose\u0301", "张" * 40]
)
async def test_a_name_is_told_as_what_somebody_says(
    api: Api, park: Estate, zhang: Person, name: str
):
    await zhang.applied(park.flat, "owner", name=name)
    message = await Message.get(kind="certification.submitted", account_id=park.admin.id)
    template = TEMPLATES[message.kind]
    for language, (opening, closing) in QUOTES.items():
        _, body = template.render(message.params, language)
        assert opening + message.params["name"] + closing in body
        assert message.params["name"] == name.replace("e\u0301", "é")


@pytest.mark.parametrize("kind", [kind for kind, one in TEMPLATES.items() if "name" in one.params])
def test_no_message_begins_with_a_name(kind: str):
    for words in (TEMPLATES[kind].body, TEMPLATES[kind].title):
        for text, (opening, closing) in ((words.zh, QUOTES["zh"]), (words.en, QUOTES["en"])):
            quoted = f"{opening}{{name}}{closing}"
            assert text.count("{name}") == text.count(quoted)
            assert not text.startswith(("{name}", quoted))
