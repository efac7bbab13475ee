"""Both orders of the manual, and everything that can be wrong in them (REG/1, step 2)."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tortoise.context import TortoiseContext
from tortoise.transactions import in_transaction

from device_registry.devices import bluetooth, communication_codes, lifecycle, registration
from device_registry.devices.bluetooth import ReaderNotFree
from device_registry.devices.boxes import MacTaken, lapse
from device_registry.devices.changes import DeviceChanged, DeviceNotFound, WrongState
from device_registry.devices.communication_codes import CodeNotFree
from device_registry.devices.models import (
    BluetoothReader,
    CodeState,
    CommunicationCode,
    Device,
    PendingEnrolment,
    Position,
    Status,
)
from device_registry.devices.pending import LETTERS, NotSeen, WrongUserCode, new_user_code
from device_registry.devices.registration import (
    BadName,
    BadPosition,
    NumberDiffers,
    RegistrationLapsed,
    comparison,
    confirm,
    move,
    register,
    rename,
)
from foundation import audit, conditions
from foundation.ids import new_id
from foundation.models import AuditEvent
from foundation.wire.enroll import comparison_number
from foundation.wire.topics import BadMac
from tests.device_registry.boxes import (
    ADMIN,
    COMMUNITY,
    Box,
    clock_of,
    code,
    new_context,
    registered,
    row,
    station,
)


async def actions() -> list[str]:
    return [str(line.action) for line in await AuditEvent.all().order_by("seq")]


async def test_station_first(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    await bluetooth.import_readers([("BLE-1", "R1")], "test")
    shown = (await box.call()).user_code
    assert shown is not None
    new = await station(
        box, user_code=f" {shown.lower().replace('-', ' ')} ", reader_number="ble-1"
    )
    with context.wake.listen("logins") as woken:
        device_id = await register(context, ADMIN, new)
        assert woken.is_set()
    stored = await row(device_id)
    assert (stored.status, stored.mac, stored.public_keys) == (Status.ACTIVE, box.mac, box.pk)
    assert (stored.model, stored.fw, stored.secret_ver) == ("DS-1", "1.0.0", 1)
    assert f"account/{stored.created_by}" == ADMIN
    assert stored.expires_at is None
    pool = await CommunicationCode.get(code=new.comm_code)
    assert (pool.state, pool.mac) == (CodeState.BOUND, box.mac)
    assert (await BluetoothReader.get(number="BLE-1")).device_id == device_id
    assert await PendingEnrolment.all().count() == 0
    assert (await box.call()).status == "registered"
    line = await AuditEvent.get(action="device.register")
    assert (line.actor, line.object) == (ADMIN, f"device/{device_id}")
    assert (line.community_id, line.facts["mac"]) == (COMMUNITY, box.mac)
    assert line.facts["local_mac"] is False
    assert await audit.broken_at() is None


async def test_admin_first(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    device_id = await register(context, ADMIN, await station(box))
    stored = await row(device_id)
    assert (stored.status, stored.secret, stored.public_keys) == (Status.AWAITING, None, "")
    assert await comparison(context, device_id) is None
    with pytest.raises(WrongState):
        await confirm(context, ADMIN, device_id)

    bound = await box.once()
    assert (bound.status, bound.number) == ("confirm", None)
    assert await comparison(context, device_id) is None
    with pytest.raises(WrongState):
        await confirm(context, ADMIN, device_id)
    first = await box.call()
    assert (first.status, first.share) == ("confirm", bound.share)
    assert first.number == comparison_number(box.pk, first.server_pk, box.mine, str(first.share))
    assert await comparison(context, device_id) == first.number
    again = await box.call()  # another nonce, the same number: somebody may be comparing it
    assert (again.status, again.number) == ("confirm", first.number)
    assert first.sealed is None
    assert again.sealed is None

    with pytest.raises(NumberDiffers):
        await confirm(context, ADMIN, device_id, number="12345")
    await confirm(context, ADMIN, device_id, number=first.number)
    answer = await box.call()
    assert answer.status == "registered"
    assert box.open(answer).secret_ver == 1
    assert await comparison(context, device_id) is None
    with pytest.raises(WrongState):
        await confirm(context, ADMIN, device_id)
    assert await actions() == [
        "communication_code.generate",
        "device.register",
        "device.show",
        "device.confirm",
    ]


async def test_another_box_while_an_admin_compares(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    device_id = await register(context, ADMIN, await station(box))
    first = await box.call()
    twin = await Box(context, mac=box.mac).call()
    assert (twin.status, twin.number) == ("mac_conflict", None)
    assert await comparison(context, device_id) == first.number
    assert [c.kind for c in await conditions.current([COMMUNITY])] == ["mac_conflict"]


async def test_two_boxes_of_an_awaited_mac_at_once(rows: TortoiseContext) -> None:
    context = new_context()
    one = Box(context)
    other = Box(context, mac=one.mac)
    device_id = await register(context, ADMIN, await station(one))
    answers = await asyncio.gather(one.call(), other.call())
    assert sorted(answer.status for answer in answers) == ["confirm", "mac_conflict"]
    winner = one if answers[0].status == "confirm" else other
    assert (await row(device_id)).public_keys == winner.pk


async def test_a_box_that_waited_already_is_awaited_all_the_same(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    await box.call()
    await register(context, ADMIN, await station(box))
    assert (await box.call()).status == "confirm"
    assert await PendingEnrolment.all().count() == 0


async def test_an_awaited_box_that_does_not_come_frees_everything(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    await bluetooth.import_readers([("BLE-1", "")], "test")
    new = await station(box, reader_number="BLE-1")
    device_id = await register(context, ADMIN, new)
    clock_of(context).move(hours=71)
    assert await lapse(context) == 0
    clock_of(context).move(hours=1)
    assert (await box.call()).status == "unregistered"  # before any sweep
    assert await lapse(context) == 1
    assert await lapse(context) == 0
    stored = await row(device_id)
    assert (stored.status, stored.mac, stored.last_mac) == (Status.UNBOUND, None, box.mac)
    assert await communication_codes.free() == [new.comm_code]  # nobody has ever heard it
    assert await bluetooth.free() == ["BLE-1"]
    assert (await actions())[-1] == "device.lapse"


async def test_who_confirms_too_late_registers_again(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    new = await station(box)
    device_id = await register(context, ADMIN, new)
    await box.call()
    clock_of(context).move(hours=72)
    with pytest.raises(RegistrationLapsed):
        await confirm(context, ADMIN, device_id)
    assert await comparison(context, device_id) is None
    shown = (await box.call()).user_code
    again = await station(box, comm_code=await code(), user_code=shown)
    assert await register(context, ADMIN, again) != device_id  # no sweep was needed
    assert (await box.call()).status == "registered"


async def test_five_wrong_codes_and_the_box_shows_another(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    shown = (await box.call()).user_code
    left = []
    for _ in range(6):
        with pytest.raises(WrongUserCode) as caught:
            await register(context, ADMIN, await station(box, user_code=new_user_code()))
        left.append(caught.value.facts["tries_left"])
    assert left == [4, 3, 2, 1, 0, 0]
    with pytest.raises(WrongUserCode):  # even the right one: it was guessed at too often
        await register(context, ADMIN, await station(box, user_code=shown))
    fresh = (await box.call()).user_code
    assert fresh != shown
    with pytest.raises(WrongUserCode) as caught:
        await register(context, ADMIN, await station(box, user_code=shown))
    assert caught.value.facts["tries_left"] == 4
    await register(context, ADMIN, await station(box, user_code=fresh))
    assert await Device.all().count() == 1


async def test_guesses_side_by_side_are_as_many_as_one_by_one(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    await box.call()
    guesses = [await station(box, user_code=new_user_code()) for _ in range(20)]
    found = await asyncio.gather(
        *(register(context, ADMIN, guess) for guess in guesses), return_exceptions=True
    )
    assert all(isinstance(error, WrongUserCode) for error in found)
    assert (await PendingEnrolment.get(mac=box.mac)).tries == 5


async def test_a_wrong_code_counts_inside_a_transaction_that_fails(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    shown = (await box.call()).user_code
    left = []
    for _ in range(6):
        new = await station(box, user_code=new_user_code())
        with pytest.raises(WrongUserCode) as caught:
            async with in_transaction():
                await register(context, ADMIN, new)
        left.append(caught.value.facts["tries_left"])
    assert left == [4, 3, 2, 1, 0, 0]
    assert (await box.call()).user_code != shown


async def test_a_right_code_may_be_typed_again_after_another_mistake(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    shown = (await box.call()).user_code
    for _ in range(7):
        with pytest.raises(CodeNotFree):
            await register(context, ADMIN, await station(box, user_code=shown, comm_code="NONE"))
    await register(context, ADMIN, await station(box, user_code=shown))


async def test_a_code_shown_by_another_box_is_wrong(rows: TortoiseContext) -> None:
    context = new_context()
    box, other = Box(context), Box(context)
    await box.call()
    shown = (await other.call()).user_code
    with pytest.raises(WrongUserCode):
        await register(context, ADMIN, await station(box, user_code=shown))


async def test_a_box_that_never_called_or_went_silent(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    with pytest.raises(NotSeen):
        await register(context, ADMIN, await station(box, user_code="AAAA-AAAA"))
    shown = (await box.call()).user_code
    clock_of(context).move(minutes=15)
    with pytest.raises(NotSeen):
        await register(context, ADMIN, await station(box, user_code=shown))


async def test_a_mac_is_registered_once(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    await registered(box)
    elsewhere = {"community_id": new_id(), "user_code": "AAAA-AAAA"}
    for more in ({}, {"user_code": "AAAA-AAAA"}, elsewhere):
        with pytest.raises(MacTaken):
            await register(context, ADMIN, await station(box, **more))


async def test_a_failure_leaves_nothing_behind(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    shown = (await box.call()).user_code
    new = await station(box, user_code=shown, reader_number="UNKNOWN")
    before = await actions()
    with pytest.raises(ReaderNotFree):
        await register(context, ADMIN, new)
    assert await Device.all().count() == 0
    assert await communication_codes.free() == [new.comm_code]
    assert await PendingEnrolment.all().count() == 1
    assert await actions() == before


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"name": "  "}, BadName),
        ({"name": "x" * 81}, BadName),
        ({"name": "a\x00b"}, BadName),
        ({"mac": "01:02:03:04:05:06"}, BadMac),
        ({"place_id": new_id()}, BadPosition),
        ({"comm_code": "x' OR 1=1"}, CodeNotFree),
        ({"comm_code": ""}, CodeNotFree),
        ({"comm_code": "9" * 400}, CodeNotFree),
    ],
)
async def test_what_was_typed_cannot_be(
    rows: TortoiseContext, what: dict[str, object], error: type[Exception]
) -> None:
    context = new_context()
    with pytest.raises(error):
        await register(context, ADMIN, await station(Box(context), **what))
    assert await Device.all().count() == 0


async def test_a_made_up_mac_is_let_in_and_noted(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context, mac="02aabbccddee")
    await registered(box)
    assert (await AuditEvent.get(action="device.register")).facts["local_mac"] is True


@pytest.mark.parametrize("shared", ["mac", "comm_code", "reader_number"])
async def test_two_admins_at_once_want_the_same(rows: TortoiseContext, shared: str) -> None:
    context = new_context()
    await bluetooth.import_readers([(f"BLE-{n}", "") for n in range(8)], "test")
    common = {"mac": Box(context).mac, "comm_code": await code(), "reader_number": "BLE-7"}
    wanted = [
        await station(
            Box(context),
            **{"name": f"{n} 号门", "reader_number": f"BLE-{n}", shared: common[shared]},
        )
        for n in range(6)
    ]
    results = await asyncio.gather(
        *(register(context, ADMIN, new) for new in wanted), return_exceptions=True
    )
    errors = {"mac": MacTaken, "comm_code": CodeNotFree, "reader_number": ReaderNotFree}
    failed = [result for result in results if isinstance(result, BaseException)]
    assert [type(error) for error in failed] == [errors[shared]] * 5
    assert await Device.all().count() == 1
    assert await CommunicationCode.filter(state=CodeState.BOUND).count() == 1
    assert await BluetoothReader.filter(device_id__isnull=False).count() == 1
    assert await audit.broken_at() is None


async def test_two_admins_type_the_right_code_at_once(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    shown = (await box.call()).user_code
    wanted = [await station(box, user_code=shown) for _ in range(4)]
    results = await asyncio.gather(
        *(register(context, ADMIN, new) for new in wanted), return_exceptions=True
    )
    failed = [result for result in results if isinstance(result, BaseException)]
    assert len(failed) == 3
    assert all(isinstance(error, MacTaken | NotSeen | WrongUserCode) for error in failed), failed
    assert (await box.call()).status == "registered"
    assert await CommunicationCode.filter(state=CodeState.BOUND).count() == 1


async def test_rename_and_move(rows: TortoiseContext) -> None:
    context = new_context()
    device_id = await registered(Box(context))
    unit = new_id()
    await rename(context, ADMIN, device_id, "  1栋  1单元 ", version=1)
    await move(context, ADMIN, device_id, Position.UNIT, unit, version=2)
    stored = await row(device_id)
    assert (stored.name, stored.position, stored.place_id) == ("1栋 1单元", Position.UNIT, unit)
    assert stored.version == 3
    with pytest.raises(DeviceChanged) as caught:
        await rename(context, ADMIN, device_id, "南门", version=2)
    assert caught.value.facts["version"] == 3
    with pytest.raises(BadPosition):
        await move(context, ADMIN, device_id, Position.GATE, unit)
    with pytest.raises(BadName):
        await rename(context, ADMIN, device_id, "")
    with pytest.raises(DeviceNotFound):
        await rename(context, ADMIN, new_id(), "南门")
    await lifecycle.unbind(context, ADMIN, device_id)
    with pytest.raises(WrongState):
        await rename(context, ADMIN, device_id, "南门")


async def test_of_changes_at_once_to_one_version_one_wins(rows: TortoiseContext) -> None:
    context = new_context()
    device_id = await registered(Box(context))
    names = [f"{n} 号门" for n in range(5)]
    results = await asyncio.gather(
        *(rename(context, ADMIN, device_id, name, version=1) for name in names),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == [
        *["DeviceChanged"] * 4,
        "NoneType",
    ]
    assert (await row(device_id)).version == 2


@given(st.text(max_size=100))
def test_a_name_is_one_printable_line(text: str) -> None:
    try:
        name = registration._name(text)
    except BadName:
        return
    assert name.isprintable()
    assert 1 <= len(name) <= 80
    assert name == name.strip()


def test_codes_hold_no_letter_that_is_read_for_another() -> None:
    made = "".join(new_user_code() for _ in range(500)).replace("-", "")
    assert set(made) == set(LETTERS)
    for alike in ("0O", "1IL", "2Z", "5S", "8B"):
        assert len(set(LETTERS) & set(alike)) <= 1
