"""Who may log in, what ends a rotation, and what a cloned station meets."""

import asyncio

import pytest
from tortoise.context import TortoiseContext

from device_registry.devices import secrets
from device_registry.devices.lifecycle import rotate, suspend, unbind
from device_registry.devices.logins import logins, quarantine, secret_used
from device_registry.devices.models import Device, Position, Status
from device_registry.devices.registration import register
from device_registry.devices.secrets import new_secret
from device_registry.link import DeviceLink
from foundation import conditions
from foundation.ids import Mac, new_id
from foundation.models import AuditEvent
from foundation.security import BadKey, Keyring
from foundation.wire.keys import DeviceKeys
from tests.device_registry.boxes import ADMIN, Box, Link, new_context, registered, row, station
from tests.support.statements import statements


async def test_only_active_stations_may_log_in(rows: TortoiseContext) -> None:
    context = new_context()
    boxes = [Box(context) for _ in range(4)]
    ids = [await registered(box) for box in boxes[:3]]
    await register(context, ADMIN, await station(boxes[3]))
    await suspend(context, ADMIN, ids[1])
    await unbind(context, ADMIN, ids[2])
    [login] = await logins(context.keyring, context.clock())
    stored = await row(ids[0])
    assert (login.mac, login.device_id) == (boxes[0].mac, ids[0])
    assert login.comm_code == stored.comm_code
    version, secret = await boxes[0].secret()
    assert login.auth_keys == {version: DeviceKeys.of(secret).auth}


@pytest.mark.parametrize("count", [1, 250])
async def test_logins_cost_one_statement_however_many(rows: TortoiseContext, count: int) -> None:
    context = new_context()
    made = []
    for number in range(count):
        place = new_id()
        device = Device(
            id=new_id(),
            community_id=place,
            place_id=place,
            position=Position.GATE,
            name=f"{number} 号门",
            mac=f"00000000{number:04x}",
            last_mac=f"00000000{number:04x}",
            status=Status.ACTIVE,
            comm_code=f"{number:06}",
        )
        new_secret(context.keyring, device)
        made.append(device)
    await Device.bulk_create(made)
    with statements() as sql:
        assert len(await logins(context.keyring, context.clock())) == count
    assert len(sql) == 1, sql


async def test_the_old_secret_ends_when_the_new_one_is_used(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    device_id = await registered(box)
    mac = Mac(box.mac)
    assert not await secret_used(mac, 1)
    await rotate(context, ADMIN, device_id)
    assert not await secret_used(mac, 1)  # the old one, once more
    [login] = await logins(context.keyring, context.clock())
    assert set(login.auth_keys) == {1, 2}
    assert await secret_used(mac, 2)
    assert not await secret_used(mac, 2)
    [login] = await logins(context.keyring, context.clock())
    assert set(login.auth_keys) == {2}
    assert (await row(device_id)).old_secret is None


async def test_another_master_key_opens_nothing(rows: TortoiseContext) -> None:
    context = new_context()
    await registered(Box(context))
    with pytest.raises(BadKey):
        await logins(Keyring(bytes(32)), context.clock())


async def test_a_secret_belongs_to_one_row(rows: TortoiseContext) -> None:
    context = new_context()
    ids = [await registered(Box(context)) for _ in range(2)]
    first = await row(ids[0])
    await Device.filter(id=ids[1]).update(secret=first.secret)
    with pytest.raises(BadKey):
        secrets.keys_of(context.keyring, await row(ids[1]), context.clock())


async def test_a_cloned_station_is_shut_out(rows: TortoiseContext) -> None:
    context = new_context()
    link, box = Link(), Box(context)
    context.provide(DeviceLink, link)
    device_id = await registered(box)
    with context.wake.listen("logins") as woken:
        await quarantine(context, Mac(box.mac), "4 take-overs in a minute")
        assert woken.is_set()
    assert (await row(device_id)).status is Status.QUARANTINED
    assert link.kicked == [(box.mac, "quarantined")]
    assert await logins(context.keyring, context.clock()) == []
    assert (await box.call()).status == "suspended"
    stored = await row(device_id)
    [condition] = await conditions.current([stored.community_id])
    assert (condition.kind, condition.subject) == ("station_cloned", f"device/{box.mac}")
    line = await AuditEvent.get(action="device.quarantine")
    assert (line.actor, line.facts["why"]) == ("platform", "4 take-overs in a minute")


async def test_who_is_not_active_is_not_quarantined(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    device_id = await registered(box)
    await suspend(context, ADMIN, device_id)
    await quarantine(context, Mac(box.mac), "late")
    await quarantine(context, Mac("00aabbccddee"), "nobody")
    assert (await row(device_id)).status is Status.SUSPENDED
    assert await conditions.current(None) == []


async def test_signs_that_come_together_quarantine_once(rows: TortoiseContext) -> None:
    context = new_context()
    box = Box(context)
    device_id = await registered(box)
    await asyncio.gather(*(quarantine(context, Mac(box.mac), f"sign {n}") for n in range(5)))
    assert await AuditEvent.filter(action="device.quarantine").count() == 1
    assert (await row(device_id)).version == 2
