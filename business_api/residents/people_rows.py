"""People in workbooks: who is meant by a row, and who moves in.

Used by two kinds of import: owners in the workbook of houses (`owner_import`), and residents
(`resident_import`). A row makes a person and moves it in, unless it lives in that house
already. Somebody with the same phone and name is the same person, as everywhere in a
community. Nobody is moved out by an import. What is missing of a known person is added;
what is known stays, and a row that contradicts it is refused.

Locks are taken in the order of `doors.lock`: account, person, then the houses.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from business_api.imports.kinds import Batch, Fault, Finding, Outcome, Reason, Row
from business_api.people import id_numbers, sealing
from business_api.people.errors import BadIdNumber
from business_api.people.models import IdType, Person
from business_api.places.models import House
from business_api.residents import doors, people_columns
from business_api.residents.errors import BadValidity
from business_api.residents.models import Occupancy, ResidentType
from business_api.residents.times import checked, unended
from business_api.tenancy import place
from foundation import sql

NAME_NEEDED: Final = Reason(
    "owner-name-needed", "填写了业主信息时必填", "is needed where anything is said of the owner"
)
ID_PAIR: Final = Reason(
    "id-pair", "证件类型与证件号码须同时填写", "kind and number of a document belong together"
)
BAD_ID: Final = Reason("bad-id-number", "证件号码不正确", "is no number of such a document")
CONSENT_NEEDED: Final = Reason(
    "consent-needed",
    "登记证件号码须经本人同意，请填“是”",
    "must be yes: a number is kept only with the person's consent",
)
OTHER_ID: Final = Reason("other-id-number", "与已登记的证件不一致", "is not the document on record")
RESIDENT_THERE: Final = Reason(
    "resident-there",
    "该人已登记为此房屋的其他住户类型",
    "lives there already as something else",
)
BAD_SINCE: Final = Reason(
    "bad-validity", "入住时间不正确", "is too long ago, or more than a year ahead"
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a row says of a person. `prefix`: of its columns, for faults."""

    row: Row
    prefix: str
    type: ResidentType
    since: datetime | None = None

    def value(self, name: str) -> Any:
        """The cell of one of `people_columns`."""
        return self.row.values[self.prefix + name]

    @property
    def name(self) -> str | None:
        """姓名."""
        return self.value(people_columns.NAME)  # type: ignore[no-any-return]

    @property
    def phone(self) -> str | None:
        """联系电话, in E.164."""
        return self.value(people_columns.PHONE)  # type: ignore[no-any-return]

    @property
    def id_type(self) -> IdType | None:
        """证件类型."""
        return self.value(people_columns.ID_TYPE)  # type: ignore[no-any-return]

    @property
    def id_number(self) -> str | None:
        """证件号码, as it stands there."""
        return self.value(people_columns.ID_NUMBER)  # type: ignore[no-any-return]

    def at(self, reason: Reason, name: str) -> Fault:
        """A fault of one of those cells."""
        return reason.at(self.prefix + name)


