import pytest
from tortoise.transactions import in_transaction

from business_api.messages.kinds import LONGEST, UnknownMessage, WrongParams, one_line
from business_api.messages.models import Delivery, Lane, Message
from business_api.messages.routing import route
from business_api.messages.tell import FEW, tell
from business_api.messages.templates import TEMPLATES
from tests.business_api.conftest import Api
from tests.business_api.messages.desk import KIND, PARAMS, people, told
from tests.support.statements import statements


async def test_the_same_is_told_once_whoever_tells_it(api: Api):
    first, second, third = await people(3)
    assert await told(api.context, [first, second, second]) == 2
    assert await told(api.context, [second, third]) == 1
    assert await told(api.context, [first], key="2") == 1
    rows = await Message.all().order_by("id").values_list("account_id", "key")
    assert sorted(rows) == sorted([(first, "1"), (second, "1"), (third, "1"), (first, "2")])


async def test_a_word_stands_or_falls_with_the_fact(api: Api):
    [one] = await people(1)

    async def undone() -> None:
        async with in_transaction():
            await tell(api.context, KIND, "1", [one], PARAMS)
            raise LookupError

    with pytest.raises(LookupError):
        await undone()
    assert await Message.all().count() == 0


async def test_many_cost_no_more_statements_than_one(api: Api):
    some = await people(3000)
    with statements() as few:
        await told(api.context, some[:1])
    with statements() as many:
        assert await told(api.context, some, key="2") == 3000
    assert len(many) == len(few) == 1

    routed = 0
    await route(api.context)
    with statements() as sql:
        routed = await route(api.context)
    assert routed > 500
    assert (
        len([text for text in sql if not text.startswith('INSERT INTO "business_message_d')]) < 16
    )


async def test_what_is_told_to_many_stands_back(api: Api):
    some = await people(FEW + 1)
    await told(api.context, some)
    await told(api.context, some[:FEW], key="2")
    await told(api.context, some, key="3", kind="certification.revoked", reason="x")
    found = dict(await Message.all().distinct().values_list("key", "lane"))
    assert found == {"1": Lane.MANY, "2": Lane.FEW, "3": Lane.URGENT}


@pytest.mark.parametrize(
    ("kind", "key", "params", "error"),
    [
        ("no.such", "1", PARAMS, UnknownMessage),
        (KIND, "", PARAMS, UnknownMessage),
        (KIND, "x" * 121, PARAMS, UnknownMessage),
        (KIND, "a\0", PARAMS, UnknownMessage),
        (KIND, "\ud800", PARAMS, UnknownMessage),
        (KIND, "1", {"house": "x"}, WrongParams),
        (KIND, "1", PARAMS | {"phone": "13800138000"}, WrongParams),
        (KIND, "1", {}, WrongParams),
    ],
)
async def test_what_cannot_be_told_is_said_at_once(api: Api, kind, key, params, error):
    [one] = await people(1)
    with pytest.raises(error):
        await tell(api.context, kind, key, [one], params)
    assert await Message.all().count() == 0


async def test_nobody_to_tell(api: Api):
    assert await told(api.context, []) == 0


HOSTILE = [
    "<script>alert(1)</script>",
    "a\r\nbcc: b",
    "{house.__class__}{0}{}",
    "\0\ud800\u202e\u200b" + "x" * 10_000,
    "%s%n' OR 1=1 --",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_people_call_themselves_stays_one_line_of_text(api: Api, name: str):
    [one] = await people(1)
    await told(api.context, [one], kind="certification.submitted", name=name)
    row = await Message.get()
    for language in ("zh", "en"):
        title, body = TEMPLATES[row.kind].render(row.params, language)
        assert (title + body).isprintable()
        assert one_line(name) in body
        assert len(body) < LONGEST + 100
    await route(api.context)
    assert await Delivery.all().count() == 0


def test_every_kind_has_all_its_words_in_both_languages():
    for kind, template in TEMPLATES.items():
        params = {name: f"<{name}>" for name in template.params}
        chinese, english = template.render(params, "zh"), template.render(params, "en")
        assert all(chinese), kind
        assert all(english), kind
        assert all(text.isascii() for text in english), kind
        assert not any(text.isascii() for text in chinese), kind
        for name in template.params - template.refs:
            assert f"<{name}>" in "".join(chinese), (kind, name)
            assert f"<{name}>" in "".join(english), (kind, name)
        assert len(kind) <= 40, "a kind is a template of text messages too"
