"""Demo data: the community 柏树园, small enough to look through, with everything in it.

Whatever is there already stays as it is, so that it can be loaded at every start.
Passwords are made up at the first run and kept, readable by their owner only, in
`demo-accounts.json`: there is no default password anywhere.
"""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID

from business_api.accounts import accounts
from business_api.actors import AccountKind
from business_api.places import buildings, houses
from business_api.places.houses import HouseRow
from business_api.residents import residents
from device_registry.devices import bluetooth, communication_codes
from foundation.errors import DomainError, Kind
from foundation.runner import Context

COMMUNITY: Final = "柏树园"
ACTOR: Final = "platform"
CODES: Final = 20
READERS: Final = tuple((f"BT{number:04d}", "demo") for number in range(1, 6))

# Code, name, codes of its units.
_BUILDINGS: Final = (("01", "1号楼", ("1", "2")), ("02", "2号楼", ()))
_ROOMS: Final = tuple(f"{floor:02d}{room:02d}" for floor in (1, 2, 3) for room in (1, 2))

# Username, name, building, unit, house.
_RESIDENTS: Final = (
    ("zhang", "张伟", "01", "1", "0101"),
    ("li", "李娜", "02", "", "0201"),
    ("wang", "王芳", "01", "2", "0302"),
)
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another


class NotADemo(DomainError):
    """The database holds other communities: demo accounts have no place beside them."""

    kind, code, title = Kind.CONFLICT, "not-a-demo", "This is not a demo database"
    title_zh = "此数据库不是演示数据库"


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """One demo account. `password`: as it was made up; empty when the file has lost it."""

    username: str
    password: str
    kind: AccountKind
    name: str
    house: str


@dataclass(frozen=True, slots=True)
class Demo:
    """What there is after `load`."""

    community_id: UUID
    accounts: tuple[DemoAccount, ...]
    file: Path


async def load(context: Context) -> Demo:
    """Make what is missing of the demo.

    Raises:
        NotADemo: there are other communities, or accounts of theirs with these usernames.
    """
    community_id = await _community()
    homes = await _houses(community_id)
    if (await communication_codes.codes(size=1))[1] == 0:
        await communication_codes.generate(CODES, "demo", clock=context.clock)
    if (await bluetooth.readers(size=1))[1] == 0:
        await bluetooth.import_readers(READERS, "demo", clock=context.clock)
    file = context.settings.data_dir / "demo-accounts.json"
    admin = DemoAccount("admin", "", AccountKind.COMMUNITY_ADMIN, "管理员", "")
    made = [await _account(context, community_id, file, admin, None)]
    called = await houses.names(community_id, [house.id for house in homes.values()])
    for username, name, building, unit, code in _RESIDENTS:
        house = homes[building, unit, code]
        wanted = DemoAccount(username, "", AccountKind.RESIDENT, name, called[house.id])
        made.append(await _account(context, community_id, file, wanted, house))
    return Demo(community_id, tuple(made), file)


async def _community() -> UUID:
    found = await buildings.communities()
    if any(community.name != COMMUNITY for community in found) or len(found) > 1:
        raise NotADemo(f"other communities than {COMMUNITY}")
    community = found[0] if found else await buildings.create_community(COMMUNITY)
    return community.id


async def _houses(community_id: UUID) -> dict[tuple[str, str, str], HouseRow]:
    """All houses by the codes of building, unit and house; makes what is missing."""
    known = {row.code: row for row in (await buildings.buildings(community_id, limit=100))[0]}
    found: dict[tuple[str, str, str], HouseRow] = {}
    for code, name, units in _BUILDINGS:
        building = known.get(code) or await buildings.create_building(
            community_id, code, name, has_units=bool(units)
        )
        there = {
            row.code: row
            for row in (await buildings.units(community_id, building.id, limit=100))[0]
        }
        for unit_code in units or ("",):
            unit_id = None
            if unit_code:
                unit = there.get(unit_code) or await buildings.create_unit(
                    community_id, building.id, unit_code
                )
                unit_id = unit.id
            for row in await _rooms(community_id, building.id, unit_id):
                found[code, unit_code, row.code] = row
    return found


async def _rooms(community_id: UUID, building_id: UUID, unit_id: UUID | None) -> Sequence[HouseRow]:
    there, _ = await houses.houses(
        community_id, building_id=building_id, unit_id=unit_id, limit=100
    )
    missing = set(_ROOMS) - {row.code for row in there}
    for code in sorted(missing):
        there.append(await houses.create_house(community_id, building_id, unit_id, code))
    return there


async def _account(
    context: Context, community_id: UUID, file: Path, wanted: DemoAccount, house: HouseRow | None
) -> DemoAccount:
    """The account with this username, made if there is none, and its password if it is known.

    The password is on the disk before the account exists, so that none is ever unknown.
    """
    known = _read(file)
    try:
        found = await accounts.find(wanted.username)
    except accounts.NoSuchAccount:
        account = known.get(wanted.username) or replace(wanted, password=_password())
        _write(file, known | {account.username: account})
        new = await accounts.prepare(
            account.username,
            account.password,
            account.name,
            account.kind,
            community_id=community_id,
        )
        if house is None:
            await accounts.create(context, ACTOR, new)
        else:
            await residents.create_resident(context, ACTOR, house.id, new)
        return account
    if found.community_id != community_id:
        raise NotADemo(f"there is another account called {wanted.username}")
    return known.get(wanted.username) or wanted


def _password() -> str:
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def _read(file: Path) -> dict[str, DemoAccount]:
    if not file.exists():
        return {}
    rows = json.loads(file.read_text(encoding="utf-8"))
    return {
        row["username"]: DemoAccount(**row | {"kind": AccountKind(row["kind"])}) for row in rows
    }


def _write(file: Path, known: dict[str, DemoAccount]) -> None:
    """Replace the file as a whole; nobody but its owner may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(fresh, "x", encoding="utf-8", opener=_private) as out:
        json.dump(
            [asdict(account) for account in known.values()], out, ensure_ascii=False, indent=2
        )
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