@dataclass(slots=True)
class Known:
    """Persons of the community who have a name of the batch, and who lives where."""

    by_id: dict[UUID, Person] = field(default_factory=dict)
    by_phone: dict[tuple[str, str], Person] = field(default_factory=dict)
    """By phone index and name; those to be made among them."""
    homes: defaultdict[UUID, list[Occupancy]] = field(default_factory=lambda: defaultdict(list))
    new: set[UUID] = field(default_factory=set)

    def add(self, person: Person) -> None:
        """Of two that look the same the older one is meant."""
        self.by_id[person.id] = person
        if person.phone_index:
            self.by_phone.setdefault((person.phone_index, person.name), person)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who moves in (not when it lives there), and what of the person is to be written."""

    person: Person
    new: bool
    moves_in: bool
    changed: bool
    agreed: bool
    type: ResidentType
    since: datetime


async def lock(batch: Batch, said: Sequence[Said]) -> Known:
    """The persons of these names there are already. Four statements at most."""
    known, community_id = Known(), batch.site.community_id
    names = sorted({one.name for one in said if one.name is not None})
    if community_id is None or not names:
        return known
    which = Person.filter(community_id=community_id, name__in=names, erased_at=None)
    await doors.lock(*await which.values_list("account_id", flat=True))  # type: ignore[arg-type]
    numbers = {one.phone for one in said if one.phone is not None}
    indexes = {sealing.phone_index(batch.context, community_id, number) for number in numbers}
    if indexes:
        await sql.serialise(*(f"person/{community_id}/{index}" for index in sorted(indexes)))
    for person in await which.order_by("id").select_for_update():
        known.add(person)
    return known


async def check(
    batch: Batch, known: Known, said: Sequence[Said], houses: Mapping[int, House]
) -> dict[int, Finding]:
    """What becomes of each line that has a house. One statement."""
    ids = {houses[one.row.line].id for one in said if one.row.line in houses}
    there = Occupancy.filter(unended(batch.context.clock()), house_id__in=list(ids))
    for home in await there.order_by("id") if ids else ():
        known.homes[home.house_id].append(home)  # type: ignore[attr-defined]
    return {
        one.row.line: _found(batch, one, houses[one.row.line], known)
        for one in said
        if one.row.line in houses
    }


def _found(batch: Batch, said: Said, house: House, known: Known) -> Finding:
    faults = _faults(batch, said)
    if faults or said.name is None:
        return Finding(said.row, Outcome.REFUSED, faults)
    probe = Person(name=said.name, created_at=batch.context.clock(), **place(batch.site))
    index = ""
    if said.phone:
        index = sealing.phone_index(batch.context, probe.community_id, said.phone)
    home = _home(known, house, probe.name, index)
    if home is not None and home.type is not said.type:
        return _refused(said, RESIDENT_THERE, people_columns.NAME)
    person = known.by_phone.get((index, probe.name))
    if home is not None:
        person = known.by_id[home.person_id]  # type: ignore[attr-defined]
    if person is None:
        person = probe
        sealing.key(batch.context, person)
        known.new.add(person.id)
    if _other_id(batch, person, said):
        return _refused(said, OTHER_ID, people_columns.ID_NUMBER)
    changed = _complete(batch, person, said)
    known.add(person)
    if home is not None and not changed:
        return Finding(said.row, Outcome.UNCHANGED)
    since, _ = checked(said.since, None, batch.context.clock())
    plan = Plan(
        person,
        new=person.id in known.new,
        moves_in=home is None,
        changed=changed,
        agreed=changed and said.id_number is not None,
        type=said.type,
        since=since,
    )
    return Finding(said.row, Outcome.UPDATED if home else Outcome.CREATED, plan=plan)


def _refused(said: Said, reason: Reason, name: str) -> Finding:
    return Finding(said.row, Outcome.REFUSED, (said.at(reason, name),))


def _faults(batch: Batch, said: Said) -> tuple[Fault, ...]:
    faults = []
    if said.name is None:
        faults.append(said.at(NAME_NEEDED, people_columns.NAME))
    if (said.id_type is None) != (said.id_number is None):
        faults.append(said.at(ID_PAIR, people_columns.ID_NUMBER))
    elif said.id_type is not None and said.id_number is not None:
        try:
            id_numbers.check(said.id_type, said.id_number, today=sealing.today(batch.context))
        except BadIdNumber:
            faults.append(said.at(BAD_ID, people_columns.ID_NUMBER))
        if not said.value(people_columns.CONSENT):
            faults.append(said.at(CONSENT_NEEDED, people_columns.CONSENT))
    try:
        checked(said.since, None, batch.context.clock())
    except BadValidity:
        faults.append(BAD_SINCE.at("since"))
    return tuple(faults)


def _home(known: Known, house: House, name: str, index: str) -> Occupancy | None:
    """Where this person lives in the house already: the same name, and no other phone."""
    for home in known.homes[house.id]:
        person = known.by_id.get(home.person_id)  # type: ignore[attr-defined]
        same = person is not None and person.name == name
        if person is not None and same and (not index or person.phone_index in ("", index)):
            return home
    return None


def _other_id(batch: Batch, person: Person, said: Said) -> bool:
    if said.id_number is None or said.id_type is None or not person.id_number_index:
        return False
    plain = id_numbers.check(said.id_type, said.id_number)
    return person.id_number_index != sealing.id_number_index(
        batch.context, person.community_id, plain
    )


def _complete(batch: Batch, person: Person, said: Said) -> bool:
    """Put onto the person what is not known of it; whether that was anything."""
    changed = False
    if said.phone is not None and not person.phone_index:
        sealing.put_phone(batch.context, person, said.phone)
        changed = True
    if said.id_number is not None and not person.id_number_index:
        sealing.put_id_number(batch.context, person, said.id_type, said.id_number)
        changed = True
    return changed
