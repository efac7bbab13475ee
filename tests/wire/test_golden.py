"""The wire does not drift: what was once said is still said so, byte for byte."""

import json

import pytest

from foundation import wire_docs
from foundation.wire import enroll, keys, topics
from foundation.wire.base import BadSignature, Message, Signed
from foundation.wire.hello import uptime_proof
from tests.wire import vectors
from tests.wire.vectors import GOLDEN, KEYS, MAC, MESSAGES, key_of, payload

by_name = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.ROUTE.name)
signed = pytest.mark.parametrize(
    "message",
    [each for each in MESSAGES if isinstance(each, Signed)],
    ids=lambda message: message.ROUTE.name,
)


def golden(name: str):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def test_every_message_has_a_golden_file_with_every_field():
    assert {type(message) for message in MESSAGES} == set(wire_docs.messages())
    for message in MESSAGES:
        fields = {info.alias or name for name, info in type(message).model_fields.items()}
        assert set(json.loads(golden(message.ROUTE.name)["payload"])) == fields


def test_files_are_those_of_the_examples():
    made = vectors.message_files() | vectors.enroll_files() | {"keys": vectors.key_file()}
    kept = {path.stem for path in GOLDEN.glob("*.json")}
    assert kept == set(made) | set(vectors.random_files())
    assert {name: golden(name) for name in made} == made


@by_name
def test_made_byte_for_byte(message: Message):
    assert payload(message).decode() == golden(message.ROUTE.name)["payload"]


@by_name
def test_read_back_as_it_was(message: Message):
    raw = golden(message.ROUTE.name)["payload"].encode()
    if isinstance(message, Signed):
        read = type(message).verify(raw, key_of(message), MAC)
        assert read.model_copy(update={"mac": ""}) == message
    else:
        assert type(message).parse(raw) == message


@by_name
def test_its_topic_is_the_one_it_was(message: Message):
    file = golden(message.ROUTE.name)
    topic = topics.parse(file["topic"])
    route = message.ROUTE
    assert (topic.way, topic.lane, topic.name) == (route.way, route.lane, route.name)
    assert file["qos"] == message.ROUTE.qos


@signed
def test_a_signature_is_for_one_station_one_key_one_kind_and_one_body(message: Signed):
    raw, kind, key = payload(message), type(message), key_of(message)
    other = topics.mac12("02:00:00:00:00:01")
    body = json.loads(raw)
    changed = json.dumps(body | {"door": 9, "upto": 99, "boot": 99, "secret_ver": 99}).encode()
    unsigned = json.dumps({name: value for name, value in body.items() if name != "mac"}).encode()
    wrong_keys = {KEYS.auth, KEYS.cmd, KEYS.dn, KEYS.up} - {key}
    for payload_, key_, station in [
        *((raw, wrong, MAC) for wrong in wrong_keys),
        (raw, key, other),
        (changed, key, MAC),
        (unsigned, key, MAC),
        (json.dumps(body | {"mac": None}).encode(), key, MAC),
        (json.dumps(body | {"mac": "é"}).encode(), key, MAC),
    ]:
        with pytest.raises(BadSignature):
            kind.verify(payload_, key_, station)


@signed
def test_what_a_newer_peer_adds_is_signed_and_ignored(message: Signed):
    class Newer(type(message)):  # type: ignore[misc]
        extra: str = "from the future"

    raw = Newer(**message.model_dump(by_alias=True)).sign(key_of(message), MAC)
    assert b"from the future" in raw
    assert type(message).verify(raw, key_of(message), MAC)
    with pytest.raises(BadSignature):
        type(message).verify(raw.replace(b"future", b"past!!"), key_of(message), MAC)


def test_the_proof_of_a_heartbeat_is_for_one_station_session_and_uptime():
    body = json.loads(golden("hb")["payload"])
    once = (MAC, body["sess"], body["up_ms"])
    assert uptime_proof(KEYS.up, *once) == body["proof"]
    for other in [
        (topics.mac12("02:00:00:00:00:01"), *once[1:]),
        (MAC, "0" * 32, body["up_ms"]),
        (MAC, body["sess"], body["up_ms"] + 1),
    ]:
        assert uptime_proof(KEYS.up, *other) != body["proof"]


def test_a_password_once_made_is_still_right():
    file = golden("password")
    given = keys.read_password(file["password"])
    assert given is not None
    assert given.ts == file["ts"]
    assert keys.password_is_right(given, KEYS.auth, MAC, file["code"])
    assert not keys.password_is_right(given, KEYS.up, MAC, file["code"])
    assert not keys.password_is_right(given, KEYS.auth, MAC, "6800000000")


def test_a_registration_once_sealed_can_still_be_opened():
    file = golden("sealed")
    plain = enroll.unseal(vectors.STATION_BOX, file["sealed"])
    read = enroll.Registration.model_validate_json(plain)
    assert read.model_dump(mode="json") == file["registration"]
    assert set(file["registration"]) == set(enroll.Registration.model_fields)


@pytest.mark.parametrize(
    ("name", "kind", "purpose", "key"),
    [
        ("enroll_request", enroll.EnrollRequest, enroll.REQUEST, "pk"),
        ("enroll_answer", enroll.EnrollAnswer, enroll.ANSWER, "server_pk"),
        ("time_answer", enroll.TimeAnswer, enroll.TIME, "server_pk"),
    ],
)
def test_a_body_once_signed_is_still_right(name, kind, purpose, key):
    body = golden(name)
    assert set(body) == set(kind.model_fields)
    assert kind.model_validate(body).model_dump(mode="json") == body
    enroll.check(body[key], purpose, body, body["sig"])
    for other in {enroll.REQUEST, enroll.ANSWER, enroll.TIME} - {purpose}:
        with pytest.raises(BadSignature):
            enroll.check(body[key], other, body, body["sig"])
    with pytest.raises(BadSignature):
        enroll.check(body[key], purpose, body | {"nonce": "0" * 32}, body["sig"])
