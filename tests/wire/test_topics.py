import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.ids import Mac
from foundation.wire import topics
from foundation.wire.base import BadMessage, Message, load_object
from foundation.wire.topics import BadMac, BadTopic, Topic
from tests.wire.vectors import MAC, MESSAGES

MACS = st.integers(1, 2**48 - 1).map(lambda n: Mac(f"{n & ~(1 << 40) or 2:012x}"))


@given(
    MACS,
    st.sampled_from(["up", "dn"]),
    st.sampled_from(["s", "c"]),
    st.from_regex(r"[a-z0-9_]{1,32}", fullmatch=True),
)
def test_a_topic_is_read_as_it_was_written(mac, way, lane, name):
    topic = Topic(mac, way, lane, name)
    assert topics.parse(str(topic)) == topic


@pytest.mark.parametrize(
    "text",
    [
        *("", "v1", "v1/021a2b3c4d5e", "v1/021a2b3c4d5e/up/s", "v1/021a2b3c4d5e/up/s/"),
        *("v1/021a2b3c4d5e/up/s/a/b", "/v1/021a2b3c4d5e/up/s/a", "v2/021a2b3c4d5e/up/s/a"),
        *("v1/021A2B3C4D5E/up/s/a", "v1/021a2b3c4d5/up/s/a", "v1/+/up/s/a", "v1/#"),
        *("v1/021a2b3c4d5e/up/x/a", "v1/021a2b3c4d5e/sideways/s/a", "v1/021a2b3c4d5e/up/s/+"),
        *("v1/021a2b3c4d5e/up/s/a\n", "v1/021a2b3c4d5e\n/up/s/a", "v1/021a2b3c4d5e/up/s/é"),
        "v1/021a2b3c4d5e/up/s/" + "a" * 33,
    ],
)
def test_anything_else_is_no_topic(text):
    with pytest.raises(BadTopic):
        topics.parse(text)


def test_the_topics_there_are():
    assert topics.up(MAC, "hello") == f"v1/{MAC}/up/s/hello"
    assert topics.down(MAC, "evtack") == f"v1/{MAC}/dn/s/evtack"
    assert topics.command(MAC) == f"v1/{MAC}/dn/c/cmd"
    assert topics.will(MAC) == f"v1/{MAC}/up/s/lwt"
    assert topics.filters(MAC) == ((f"v1/{MAC}/dn/s/#", 1), (f"v1/{MAC}/dn/c/#", 0))


@pytest.mark.parametrize(
    "text",
    ["021a2b3c4d5e", "02:1A:2B:3C:4D:5E", "02-1a-2b-3c-4d-5e", "021a.2b3c.4d5e", " 021A2B3C4D5E "],
)
def test_a_mac_as_people_type_it(text):
    assert topics.mac12(text) == "021a2b3c4d5e"


@pytest.mark.parametrize(
    "text",
    [
        *("", "021a2b3c4d5", "021a2b3c4d5e0", "g21a2b3c4d5e", "000000000000", "ffffffffffff"),
        *("01005e000001", "０２1a2b3c4d5e", "02:1a:2b:3c:4d:5e/up"),
    ],
)
def test_not_the_mac_of_a_station(text):
    with pytest.raises(BadMac):
        topics.mac12(text)


def test_made_up_macs_are_known():
    assert topics.is_local(MAC)
    assert not topics.is_local(topics.mac12("00:1a:2b:3c:4d:5e"))


@pytest.mark.parametrize(
    "payload",
    [b"", b"nonsense", b"[]", b"1", b"null", b'"x"', b"\xff\xfe", b"{", b"[" * 100_000, b"{}x"],
)
@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.ROUTE.name)
def test_what_is_no_message_is_one_typed_error(message: Message, payload: bytes):
    with pytest.raises(BadMessage):
        type(message).parse(payload)
    with pytest.raises(BadMessage):
        load_object(payload)


@given(st.binary(max_size=200))
def test_no_payload_raises_anything_else(payload: bytes):
    for message in MESSAGES:
        try:
            type(message).parse(payload)
        except BadMessage:
            continue
