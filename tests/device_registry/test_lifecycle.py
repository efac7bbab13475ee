"""What becomes of a registered station: shut out, let in, rotated, replaced, given up."""

import asyncio
import base64

import pytest
from tortoise.context import TortoiseContext

from device_registry.devices import bluetooth, communication_codes
from device_registry.devices.boxes import MacTaken, lapse
from device_registry.devices.changes import DeviceChanged, DeviceNotFound, WrongState
from device_registry.devices.communication_codes import CodeNotFree
from device_registry.devices.lifecycle import (
    dismiss,
    nudge,
    replace,
    resume,
    rotate,
    rotate_due,
    suspend,
    sweep,
    unbind,
)
from device_registry.devices.logins import logins, quarantine
from device_registry.devices.models import (
    CodeState,
    CommunicationCode,
    Device,
    DeviceSession,
    PendingEnrolment,
    Status,
)
from device_registry.devices.pending import NotSeen, WrongUserCode
from device_registry.devices.registration import confirm, register
from device_registry.devices.secrets import keys_of
from device_registry.link import DeviceLink, Heard, SessionChange
from device_registry.service import RegistryService
from foundation import audit, conditions
from foundation.ids import Mac, new_id
from foundation.models import AuditEvent
from foundation.runner import Context
from foundation.wire.hello import Hello, Rotate
from foundation.wire.keys import DeviceKeys
from foundation.wire.topics import BadMac
from tests.device_registry.boxes import (
    ADMIN,
    COMMUNITY,
    Box,
    Link,
    clock_of,
    new_context,
    registered,
    row,
    station,
)


def linked(context: Context) -> Link:
    link = Link()
    context.provide(DeviceLink, link)
    return link


async def test_suspend_and_resume(rows: TortoiseContext) -> None:
    context = new_context()
    link, box = linked(context), Box(context)
    device_id = await registered(box)
    secret = await box.secret()
    with context.wake.listen("logins") as woken:
        await suspend(context, ADMIN, device_id, version=1)
        assert woken.is_set()
    assert link.kicked == [(box.mac, "suspended")]
    assert await logins(context.keyring, context.clock()) == []
    assert (await box.call()).status == "suspended"
    with pytest.raises(WrongState):
        await suspend(context, ADMIN, device_id)
    with pytest.raises(DeviceChanged):
        await resume(context, ADMIN, device_id, version=1)
    await resume(context, ADMIN, device_id, version=2)
    assert await box.secret() == secret
    assert len(await logins(context.keyring, context.clock())) == 1
    with pytest.raises(WrongState) as caught:
        await resume(context, ADMIN, device_id)
    assert caught.value.facts["status"] == "active"


async def test_a_process_without_a_broker_only_wakes(rows: TortoiseContext) -> None:
    context = new_context()
    device_id = await registered(Box(context))
    with context.wake.listen("logins") as woken:
        await suspend(context, ADMIN, device_id)
        assert woken.is_set()


async def test_nothing_can_be_done_to_a_station_that_is_not(rows: TortoiseContext) -> None:
    context = new_context()
    for act in (suspend, resume, unbind, rotate, dismiss):
        with pytest.raises(DeviceNotFound):
            await act(context, ADMIN, new_id())
    with pytest.raises(DeviceNotFound):
        await replace(context, ADMIN, new_id(), "00aabbccddee")


async def test_unbind_destroys_and_frees(rows: TortoiseContext) -> None:
    context = new_context()
    link, box = linked(context), Box(context)
    await bluetooth.import_readers([("BLE-1", "")], "test")
    device_id = await registered(box, reader_number="BLE-1")
    await rotate(context, ADMIN, device_id)
    comm_code = (await row(device_id)).comm_code
    await unbind(context, ADMIN, device_id)
    stored = await row(device_id)
    assert (stored.status, stored.mac, stored.last_mac) == (Status.UNBOUND, None, box.mac)
    assert (stored.secret, stored.old_secret, stored.reader_number) == (None, None, None)
    assert keys_of(context.keyring, stored, context.clock()) == {}
    pool = await CommunicationCode.get(code=comm_code)
    assert (pool.state, pool.mac) == (CodeState.RETIRED, box.mac)
    assert await bluetooth.free() == ["BLE-1"]
    assert link.kicked == [(box.mac, "unbound")]
    with pytest.raises(WrongState):
        await unbind(context, ADMIN, device_id)


