"""The codec: what it writes it reads, in any pieces; and nothing can upset it."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker import codec
from broker.codec import Connect, Malformed, Publish, Stream, Will, WrongProtocol
from tests.attacks import raw

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
TOPIC = TEXT.filter(lambda text: text and not set("+#") & set(text))
FILTER = TEXT.filter(bool)
PAYLOAD = st.binary(max_size=300)
PACKET_ID = st.integers(1, 65535)
WILL = st.none() | st.builds(Will, TOPIC, PAYLOAD, st.integers(0, 2), st.booleans())


@st.composite
def connects(draw: st.DrawFn) -> Connect:
    username = draw(st.none() | TEXT)
    return Connect(
        client_id=draw(TEXT),
        clean=draw(st.booleans()),
        keepalive=draw(st.integers(0, 65535)),
        username=username,
        password=draw(st.none() | PAYLOAD) if username is not None else None,
        will=draw(WILL),
    )


def taken(stream: Stream, most: int = 1000) -> list[tuple[int, bytes]]:
    """The next packets of a stream: first byte and body."""
    found = []
    while len(found) < most and (frame := stream.next()) is not None:
        found.append((frame[0], stream.data[frame[1] : frame[2]]))
    return found


def frames(chunks: list[bytes], limit: int = 1 << 20) -> list[tuple[int, bytes]]:
    """What a stream makes of these chunks."""
    stream, found = Stream(limit), []
    for chunk in chunks:
        stream.feed(chunk)
        found += taken(stream)
    return found


def only(packet: bytes) -> tuple[int, bytes]:
    """The one packet in these bytes."""
    [frame] = frames([packet])
    return frame


@given(connects())
def test_connect_round_trip(connect: Connect) -> None:
    head, body = only(connect.encode())
    assert codec.read_connect(head, body) == connect


@given(TOPIC, PAYLOAD, st.none() | PACKET_ID)
def test_publish_round_trip(topic: str, payload: bytes, packet_id: int | None) -> None:
    head, body = only(codec.publish(topic.encode(), payload, packet_id or 0))
    read = codec.read_publish(head, body, 0, len(body))
    assert read == Publish(topic, payload, 1 if packet_id else 0, packet_id or 0)


@given(TOPIC, PAYLOAD, st.integers(0, 2), st.booleans(), PACKET_ID)
def test_publish_of_another_encoder(
    topic: str, payload: bytes, qos: int, retain: bool, packet_id: int
) -> None:
    head, body = only(raw.publish(topic, payload, qos=qos, retain=retain, pid=packet_id))
    expected = Publish(topic, payload, qos, packet_id if qos else 0, retain)
    assert codec.read_publish(head, body, 0, len(body)) == expected


@given(st.lists(st.tuples(FILTER, st.integers(0, 2)), min_size=1, max_size=5), PACKET_ID)
def test_subscribe_of_another_encoder(wanted: list[tuple[str, int]], packet_id: int) -> None:
    head, body = only(raw.subscribe(wanted, packet_id))
    assert codec.read_subscribe(head, body, 0, len(body)) == (packet_id, wanted)


@given(st.lists(FILTER, min_size=1, max_size=5), PACKET_ID)
def test_unsubscribe_of_another_encoder(ended: list[str], packet_id: int) -> None:
    body = packet_id.to_bytes(2, "big") + b"".join(raw.text(name) for name in ended)
    assert codec.read_unsubscribe(0xA2, body, 0, len(body)) == (packet_id, ended)


def test_answers_are_those_of_the_standard() -> None:
    assert codec.connack(codec.NOT_AUTHORISED) == b"\x20\x02\x00\x05"
    assert codec.puback(0x1234) == b"\x40\x02\x12\x34"
    assert codec.suback(1, [0, 1, codec.REFUSED]) == b"\x90\x05\x00\x01\x00\x01\x80"
    assert codec.unsuback(2) == b"\xb0\x02\x00\x02"
    assert codec.PINGRESP == b"\xd0\x00"


@given(st.data())
def test_any_split_gives_the_same_packets(data: st.DataObject) -> None:
    packets = data.draw(
        st.lists(st.tuples(st.integers(0x10, 0xFF), st.binary(max_size=400)), max_size=8)
    )
    whole = b"".join(codec.packet(head, body) for head, body in packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert frames(chunks) == packets
    assert frames([bytes([byte]) for byte in whole]) == packets


@given(st.data())
def test_packets_may_be_taken_later_than_fed(data: st.DataObject) -> None:
    packets = [(0x30, bytes([n]) * data.draw(st.integers(0, 200))) for n in range(6)]
    whole = b"".join(codec.packet(head, body) for head, body in packets)
    stream, found = Stream(1 << 20), list[tuple[int, bytes]]()
    for cut in range(0, len(whole), 50):
        stream.feed(whole[cut : cut + 50])
        found += taken(stream, data.draw(st.integers(0, 3)))
    found += taken(stream)
    assert found == packets


@given(st.integers(0, 3))
def test_the_rest_is_what_was_not_taken(count: int) -> None:
    whole = codec.packet(0x30, b"abc") * count + b"\x30\x7fnot whole"
    stream = Stream(1 << 20)
    stream.feed(whole)
    assert len(taken(stream, count)) == count
    assert stream.rest() == b"\x30\x7fnot whole"
    assert stream.rest() == b""


READERS: list[Callable[[int, bytes], object]] = [
    codec.read_connect,
    lambda head, body: codec.read_publish(head, body, 0, len(body)),
    lambda head, body: codec.read_subscribe(head, body, 0, len(body)),
    lambda head, body: codec.read_unsubscribe(head, body, 0, len(body)),
    lambda head, body: codec.read_puback(head, body, 0, len(body)),
    lambda head, body: codec.read_publish(head, body + b"behind", 0, len(body)),
    lambda head, body: codec.read_subscribe(head, body + b"behind", 0, len(body)),
]
HEADS = st.sampled_from([0x10, 0x30, 0x31, 0x32, 0x34, 0x36, 0x3B, 0x40, 0x82, 0xA2, 0x00, 0xFF])


@settings(max_examples=300)
@given(HEADS, st.binary(max_size=60))
def test_arbitrary_bodies_raise_nothing_else(head: int, body: bytes) -> None:
    for read in READERS:
        try:
            read(head, body)
        except (Malformed, WrongProtocol):
            continue


@given(connects(), st.data())
def test_damaged_connects_raise_nothing_else(connect: Connect, data: st.DataObject) -> None:
    head, body = only(connect.encode())
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    for wrong in (bytes(damaged), body[:cut], body + body[:cut]):
        try:
            codec.read_connect(head, wrong)
        except (Malformed, WrongProtocol):
            continue


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=40), max_size=10))
def test_arbitrary_streams_raise_nothing_else_and_stay_bounded(chunks: list[bytes]) -> None:
    stream = Stream(50)
    try:
        for chunk in chunks:
            stream.feed(chunk)
            while (frame := stream.next()) is not None:
                assert frame[2] - frame[1] <= 50
            assert len(stream.rest()) <= 50 + 40
    except Malformed:
        return


@pytest.mark.parametrize(
    "body",
    [
        b"",
        raw.text("MQTX") + b"\x04\x02\x00\x1e" + raw.text("a"),
        raw.text("MQTT") + b"\x04\x03\x00\x1e" + raw.text("a"),  # reserved flag
        raw.text("MQTT") + b"\x04\x1e\x00\x1e" + raw.text("a") + raw.text("t") + raw.text(b""),
        raw.text("MQTT") + b"\x04\x22\x00\x1e" + raw.text("a"),  # retain without a will
        raw.text("MQTT") + b"\x04\x42\x00\x1e" + raw.text("a") + raw.text(b"p"),
        raw.text("MQTT") + b"\x04\x02\x00\x1e" + raw.text("a") + b"x",
        raw.text("MQTT") + b"\x04\x02\x00\x1e" + raw.text(b"\xff"),
        raw.text("MQTT") + b"\x04\x02\x00\x1e" + raw.text("a\0b"),
        raw.text("MQTT") + b"\x04\x02\x00\x1e" + raw.text(b"\xed\xa0\x80"),  # a surrogate
        raw.text("MQTT") + b"\x04\x06\x00\x1e" + raw.text("a") + raw.text("t/+") + raw.text(b""),
        raw.text("MQTT") + b"\x04\x06\x00\x1e" + raw.text("a") + raw.text("") + raw.text(b""),
    ],
)
def test_wrong_connects(body: bytes) -> None:
    with pytest.raises(Malformed):
        codec.read_connect(0x10, body)


@pytest.mark.parametrize(("name", "level"), [("MQIsdp", 3), ("MQTT", 3), ("MQTT", 5)])
def test_connects_of_other_versions(name: str, level: int) -> None:
    with pytest.raises(WrongProtocol):
        codec.read_connect(0x10, raw.text(name) + bytes([level, 2, 0, 30]) + raw.text("a"))


@pytest.mark.parametrize("length", [b"\x80\x00", b"\xff\xff\xff\xff\x01", b"\x80\x80\x80\x80\x00"])
def test_lengths_that_nobody_writes(length: bytes) -> None:
    stream = Stream(1 << 30)
    stream.feed(b"\x30" + length + b"x" * 10)
    with pytest.raises(Malformed):
        stream.next()


def test_a_topic_with_a_wildcard_hides_no_packets() -> None:
    hidden = codec.publish(b"door", b"open")
    outer = codec.packet(0x30, raw.text("a/+") + hidden)
    [(head, body)] = frames([outer])
    with pytest.raises(Malformed):
        codec.read_publish(head, body, 0, len(body))
