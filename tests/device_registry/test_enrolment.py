"""What a box hears that nobody, or somebody, has registered (REG/1, steps 1 and 4)."""

import base64
import secrets
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tortoise.context import TortoiseContext

from device_registry.devices import pending
from device_registry.devices.enrolment import enroll, signed_time
from device_registry.devices.lifecycle import suspend
from device_registry.devices.models import Device, DeviceSession, PendingEnrolment, Status
from device_registry.devices.pending import LETTERS, EnrolmentsFull, TooManyEnrolments
from foundation import conditions
from foundation.wire import enroll as wire
from foundation.wire.base import BadMessage, BadSignature
from foundation.wire.enroll import MqttAddress, Registration
from foundation.wire.topics import BadMac, mac12
from tests.device_registry.boxes import (
    ADMIN,
    COMMUNITY,
    Box,
    clock_of,
    new_context,
    registered,
    row,
)
from tests.support.statements import statements


async def test_an_unknown_box_shows_a_code_that_stays(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    first = await box.call()
    assert first.status == "unregistered"
    assert first.poll == 5
    assert first.user_code is not None
    assert len(first.user_code) == 9
    assert set(first.user_code) <= set(LETTERS) | {"-"}
    assert (first.number, first.sealed) == (None, None)
    for _ in range(10):  # for as long as it keeps calling, and longer than one life
        clock_of(context).move(minutes=5)
        assert (await box.call()).user_code == first.user_code


async def test_a_box_that_was_silent_too_long_shows_another_code(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    first = await box.call()
    clock_of(context).move(minutes=15)
    assert (await box.call()).user_code != first.user_code
    assert await PendingEnrolment.all().count() == 1


async def test_another_key_shows_another_code(rows: TortoiseContext) -> None:
    context = new_context()
    one, other = Box(context, mac="00aabbccddee"), Box(context, mac="00aabbccddee")
    first, second = await one.call(), await other.call()
    assert first.user_code != second.user_code
    stored = await PendingEnrolment.get(mac="00aabbccddee")
    assert (stored.public_keys, stored.user_code) == (other.pk, second.user_code)


async def test_what_expired_is_swept(rows: TortoiseContext) -> None:
    context = new_context()
    for _ in range(3):
        await Box(context).call()
    clock_of(context).move(minutes=14)
    await Box(context).call()
    clock_of(context).move(minutes=1)
    assert await pending.sweep(context.clock()) == 3
    assert await PendingEnrolment.all().count() == 1


async def test_a_forged_request_leaves_nothing(rows: TortoiseContext) -> None:
    context = new_context()
    box, thief = Box(context), Box(context)
    honest = box.request()
    forged = [
        thief.request(mac=box.mac).model_copy(update={"pk": box.pk}),
        honest.model_copy(update={"mac": "00aabbccddee"}),
        honest.model_copy(update={"nonce": "0" * 32}),
        honest.model_copy(update={"boot": 9}),
        honest.model_copy(update={"held": 0}),
        honest.model_copy(update={"model": "DS-2"}),
    ]
    for request in forged:
        with pytest.raises(BadSignature):
            await enroll(context, request, "192.0.2.7")
    assert await PendingEnrolment.all().count() == 0


async def test_a_signature_for_another_purpose_is_none(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    request = box.request()
    body = request.model_dump(mode="json", exclude={"sig"})
    wrong = wire.sign(box.sign_key, wire.ANSWER, body)
    with pytest.raises(BadSignature):
        await enroll(context, request.model_copy(update={"sig": wrong}), "192.0.2.7")


@pytest.mark.parametrize("size", [0, 32, 63, 65, 96])
async def test_a_key_of_another_length_is_refused(rows: TortoiseContext, size: int) -> None:
    context = new_context()
    request = Box(context).request()
    pk = base64.b64encode(bytes(size)).decode()
    with pytest.raises(BadMessage):
        await enroll(context, request.model_copy(update={"pk": pk}), "192.0.2.7")


async def test_fields_of_a_newer_station_are_signed_too(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    assert (await box.call(antenna="two")).status == "unregistered"
    changed = box.request(antenna="two").model_copy(update={"antenna": "three"})
    with pytest.raises(BadSignature):
        await enroll(context, changed, "192.0.2.7")


async def test_letters_that_no_screen_shows_are_dropped(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    await box.call(model="DS\x00-1\n\x1b[2J", fw="\u202e1.0")
    stored = await PendingEnrolment.get(mac=box.mac)
    assert (stored.model, stored.fw) == ("DS-1[2J", "1.0")


@pytest.mark.parametrize("mac", ["", "00", "01aabbccddee", "0" * 12, "f" * 12, "00:1A:2B:3C:4D:5G"])
async def test_what_is_no_mac_is_refused(rows: TortoiseContext, mac: str) -> None:
    context = new_context()
    with pytest.raises(BadMac):
        await Box(context).call(mac=mac)


@given(st.integers(1, 2**48 - 1), st.sampled_from(["", ":", "-", "."]), st.booleans())
def test_every_way_to_write_a_mac_is_the_same(number: int, between: str, upper: bool) -> None:
    number &= ~(1 << 40)
    plain = f"{number or 1:012x}"
    size = 4 if between == "." else 2
    text = between.join(plain[at : at + size] for at in range(0, 12, size))
    assert mac12(f" {text.upper() if upper else text}\n") == plain


async def test_a_box_may_write_its_mac_as_it_likes(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    first = await box.call()
    colons = ":".join(box.mac[at : at + 2] for at in range(0, 12, 2)).upper()
    assert (await box.call(mac=colons)).user_code == first.user_code


async def test_a_registered_box_gets_its_secret_sealed(rows: TortoiseContext) -> None:
    context = new_context(ntp=("ntp.test",))
    box = Box(context)
    device_id = await registered(box, community_name="柏树园")
    answer = await box.call()
    assert answer.status == "registered"
    got = box.open(answer)
    stored = await row(device_id)
    assert got == Registration(
        device_id=str(device_id),
        name="东门",
        position="gate",
        community="柏树园",
        comm_code=stored.comm_code,
        secret=got.secret,
        secret_ver=1,
        mqtt=MqttAddress(host="broker.test", port=1883, tls=False),
        ntp=("ntp.test",),
    )
    assert len(base64.b64decode(got.secret)) == 32
    assert base64.b64decode(got.secret) not in bytes(stored.secret or b"")  # sealed at rest
    again = await box.call()
    assert again.sealed != answer.sealed  # each is sealed anew,
    assert box.open(again) == got  # and holds the same


async def test_nobody_else_can_open_or_alter_an_answer(rows: TortoiseContext) -> None:
    context = new_context()
    box, thief = Box(context), Box(context)
    await registered(box)
    answer = await box.call()
    with pytest.raises(BadMessage):
        thief.open(answer)
    assert answer.sealed is not None
    raw = bytearray(base64.b64decode(answer.sealed))
    for at in (0, 31, 32, 43, 44, len(raw) - 1):
        damaged = bytearray(raw)
        damaged[at] ^= 1
        with pytest.raises(BadMessage):
            box.open(answer.model_copy(update={"sealed": base64.b64encode(damaged).decode()}))
    for change in ({"status": "unbound"}, {"nonce": "0" * 32}, {"poll": 3600}, {"sealed": None}):
        body = answer.model_copy(update=change).model_dump(mode="json")
        with pytest.raises(BadSignature):
            wire.check(answer.server_pk, wire.ANSWER, body, answer.sig)


async def test_a_replayed_request_changes_nothing(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context, boot=5)
    captured = box.request()
    await enroll(context, captured, "192.0.2.7")
    device_id = await registered(box)
    before = await row(device_id)
    answer = await enroll(context, captured, "203.0.113.9")
    assert answer.status == "registered"
    assert box.open(answer).device_id == str(device_id)  # who replays cannot read it
    after = await row(device_id)
    assert dict(after) == dict(before)


async def test_enrolling_never_changes_a_registered_station(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    device_id = await registered(box)
    before = dict(await row(device_id))
    await box.call(fw="9.9.9", model="DS-9")
    twin = Box(context, mac=box.mac)
    answer = await twin.call()
    assert (answer.status, answer.sealed, answer.user_code) == ("mac_conflict", None, None)
    assert dict(await row(device_id)) == before
    assert await PendingEnrolment.all().count() == 0
    found = await conditions.current([COMMUNITY])
    assert [(c.kind, c.subject) for c in found] == [("mac_conflict", f"device/{box.mac}")]
    assert (await box.call()).status == "registered"


async def test_a_suspended_station_hears_no_more_than_that(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    await suspend(context, ADMIN, await registered(box))
    answer = await box.call()
    assert (answer.status, answer.sealed) == ("suspended", None)


async def test_too_many_calls_of_one_box_hurt_only_that_box(rows: TortoiseContext) -> None:
    context = new_context(enroll_rate=5)
    box = Box(context)
    for _ in range(5):
        await box.call()
    with pytest.raises(TooManyEnrolments) as caught:
        await box.call()
    assert 0 < int(str(caught.value.facts["retry_after"])) <= 60
    await Box(context).call()


async def test_who_knows_a_mac_cannot_use_up_its_calls(rows: TortoiseContext) -> None:
    context = new_context(enroll_rate=5)
    box = Box(context)
    await registered(box)
    for _ in range(5):
        assert (await Box(context, mac=box.mac).call()).status == "mac_conflict"
    with pytest.raises(TooManyEnrolments):
        await Box(context, mac=box.mac).call()
    assert (await box.call()).status == "registered"


async def test_different_boxes_cannot_take_turns_under_one_mac_for_ever(
    rows: TortoiseContext,
) -> None:
    context = new_context(enroll_rate=5)
    mac = "00aabbccddee"
    for _ in range(6):
        await Box(context, mac=mac).call()
    with pytest.raises(TooManyEnrolments):
        await Box(context, mac=mac).call()


async def test_refused_calls_shut_an_address_out(rows: TortoiseContext) -> None:
    context = new_context(enroll_refused_rate=3)
    bad = Box(context).request().model_copy(update={"nonce": "0" * 32})
    for _ in range(3):
        with pytest.raises(BadSignature):
            await enroll(context, bad, "192.0.2.7")
    with pytest.raises(TooManyEnrolments):
        await Box(context).call("192.0.2.7")
    await Box(context).call("192.0.2.8")


async def test_a_whole_community_behind_one_address_may_call(rows: TortoiseContext) -> None:
    context = new_context(enroll_refused_rate=3, enroll_rate=2)
    for _ in range(10):
        assert (await Box(context).call()).status == "unregistered"


async def test_unclaimed_boxes_are_bounded(rows: TortoiseContext) -> None:
    context = new_context(pending_limit=4, pending_per_address=3)
    for _ in range(3):
        await Box(context).call("192.0.2.7")
    with pytest.raises(EnrolmentsFull):
        await Box(context).call("192.0.2.7")
    waiting = Box(context)
    await waiting.call("192.0.2.8")
    with pytest.raises(EnrolmentsFull):
        await Box(context).call("192.0.2.9")
    await waiting.call("192.0.2.8")  # who waits already is not asked to leave
    clock_of(context).move(minutes=20)
    await Box(context).call("192.0.2.9")  # what expired makes room
    assert await PendingEnrolment.all().count() == 1


async def test_a_box_started_less_often_than_its_twin_is_a_clone(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context, boot=7)
    device_id = await registered(box)
    await DeviceSession.create(
        mac=box.mac, since=context.clock(), online=True, boot=7, secret_ver=1
    )
    clock_of(context).move(hours=1)
    assert (await box.call()).status == "registered"
    assert (await box.call(boot=8)).status == "registered"
    assert (await box.call(boot=0)).status == "registered"  # does not count them
    assert (await box.call(boot=6)).status == "suspended"
    assert (await row(device_id)).status is Status.QUARANTINED
    assert [c.kind for c in await conditions.current([COMMUNITY])] == ["station_cloned"]


async def test_a_replayed_request_is_no_sign_of_a_clone(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context, boot=6)
    device_id = await registered(box)
    captured = box.request()
    clock_of(context).move(seconds=30)  # power cut: it starts again, and says so
    await DeviceSession.create(
        mac=box.mac, since=context.clock(), online=True, boot=7, secret_ver=1
    )
    for wait in (timedelta(seconds=1), timedelta(minutes=2), timedelta(days=3)):
        clock_of(context).now += wait
        assert (await enroll(context, captured, "203.0.113.9")).status == "registered"
    assert (await row(device_id)).status is Status.ACTIVE


async def test_a_call_costs_few_statements_whoever_else_waits(rows: TortoiseContext) -> None:
    context = new_context()
    box, known = Box(context), Box(context)
    await registered(known)
    for _ in range(20):
        await Box(context).call()
    await box.call()
    with statements() as sql:
        await box.call()
    assert len(sql) == 3, sql
    with statements() as sql:
        await known.call()
    assert len(sql) == 2, sql


async def test_the_time_is_signed_for_one_question(rows: TortoiseContext) -> None:
    context = new_context()
    nonce = secrets.token_hex(16)
    answer = signed_time(context, nonce)
    assert answer.ts_ms == int(context.clock().timestamp() * 1000)
    body = answer.model_dump(mode="json")
    wire.check(answer.server_pk, wire.TIME, body, answer.sig)
    with pytest.raises(BadSignature):
        wire.check(answer.server_pk, wire.TIME, body | {"nonce": "0" * 32}, answer.sig)


async def test_the_platform_keeps_its_key(rows: TortoiseContext) -> None:
    context = new_context()
    one, other = await Box(context).call(), await Box(context).call()
    assert one.server_pk == other.server_pk
    assert await Device.all().count() == 0