async def test_a_code_is_bound_again_only_after_the_operator_recycled_it(
    rows: TortoiseContext,
) -> None:
    context = new_context()
    one, other = Box(context), Box(context)
    device_id = await registered(one)
    comm_code = (await row(device_id)).comm_code
    await unbind(context, ADMIN, device_id)
    with pytest.raises(CodeNotFree):
        await registered(other, comm_code=comm_code)
    await communication_codes.recycle(comm_code)
    await registered(other, comm_code=comm_code)


@pytest.mark.parametrize("says", [True, False])
async def test_an_unbound_box_is_told_to_wipe_itself(rows: TortoiseContext, says: bool) -> None:
    context = new_context()
    box = Box(context)
    device_id = await registered(box)
    version, _ = await box.secret()
    await unbind(context, ADMIN, device_id)
    held = {"held": version} if says else {}
    stranger = Box(context, mac=box.mac)
    assert (await stranger.call()).status == "unregistered"  # told to nobody else
    assert (await box.call(**held)).status == "unbound"
    if says:  # the answer may have been lost
        assert (await box.call(**held)).status == "unbound"
    assert (await row(device_id)).confirmed_wipe_at is None
    clock_of(context).move(seconds=5)
    after = await box.call(**({"held": 0} if says else {}))
    assert after.status == "unregistered"
    assert (await row(device_id)).confirmed_wipe_at == context.clock()
    new = await station(box, user_code=after.user_code)
    assert await register(context, ADMIN, new) != device_id
    assert (await box.call()).status == "registered"


