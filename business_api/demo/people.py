"""The people of the demo: staff of every role, residents, and one who applies to be one.

The telephone numbers lie around +86 131 2345 6789, the example of libphonenumber. Nothing is
ever sent to them: the demo is refused unless text messages stay here.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from tortoise.transactions import in_transaction

from business_api.accounts import passwords, phone_accounts, staff
from business_api.accounts.models import Account, RoleGrant
from business_api.accounts.staff import NewStaff
from business_api.actors import Actor
from business_api.authz.roles import Role
from business_api.authz.scope import Site
from business_api.certification import applying
from business_api.certification.applying import NewApplication
from business_api.certification.models import Certification
from business_api.demo import keeping
from business_api.demo.errors import NotADemo
from business_api.demo.keeping import DemoAccount
from business_api.demo.places import ACTOR, COMMITTEE, COMPANY, LAKE, OPERATOR, PARK, Places
from business_api.people import consents, persons
from business_api.people.consent_texts import Purpose
from business_api.people.models import IdType
from business_api.people.persons import NewPerson
from business_api.places.names import house_name
from business_api.residents import moves
from business_api.residents.models import Occupancy, ResidentType
from foundation.ids import new_id
from foundation.runner import Context

# Username, name, role, where. A shop admin follows with the shops: it needs one.
_STAFF: Final = (
    ("root", "系统管理员", Role.SUPER_ADMIN, ""),
    ("operator", "运营管理员", Role.OPERATOR_ADMIN, OPERATOR),
    ("property", "物业管理员", Role.PROPERTY_ADMIN, COMPANY),
    ("committee", "业委会管理员", Role.PROPERTY_ADMIN, COMMITTEE),
    ("admin", "小区管理员", Role.COMMUNITY_ADMIN, PARK),
    ("lakeside", "小区管理员", Role.COMMUNITY_ADMIN, LAKE),
    ("reviewer", "房屋审核员", Role.HOUSE_REVIEWER, PARK),
    ("cashier", "收款员", Role.CASHIER, PARK),
    ("repair", "维修员", Role.REPAIR_WORKER, PARK),
    ("installer", "施工员", Role.INSTALLER, PARK),
    ("o2o", "O2O运营", Role.O2O_OPERATOR, PARK),
)
_Home = tuple[str, str, str, str, ResidentType]
# Phone, name, homes: community, building, unit, house, as what.
_RESIDENTS: Final[tuple[tuple[str, str, tuple[_Home, ...]], ...]] = (
    ("13123456701", "张伟", ((PARK, "01", "1", "0101", ResidentType.OWNER),)),
    ("13123456702", "李娜", ((PARK, "02", "", "0201", ResidentType.TENANT),)),
    (
        *("13123456703", "王芳"),
        (
            (PARK, "01", "1", "0101", ResidentType.FAMILY),
            (LAKE, "01", "1", "0302", ResidentType.OWNER),
        ),
    ),
)
_APPLICANT: Final = ("13123456704", "赵磊")
_WANTED: Final = (PARK, "01", "2", "0202")
_ID_NUMBER: Final = "110101190001010006"
"""Of nobody: the check digit is right, and who was born in 1900 does not move in."""


async def make(context: Context, places: Places, file: Path) -> list[DemoAccount]:
    """Make whoever is missing; all accounts, with their passwords as far as they are known.

    Raises:
        NotADemo: there is another account with one of these usernames.
    """
    sites = {OPERATOR: places.operator.site, "": Site()}
    sites |= {name: row.site for name, row in places.companies.items()}
    sites |= {name: row.site for name, row in places.communities.items()}
    found = []
    for username, name, role, where in _STAFF:
        wanted = DemoAccount(username, "", role.value, name, where)
        found.append(await _staff(context, file, wanted, role, sites[where]))
    for phone, name, homes in _RESIDENTS:
        found.append(await _resident(context, places, file, (phone, name, homes)))
    found.append(await _applicant(context, places, file))
    return found


async def _staff(
    context: Context, file: Path, wanted: DemoAccount, role: Role, site: Site
) -> DemoAccount:
    account = await Account.get_or_none(username=wanted.login)
    if account is None:
        kept = _kept(file, wanted)
        new = NewStaff(kept.login, kept.password, kept.name)
        prepared = await staff.prepare(new, must_change=False)
        await staff.create(context, ACTOR, prepared, role, site)
        return kept
    if not await RoleGrant.filter(account_id=account.id, role=role).exists():
        raise NotADemo(f"there is another account called {wanted.login}")
    return await _known(file, wanted, account)


async def _resident(
    context: Context, places: Places, file: Path, who: tuple[str, str, tuple[_Home, ...]]
) -> DemoAccount:
    phone, name, homes = who
    houses = [(await places.house(*home[:4]), home[4], home[0]) for home in homes]
    where = "; ".join(f"{community} {house_name(house)}" for house, _, community in houses)
    wanted = DemoAccount(phone, "", houses[0][1].value, name, where)
    account, shown = await _by_phone(context, file, wanted)
    for house, type_, _ in houses:
        async with in_transaction():
            person = await persons.find_or_create(
                context, ACTOR, house.site, NewPerson(name, phone), account.id
            )
            if not await Occupancy.filter(house_id=house.id, person_id=person.id).exists():
                await moves.move_in(context, ACTOR, house, person, type_)
    return shown


async def _applicant(context: Context, places: Places, file: Path) -> DemoAccount:
    """Somebody whose application waits for a reviewer."""
    phone, name = _APPLICANT
    house = await places.house(*_WANTED)
    where = f"applies for {_WANTED[0]} {house_name(house)}"
    wanted = DemoAccount(phone, "", "(applicant)", name, where)
    account, shown = await _by_phone(context, file, wanted)
    if not await Certification.filter(account_id=account.id).exists():
        new = NewApplication(
            house_id=house.id,
            type=ResidentType.OWNER,
            name=name,
            id_type=IdType.RESIDENT_ID,
            id_number=_ID_NUMBER,
            consents=[consents.current(Purpose.ID_NUMBER)],
            file_ids=[],
        )
        await applying.apply(context, Actor(account.id, new_id(), name, context.clock()), new)
    return shown


async def _by_phone(
    context: Context, file: Path, wanted: DemoAccount
) -> tuple[Account, DemoAccount]:
    account = await phone_accounts.find_by_phone(context, wanted.login)
    if account is not None:
        return account, await _known(file, wanted, account)
    kept = _kept(file, wanted)
    account = await phone_accounts.register(context, kept.login, kept.name, kept.password)
    return account, kept


def _kept(file: Path, wanted: DemoAccount) -> DemoAccount:
    """`wanted` with a password that is on the disk before the account exists.

    So no password is ever unknown, whenever the run is cut off.
    """
    known = keeping.read(file)
    held = known.get(wanted.login)
    kept = replace(wanted, password=(held and held.password) or passwords.made_up())
    keeping.write(file, known | {kept.login: kept})
    return kept


async def _known(file: Path, wanted: DemoAccount, account: Account) -> DemoAccount:
    """`wanted` with the password that is kept, if it is still the account's.

    Somebody may have changed it since: then the file forgets the old one.
    """
    known = keeping.read(file)
    held = known.get(wanted.login)
    if held is None or not held.password:
        return wanted
    if not await passwords.is_right(held.password, account.password_hash):
        keeping.write(file, known | {wanted.login: wanted})
        return wanted
    return replace(wanted, password=held.password)
