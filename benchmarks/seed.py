"""A database with N registered stations and a resident who may open all of them."""

import json
from pathlib import Path

from tortoise.transactions import in_transaction

from business_api.accounts.models import Account
from business_api.accounts.passwords import hash_password
from business_api.actors import AccountKind
from business_api.places.models import Building, Community, House, Residence
from device_registry.access import grants
from device_registry.devices import secrets
from device_registry.devices.models import CommunicationCode, Device
from device_registry.devices.states import CodeState, Position, Status
from foundation import db, migrate
from foundation.security import load_keyring
from foundation.settings import Settings

PASSWORD = "a long password for the benchmark"


def mac_of(number: int) -> str:
    """The MAC of station `number`, locally administered."""
    return f"02be{number:08x}"


async def seed(settings: Settings, stations: int, file: Path) -> list[str]:
    """Make the rows, and `file` for the load generator; returns the station ids in order."""
    keyring = load_keyring(settings.data_dir, None)
    await migrate.upgrade(settings.database)
    async with db.opened(settings.database):
        community = await Community.create(name="bench")
        building = await Building.create(community=community, code="01", name="1", has_units=False)
        house = await House.create(community=community, building=building, code="0101")
        devices, specs = [], []
        for number in range(stations):
            mac = mac_of(number)
            device = Device(
                community_id=community.id,
                place_id=community.id,
                position=Position.GATE,
                name=f"station {number}",
                mac=mac,
                last_mac=mac,
                status=Status.ACTIVE,
                comm_code=f"C{number:07d}",
            )
            secrets.new_secret(keyring, device)
            devices.append(device)
            secret = secrets.current_secret(keyring, device)
            specs.append({"mac": mac, "username": device.comm_code, "secret": secret.hex()})
        codes = [
            CommunicationCode(code=device.comm_code, state=CodeState.BOUND, mac=device.mac)
            for device in devices
        ]
        async with in_transaction():
            await Device.bulk_create(devices, batch_size=500)
            await CommunicationCode.bulk_create(codes, batch_size=500)
        resident = await Account.create(
            username="resident",
            password_hash=await hash_password(PASSWORD),
            name="resident",
            kind=AccountKind.RESIDENT,
            community_id=community.id,
        )
        await Residence.create(house=house, account_id=resident.id)
        await grants.set_remote(resident.id, house.id, [community.id])
    file.touch(mode=0o600)
    file.write_text(json.dumps(specs))
    return [str(device.id) for device in devices]
