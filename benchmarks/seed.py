"""A database with N registered stations and a resident who may open all of them."""

import json
from pathlib import Path

from tortoise.transactions import in_transaction

from business_api.accounts.models import Account
from business_api.accounts.passwords import hash_password
from business_api.auditing import PLATFORM
from business_api.organisations.models import Community, Operator, PropertyCompany
from business_api.people import persons
from business_api.people.persons import NewPerson
from business_api.places.models import Building, House
from business_api.residents import moves
from business_api.residents.models import ResidentType
from business_api.tenancy import place
from device_registry.devices import secrets
from device_registry.devices.models import CommunicationCode, Device
from device_registry.devices.states import CodeState, Position, Status
from foundation import db, migrate
from foundation.runner import Context
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
        context = Context(settings, keyring)
        house = await _house(context)
        community_id = house.community_id
        devices, specs = [], []
        for number in range(stations):
            mac = mac_of(number)
            device = Device(
                community_id=community_id,
                place_id=community_id,
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
        await _resident(context, house)
    file.touch(mode=0o600)
    file.write_text(json.dumps(specs))
    return [str(device.id) for device in devices]


async def _house(context: Context) -> House:
    now = context.clock()
    operator = await Operator.create(name="bench", created_at=now)
    company = await PropertyCompany.create(operator_id=operator.id, name="bench", created_at=now)
    community = await Community.create(
        operator_id=operator.id, company_id=company.id, name="bench", created_at=now
    )
    where = place(community.site)
    building = await Building.create(code="01", name="1", has_units=False, **where)
    return await House.create(building=building, unit=None, code="0101", **where)


async def _resident(context: Context, house: House) -> None:
    """Somebody who lives there and signs in with `resident` and `PASSWORD`."""
    account = await Account.create(
        username="resident",
        password_hash=await hash_password(PASSWORD),
        name="resident",
        created_at=context.clock(),
    )
    person = await persons.create(
        context, PLATFORM, house.site, NewPerson("resident"), account_id=account.id
    )
    await moves.move_in(context, PLATFORM, house, person, ResidentType.OWNER)
