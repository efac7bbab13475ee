"""Rows of staff and residents, made without the API: where a test begins, not what it tests."""

from datetime import datetime, timedelta
from typing import Final

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from business_api.accounts.models import Account, RoleGrant
from business_api.authz.roles import SCOPE, Role
from business_api.authz.scope import ScopeType, Site
from business_api.people.models import Person
from business_api.places.models import House
from business_api.places.names import way_home
from business_api.residents.models import Occupancy, ResidentType
from business_api.tenancy import COLUMNS, place
from device_registry.access import grants

PASSWORD = "correct horse battery"

_QUICK: Final = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
"""A hash says itself what it costs to check: thousands of tests sign in."""

_HASH: Final = _QUICK.hash(PASSWORD)


async def account(username: str, now: datetime) -> Account:
    """An account without a role, whose password is `PASSWORD`."""
    return await Account.create(
        username=username, password_hash=_HASH, name=username.title(), created_at=now
    )


async def give(holder: Account, role: Role, site: Site, now: datetime) -> RoleGrant:
    """Give a role at the narrowest level of `site` at which it can be held."""
    levels = [level for level in ScopeType if level in SCOPE[role]]
    level = next((one for one in reversed(levels) if site.at(one)), levels[0])
    above = {name: site.at(up) for up, name in COLUMNS.items()}
    return await RoleGrant.create(
        account=holder,
        role=role,
        scope_type=level,
        scope_id=site.at(level),
        created_at=now,
        **above,
    )


async def settle(holder: Account, house: House, type_: ResidentType, now: datetime) -> Occupancy:
    """Let the account live in `house` since a second ago, and open the doors on the way."""
    began = now - timedelta(seconds=1)
    where = place(house.site)
    person = await Person.get_or_none(account_id=holder.id, community_id=house.community_id)
    if person is None:
        person = await Person.create(
            account_id=holder.id, name=holder.name, created_at=began, **where
        )
    occupancy = await Occupancy.create(
        house=house,
        building_id=house.building_id,  # type: ignore[attr-defined]
        person=person,
        type=type_,
        slot=f"{house.id}/{person.id}",
        valid_from=began,
        created_at=began,
        **where,
    )
    await grants.set_remote(holder.id, house.id, way_home(house))
    return occupancy