async def test_a_box_is_told_once_for_every_time_it_was_unbound(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    for _ in range(2):
        device_id = await registered(box)
        await box.secret()
        await unbind(context, ADMIN, device_id)
        assert (await box.call()).status == "unbound"
        assert (await box.call()).status == "unregistered"
    assert await Device.filter(confirmed_wipe_at__isnull=True).count() == 0


async def test_a_registration_taken_back_before_any_box_came(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    new = await station(box)
    device_id = await register(context, ADMIN, new)
    await box.call()
    await unbind(context, ADMIN, device_id)
    assert await communication_codes.free() == [new.comm_code]
    assert (await box.call()).status == "unregistered"  # it holds nothing that it should wipe


async def test_replace_with_a_box_that_shows_its_code(rows: TortoiseContext) -> None:
    context = new_context()
    link, old, new = linked(context), Box(context), Box(context)
    await bluetooth.import_readers([("BLE-1", "")], "test")
    device_id = await registered(old, reader_number="BLE-1", name="北门")
    before = await row(device_id)
    _, old_secret = await old.secret()
    shown = (await new.call()).user_code
    assert await replace(context, ADMIN, device_id, new.mac, shown, version=1) == device_id
    after = await row(device_id)
    assert (after.mac, after.status, after.box) == (new.mac, Status.ACTIVE, 2)
    kept = ("name", "place_id", "position", "comm_code", "reader_number", "community_id")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert (await CommunicationCode.get(code=after.comm_code)).mac == new.mac
    assert link.kicked == [(old.mac, "replaced")]
    version, secret = await new.secret()
    assert version == 2
    assert secret != old_secret
    assert after.old_secret is None  # what the old box knows is worth nothing
    assert [login.mac for login in await logins(context.keyring, context.clock())] == [new.mac]
    assert (await old.call()).status == "unbound"
    assert (await old.call()).status == "unregistered"
    line = await AuditEvent.get(action="device.replace")
    assert (line.facts["before"], line.facts["mac"]) == (old.mac, new.mac)


async def test_replace_with_a_box_that_is_awaited(rows: TortoiseContext) -> None:
    context = new_context()
    old, new = Box(context), Box(context)
    device_id = await registered(old)
    await replace(context, ADMIN, device_id, new.mac)
    assert (await row(device_id)).status is Status.AWAITING
    assert (await row(device_id)).secret is None
    assert (await old.call()).status == "unbound"
    shown = await new.call()
    assert shown.status == "confirm"
    await confirm(context, ADMIN, device_id, number=shown.number)
    assert (await new.secret())[0] == 2


async def test_a_replacement_that_does_not_come_keeps_the_place(rows: TortoiseContext) -> None:
    context = new_context()
    old, never, third = Box(context), Box(context), Box(context)
    device_id = await registered(old)
    await replace(context, ADMIN, device_id, never.mac)
    clock_of(context).move(days=30)
    assert await lapse(context) == 0
    assert (await never.call()).status == "unregistered"  # too late to be trusted unseen
    shown = (await third.call()).user_code
    await replace(context, ADMIN, device_id, third.mac, shown)
    assert (await third.call()).status == "registered"
    assert (await row(device_id)).box == 3


async def test_a_box_that_lost_its_keys_replaces_itself(rows: TortoiseContext) -> None:
    context = new_context()
    old = Box(context)
    again = Box(context, mac=old.mac)
    device_id = await registered(old)
    assert (await again.call()).status == "mac_conflict"
    await replace(context, ADMIN, device_id, old.mac)
    assert await conditions.current([COMMUNITY]) == []  # somebody has dealt with it
    shown = await again.call()
    await confirm(context, ADMIN, device_id, number=shown.number)
    assert (await again.call()).status == "registered"
    assert (await old.call()).status == "unbound"
    assert (await old.call()).status == "mac_conflict"


async def test_what_replace_refuses_leaves_the_old_box_at_work(rows: TortoiseContext) -> None:
    context = new_context()
    link, old, other, new = linked(context), Box(context), Box(context), Box(context)
    device_id = await registered(old)
    await registered(other)
    secret = await old.secret()
    with pytest.raises(MacTaken):
        await replace(context, ADMIN, device_id, other.mac)
    with pytest.raises(NotSeen):
        await replace(context, ADMIN, device_id, new.mac, "AAAA-AAAA")
    shown = (await new.call()).user_code
    with pytest.raises(WrongUserCode):
        await replace(context, ADMIN, device_id, new.mac, "AAAA-AAAA")
    with pytest.raises(DeviceChanged):
        await replace(context, ADMIN, device_id, new.mac, shown, version=9)
    with pytest.raises(BadMac):
        await replace(context, ADMIN, device_id, "ff:ff:ff:ff:ff:ff")
    assert link.kicked == []
    assert await old.secret() == secret
    assert await PendingEnrolment.filter(mac=new.mac).exists()
    await unbind(context, ADMIN, device_id)
    with pytest.raises(WrongState):
        await replace(context, ADMIN, device_id, new.mac, shown)


async def test_two_stations_want_the_same_replacement(rows: TortoiseContext) -> None:
    context = new_context()
    new = Box(context)
    ids = [await registered(Box(context)) for _ in range(4)]
    results = await asyncio.gather(
        *(replace(context, ADMIN, device_id, new.mac) for device_id in ids),
        return_exceptions=True,
    )
    assert sorted(type(r).__name__ for r in results) == [*["MacTaken"] * 3, "UUID"]
    assert await Device.filter(mac=new.mac).count() == 1
    assert await Device.filter(status=Status.ACTIVE).count() == 3
    assert await audit.broken_at() is None


async def test_rotation_overlaps(rows: TortoiseContext) -> None:
    context = new_context()
    link, box = linked(context), Box(context)
    device_id = await registered(box)
    version, old = await box.secret()
    await rotate(context, ADMIN, device_id)
    stored = await row(device_id)
    keys = keys_of(context.keyring, stored, context.clock())
    assert set(keys) == {version, version + 1}
    assert keys[version] == DeviceKeys.of(old)
    # the station is told, in words it can check with what it holds
    [(mac, topic, payload)] = link.sent
    assert (mac, topic) == (box.mac, f"v1/{box.mac}/dn/s/rotate")
    assert Rotate.verify(payload, DeviceKeys.of(old).dn, Mac(box.mac)).secret_ver == version + 1
    assert await box.secret() == (version + 1, _secret(context, stored))
    clock_of(context).move(hours=24)
    assert set(keys_of(context.keyring, stored, context.clock())) == {version + 1}
    [login] = await logins(context.keyring, context.clock())
    assert set(login.auth_keys) == {version + 1}
    assert (await row(device_id)).old_secret is not None
    await rotate_due(context)
    assert (await row(device_id)).old_secret is None


def _secret(context: Context, stored: Device) -> bytes:
    return context.keyring.unseal(bytes(stored.secret or b""), f"device/{stored.id}")


async def test_a_second_rotation_leaves_two_secrets_not_three(rows: TortoiseContext) -> None:
    context = new_context()
    device_id = await registered(Box(context))
    await rotate(context, ADMIN, device_id)
    await rotate(context, ADMIN, device_id)
    assert set(keys_of(context.keyring, await row(device_id), context.clock())) == {2, 3}


async def test_secrets_are_renewed_after_90_days(rows: TortoiseContext) -> None:
    context = new_context()
    link = linked(context)
    boxes = [Box(context) for _ in range(3)]
    ids = [await registered(box) for box in boxes]
    await suspend(context, ADMIN, ids[2])
    clock_of(context).move(days=89)
    assert await rotate_due(context) == 0
    clock_of(context).move(days=1)
    with context.wake.listen("logins") as woken:
        assert await rotate_due(context) == 2
        assert woken.is_set()
    assert sorted(mac for mac, _, _ in link.sent) == sorted(box.mac for box in boxes[:2])
    assert [(await row(device_id)).secret_ver for device_id in ids] == [2, 2, 1]
    assert await rotate_due(context) == 0
    with pytest.raises(WrongState):
        await rotate(context, ADMIN, ids[2])


async def test_a_station_that_missed_the_news_is_told_again(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    device_id = await registered(box)
    await rotate(context, ADMIN, device_id)  # no broker here: nobody is told
    link = linked(context)
    await nudge(context, [Mac(box.mac)])
    assert len(link.sent) == 1
    clock_of(context).move(hours=24)  # over: it would be signed with a secret that is none
    await nudge(context, [Mac(box.mac), Mac("00aabbccddee")])
    await nudge(context, [])
    assert len(link.sent) == 1


async def test_a_hello_with_the_old_secret_is_answered_with_the_news(
    rows: TortoiseContext,
) -> None:
    context = new_context()
    box = Box(context)
    device_id = await registered(box)
    _, old = await box.secret()
    await rotate(context, ADMIN, device_id)
    link, service = linked(context), RegistryService(context)
    mac, now = Mac(box.mac), context.clock()
    await service.sessions.changed([SessionChange(mac, 1, up=True, at=now)])
    hello = Hello(boot=1, sess="0" * 32, up_ms=1, fw="1.0.0", schema_=1, secret_ver=1)
    await service.hello([Heard(mac, 1, hello.sign(DeviceKeys.of(old).up, mac), now)])
    assert [topic for _, topic, _ in link.sent] == [f"v1/{mac}/dn/s/rotate"]
    _, new = await box.secret()
    hello = hello.model_copy(update={"secret_ver": 2, "sess": "1" * 32})
    await service.hello([Heard(mac, 1, hello.sign(DeviceKeys.of(new).up, mac), now)])
    assert len(link.sent) == 1


async def test_a_quarantined_station_can_be_let_in_again(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context, boot=3)
    device_id = await registered(box)
    await DeviceSession.create(mac=box.mac, since=context.clock(), boot=9)
    await quarantine(context, Mac(box.mac), "boot 3 after 9")
    assert len(await conditions.current([COMMUNITY])) == 1
    await resume(context, ADMIN, device_id)
    assert await conditions.current([COMMUNITY]) == []
    clock_of(context).move(hours=1)
    assert (await box.call()).status == "registered"  # boots are counted from now on


async def test_alarms_are_over_when_an_admin_says_so(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    device_id = await registered(box)
    await Box(context, mac=box.mac).call()
    assert len(await conditions.current([COMMUNITY])) == 1
    await dismiss(context, ADMIN, device_id)
    assert await conditions.current([COMMUNITY]) == []
    await Box(context, mac=box.mac).call()
    assert len(await conditions.current([COMMUNITY])) == 1


async def test_a_new_station_under_an_old_mac_counts_boots_anew(rows: TortoiseContext) -> None:
    context = new_context()
    old = Box(context, boot=50)
    await unbind(context, ADMIN, await registered(old))
    await DeviceSession.create(mac=old.mac, since=context.clock(), boot=50)
    repaired = Box(context, mac=old.mac, boot=1)
    await registered(repaired)
    clock_of(context).move(hours=1)
    assert (await repaired.call()).status == "registered"


async def test_one_sweep_does_all_that_time_does(rows: TortoiseContext) -> None:
    context = new_context()
    await Box(context).call()
    await register(context, ADMIN, await station(Box(context)))
    device_id = await registered(Box(context))
    clock_of(context).move(days=91)
    await sweep(context)
    assert await PendingEnrolment.all().count() == 0
    assert await Device.filter(status=Status.AWAITING).count() == 0
    assert (await row(device_id)).secret_ver == 2
    assert await audit.broken_at() is None


async def test_the_audit_never_holds_a_secret(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    shown = (await box.call()).user_code
    device_id = await register(context, ADMIN, await station(box, user_code=shown))
    _, first = await box.secret()
    await rotate(context, ADMIN, device_id)
    _, second = await box.secret()
    text = str([line.facts for line in await AuditEvent.all()])
    for secret in (first, second):
        assert base64.b64encode(secret).decode() not in text
        assert secret.hex() not in text
    assert str(shown) not in text
