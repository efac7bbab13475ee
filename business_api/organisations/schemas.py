"""Operators, companies and communities, as the API shows them. Times are UTC."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from business_api.organisations import regions
from business_api.organisations.coordinates import Datum, Point, of_wgs84, to_wgs84
from business_api.organisations.models import (
    CertificationPolicy,
    Community,
    Operator,
    PropertyCompany,
)
from business_api.schemas import ChangeIn, In, Name, Out

_LINE = r"^[^\x00-\x1f\x7f]*$"

Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=_LINE)]
Contact = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40, pattern=_LINE)]
"""联系人, free text: a name, an office (C11)."""
PhoneText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40, pattern=_LINE)]
"""As people type it; empty: none."""
RegionCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
"""GB/T 2260."""


class OperatorIn(In):
    """运营公司."""

    name: Name
    phone: PhoneText = ""
    address: Address = ""
    contact: Contact = ""


class OperatorChangeIn(ChangeIn):
    """See `OperatorIn`."""

    name: Name | None = None
    phone: PhoneText | None = None
    address: Address | None = None
    contact: Contact | None = None


class OperatorOut(Out):
    """运营公司."""

    id: UUID
    name: str
    phone: str
    """E.164, or empty."""
    address: str
    contact: str
    companies: int
    """How many property companies it has."""
    created_at: datetime
    version: int

    @classmethod
    def of(cls, row: Operator, companies: int) -> Self:
        """A row, and what is counted."""
        row.companies = companies
        return cls.model_validate(row)


class CompanyIn(OperatorIn):
    """物业公司 (F2)."""

    is_owner_committee: bool = False


class CompanyChangeIn(OperatorChangeIn):
    """See `CompanyIn`."""

    is_owner_committee: bool | None = None


class CompanyOut(Out):
    """物业公司 (F2)."""

    id: UUID
    operator_id: UUID
    name: str
    phone: str
    address: str
    contact: str
    is_owner_committee: bool
    communities: int
    """小区数量."""
    created_at: datetime
    version: int

    @classmethod
    def of(cls, row: PropertyCompany, communities: int) -> Self:
        """A row, and what is counted."""
        row.communities = communities
        return cls.model_validate(row)


class LocationIn(In):
    """Decimal degrees on `datum`: what the map on which somebody picked the place uses."""

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)
    lng: float = Field(ge=-180, le=180, allow_inf_nan=False)
    datum: Datum = Datum.WGS84

    def point(self) -> Point:
        """On WGS-84."""
        return to_wgs84(Point(self.lat, self.lng), self.datum)


class LocationOut(Out):
    """Decimal degrees on `datum`."""

    lat: float
    lng: float
    datum: Datum

    @classmethod
    def of(cls, point: Point, datum: Datum) -> Self:
        """A point on WGS-84, shown on `datum`."""
        shown = of_wgs84(point, datum)
        return cls(lat=round(shown.lat, 6), lng=round(shown.lng, 6), datum=datum)


class CommunityIn(In):
    """小区 (F14). `region_code` is that of its district (`GET /v1/regions`)."""

    name: Name
    region_code: RegionCode
    address: Address = ""
    contact: Contact = ""
    phone: PhoneText = ""
    location: LocationIn | None = None
    certification_policy: CertificationPolicy = CertificationPolicy.OWNER_CODE


class CommunityChangeIn(ChangeIn):
    """See `CommunityIn`. A `location` of null takes it away."""

    NULLABLE = frozenset({"location"})

    name: Name | None = None
    region_code: RegionCode | None = None
    address: Address | None = None
    contact: Contact | None = None
    phone: PhoneText | None = None
    location: LocationIn | None = None
    certification_policy: CertificationPolicy | None = None

    def changes(self) -> dict[str, Any]:
        """What is said; `point` on WGS-84 instead of the location."""
        said = super().changes()
        if "location" in said:
            location = said.pop("location")
            said["point"] = location.point() if location else None
        return said


class RegionOut(Out):
    """A province, city or district, and what it lies in; empty where there is no such level."""

    code: str
    name: str
    level: regions.Level
    parent: str
    province: str
    city: str
    district: str
    leaf: bool
    """Nothing lies below it: a community can."""


class PlaceNames(Out):
    """所属省份, 所属城市 and district of something with a region code."""

    region_code: str
    province: str
    city: str
    district: str

    @staticmethod
    def of(code: str) -> dict[str, str]:
        """The fields; names are empty when the code is unknown."""
        found = regions.region(code)
        names = (found.province, found.city, found.district) if found else ("", "", "")
        return dict(zip(("province", "city", "district"), names, strict=True))


class CommunityOut(PlaceNames):
    """小区 (F14)."""

    id: UUID
    operator_id: UUID
    company_id: UUID
    company_name: str
    name: str
    address: str
    contact: str
    phone: str
    location: LocationOut | None
    certification_policy: CertificationPolicy
    created_at: datetime
    version: int


class DirectoryCommunityOut(PlaceNames):
    """A community, as anybody signed in may find it (F41)."""

    id: UUID
    name: str
    address: str


class FoundPlaceOut(Out):
    """A place that the map service knows (查找)."""

    name: str
    address: str
    region_code: str
    """Empty when it is not in China."""
    location: LocationOut


def community_out(row: Community, company_name: str, datum: Datum) -> CommunityOut:
    """A row with its location on `datum`."""
    point = None if row.lat is None or row.lng is None else Point(float(row.lat), float(row.lng))
    return CommunityOut(
        id=row.id,
        operator_id=row.operator_id,
        company_id=row.company_id,
        company_name=company_name,
        name=row.name,
        region_code=row.region_code,
        **PlaceNames.of(row.region_code),
        address=row.address,
        contact=row.contact,
        phone=row.phone,
        location=LocationOut.of(point, datum) if point else None,
        certification_policy=row.certification_policy,
        created_at=row.created_at,
        version=row.version,
    )
