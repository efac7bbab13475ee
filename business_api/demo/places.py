"""The tenants and places of the demo, each made by the function that the API uses too."""

from dataclasses import dataclass
from typing import Final

from business_api import auditing
from business_api.demo.errors import NotADemo
from business_api.organisations import communities, companies, operators
from business_api.organisations.communities import NewCommunity
from business_api.organisations.companies import NewCompany
from business_api.organisations.models import Community, Operator, PropertyCompany
from business_api.organisations.operators import NewOperator
from business_api.places import buildings, generating, units
from business_api.places.buildings import NewBuilding
from business_api.places.generating import Pattern
from business_api.places.models import Building, House, HouseClass, Unit
from business_api.places.units import NewUnit
from foundation.runner import Context

ACTOR: Final = auditing.PLATFORM
OPERATOR: Final = "邻里运营"
COMPANY: Final = "松柏物业"
COMMITTEE: Final = "碧湖业主委员会"
PARK: Final = "柏树园"
LAKE: Final = "碧湖园"

_COMPANIES: Final = (
    (NewCompany(COMPANY, address="深圳市南山区柏树路 1 号"), PARK),
    (NewCompany(COMMITTEE, address="深圳市福田区碧湖路 8 号", is_owner_committee=True), LAKE),
)
_COMMUNITIES: Final = {
    PARK: NewCommunity(PARK, region_code="440305", address="柏树路 1 号"),
    LAKE: NewCommunity(LAKE, region_code="440304", address="碧湖路 8 号"),
}
# Code, name, codes of the units.
_BUILDINGS: Final = {
    PARK: (("01", "1号楼", ("1", "2")), ("02", "2号楼", ())),
    LAKE: (("01", "1号楼", ("1",)),),
}
_ROOMS: Final = Pattern(first=1, last=3, rooms=2, house_class=HouseClass.MULTI_STOREY)


@dataclass(frozen=True, slots=True)
class Places:
    """Everything by its name."""

    operator: Operator
    companies: dict[str, PropertyCompany]
    communities: dict[str, Community]

    async def house(self, community: str, building: str, unit: str, code: str) -> House:
        """One house, by the codes above it; building and unit are loaded."""
        return await House.get(
            community_id=self.communities[community].id,
            building__code=building,
            unit__code=unit or None,
            code=code,
        ).select_related("building", "unit")


async def make(context: Context) -> Places:
    """Make what is missing.

    Raises:
        NotADemo: there are other tenants.
    """
    await _check()
    operator = await Operator.first()
    if operator is None:
        operator = await operators.create_operator(context, ACTOR, NewOperator(OPERATOR))
    found = Places(operator, {}, {})
    for new, community in _COMPANIES:
        company = await PropertyCompany.get_or_none(name=new.name)
        if company is None:
            company = await companies.create_company(context, ACTOR, operator, new)
        found.companies[new.name] = company
        found.communities[community] = await _community(context, company, community)
    return found


async def _check() -> None:
    for model, ours in (
        (Operator, {OPERATOR}),
        (PropertyCompany, {COMPANY, COMMITTEE}),
        (Community, {PARK, LAKE}),
    ):
        if await model.exclude(name__in=list(ours)).exists():
            raise NotADemo("there are other tenants")


async def _community(context: Context, company: PropertyCompany, name: str) -> Community:
    community = await Community.get_or_none(company_id=company.id, name=name)
    if community is None:
        new = _COMMUNITIES[name]
        community = await communities.create_community(context, ACTOR, company, new)
    known = {row.code: row for row in await Building.filter(community_id=community.id)}
    for code, called, codes in _BUILDINGS[name]:
        new_building = NewBuilding(code, called, has_units=bool(codes))
        building = known.get(code) or await buildings.create_building(
            context, ACTOR, community, new_building
        )
        await _houses(context, building, codes)
    return community


async def _houses(context: Context, building: Building, codes: tuple[str, ...]) -> None:
    there = {unit.code for unit in await Unit.filter(building_id=building.id)}
    for code in codes:
        if code not in there:
            await units.create_unit(context, ACTOR, building, NewUnit(code, floors=3, lift=True))
    await generating.generate(context, ACTOR, building, None, _ROOMS, preview=False)
