"""业主 in the workbook of houses (F24): the owner who lives there from now on.

A row with an owner makes it a person and moves it in, unless it owns that house already.
Somebody with the same phone and name is the same person, as everywhere in a community.
Nobody is moved out by an import. What is missing of a known person is added; what is known
stays, and a row that contradicts it is refused.

Locks are taken in the order of `doors.lock`: account, person, then (`places`) the houses.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from tortoise.expressions import F
from tortoise.functions import Max

from business_api.accounts import sessions
from business_api.authz.permissions import Permission
from business_api.imports.kinds import Batch, Fault, Finding, Outcome, Reason, Row
from business_api.people import consents, id_numbers, sealing
from business_api.people.consent_texts import Purpose
from business_api.people.errors import BadIdNumber
from business_api.people.models import ConsentRecord, IdType, Person
from business_api.places.house_import import More
from business_api.places.models import House
from business_api.residents import doors, house_states
from business_api.residents.models import Occupancy, ResidentType
from business_api.residents.moves import MOVES, slot
from business_api.residents.owner_columns import COLUMNS
from business_api.residents.times import unended
from business_api.tenancy import place
from device_registry import sql

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
    "must be yes: a number is kept only with the owner's consent",
)
OTHER_ID: Final = Reason("other-id-number", "与已登记的证件不一致", "is not the document on record")
RESIDENT_THERE: Final = Reason(
    "resident-there",
    "该人已登记为此房屋的其他住户类型",
    "lives there already, and not as the owner",
)

_KEYS: Final = tuple(column.key for column in COLUMNS)


@dataclass(slots=True)
class _Known:
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


def _rows(batch: Batch) -> Iterator[Row]:
    """Those that say anything of an owner."""
    return (row for row in batch.rows if any(row.values[key] is not None for key in _KEYS))


async def lock(batch: Batch) -> _Known:
    """See `More.lock`: the known persons of these names. Four statements at most."""
    known, community_id = _Known(), batch.site.community_id
    rows = list(_rows(batch))
    names = sorted({row.values["owner_name"] for row in rows} - {None})
    if community_id is None or not names:
        return known
    numbers = {row.values["owner_phone"] for row in rows} - {None}
    indexes = {sealing.phone_index(batch.context, community_id, number) for number in numbers}
    if indexes:
        await sql.serialise(*(f"person/{community_id}/{index}" for index in sorted(indexes)))
    which = Person.filter(community_id=community_id, name__in=names, erased_at=None)
    await doors.lock(*await which.values_list("account_id", flat=True))  # type: ignore[arg-type]
    for person in await which.order_by("id").select_for_update():
        known.add(person)
    return known


async def check(batch: Batch, known: _Known, houses: Mapping[int, House]) -> Mapping[int, Finding]:
    """See `More.check`. One statement."""
    rows = [row for row in _rows(batch) if row.line in houses]
    ids = {houses[row.line].id for row in rows}
    there = Occupancy.filter(unended(batch.context.clock()), house_id__in=list(ids))
    for home in await there.order_by("id") if ids else ():
        known.homes[home.house_id].append(home)  # type: ignore[attr-defined]
    return {row.line: _found(batch, row, houses[row.line], known) for row in rows}


def _found(batch: Batch, row: Row, house: House, known: _Known) -> Finding:
    values = row.values
    if faults := _faults(batch, values):
        return Finding(row, Outcome.REFUSED, faults)
    probe = Person(name=values["owner_name"], created_at=batch.context.clock(), **place(batch.site))
    index = ""
    if number := values["owner_phone"]:
        index = sealing.phone_index(batch.context, probe.community_id, number)
    home = _home(known, house, probe.name, index)
    if home is not None and home.type is not ResidentType.OWNER:
        return Finding(row, Outcome.REFUSED, (RESIDENT_THERE.at("owner_name"),))
    person = known.by_phone.get((index, probe.name))
    if home is not None:
        person = known.by_id[home.person_id]  # type: ignore[attr-defined]
    if person is None:
        person = probe
        sealing.key(batch.context, person)
        known.new.add(person.id)
    if _other_id(batch, person, values["owner_id_number"], values["owner_id_type"]):
        return Finding(row, Outcome.REFUSED, (OTHER_ID.at("owner_id_number"),))
    changed = _complete(batch, person, values)
    known.add(person)
    agreed = changed and values["owner_id_number"] is not None
    if home is not None and not changed:
        return Finding(row, Outcome.UNCHANGED)
    plan = Plan(person, person.id in known.new, home is None, changed, agreed)
    return Finding(row, Outcome.UPDATED if home else Outcome.CREATED, plan=plan)


def _faults(batch: Batch, values: Mapping[str, Any]) -> tuple[Fault, ...]:
    faults = []
    if values["owner_name"] is None:
        faults.append(NAME_NEEDED.at("owner_name"))
    id_type, number = values["owner_id_type"], values["owner_id_number"]
    if (id_type is None) != (number is None):
        faults.append(ID_PAIR.at("owner_id_number"))
    elif number is not None:
        try:
            id_numbers.check(id_type, number, today=sealing.today(batch.context))
        except BadIdNumber:
            faults.append(BAD_ID.at("owner_id_number"))
        if not values["owner_consent"]:
            faults.append(CONSENT_NEEDED.at("owner_consent"))
    return tuple(faults)


def _home(known: _Known, house: House, name: str, index: str) -> Occupancy | None:
    """Where this person lives in the house already: the same name, and no other phone."""
    for home in known.homes[house.id]:
        person = known.by_id.get(home.person_id)  # type: ignore[attr-defined]
        same = person is not None and person.name == name
        if person is not None and same and (not index or person.phone_index in ("", index)):
            return home
    return None


def _other_id(batch: Batch, person: Person, number: str | None, id_type: IdType | None) -> bool:
    if number is None or id_type is None or not person.id_number_index:
        return False
    plain = id_numbers.check(id_type, number)
    return person.id_number_index != sealing.id_number_index(
        batch.context, person.community_id, plain
    )


def _complete(batch: Batch, person: Person, values: Mapping[str, Any]) -> bool:
    """Put onto the person what is not known of it; whether that was anything."""
    changed = False
    if values["owner_phone"] is not None and not person.phone_index:
        sealing.put_phone(batch.context, person, values["owner_phone"])
        changed = True
    if values["owner_id_number"] is not None and not person.id_number_index:
        sealing.put_id_number(
            batch.context, person, values["owner_id_type"], values["owner_id_number"]
        )
        changed = True
    return changed


async def apply(batch: Batch, todo: Mapping[int, tuple[House, Plan]]) -> None:
    """See `More.apply`. Ten statements at most, and some for each owner with an account."""
    plans = [plan for _, plan in todo.values()]
    new = {plan.person.id: plan.person for plan in plans if plan.new}
    if new:
        await Person.bulk_create(new.values())
    changed = {plan.person.id: plan.person for plan in plans if plan.changed and not plan.new}
    for person in changed.values():
        person.version += 1
    if changed:
        columns = {*sealing.PHONE, *sealing.ID_NUMBER, "version"}
        await Person.bulk_update(changed.values(), sorted(columns))
    await _record(batch, {plan.person.id: plan.person for plan in plans if plan.agreed})
    await _move_in(batch, [(house, plan.person) for house, plan in todo.values() if plan.moves_in])
    for person in {plan.person.id: plan.person for plan in plans}.values():
        await doors.follow_person(batch.context, batch.actor, person)


async def _record(batch: Batch, persons: Mapping[UUID, Person]) -> None:
    """That they agreed to their document's number being kept."""
    if not persons:
        return
    text = consents.current(Purpose.ID_NUMBER)
    held = ConsentRecord.filter(
        person_id__in=list(persons),
        withdrawn_at=None,
        purpose=text.purpose,
        version=text.version,
    )
    there = set(await held.values_list("person_id", flat=True))
    await ConsentRecord.bulk_create(
        ConsentRecord(
            person_id=id_,
            purpose=text.purpose,
            version=text.version,
            granted_at=batch.context.clock(),
        )
        for id_ in persons
        if id_ not in there
    )


async def _move_in(batch: Batch, moves: Sequence[tuple[House, Person]]) -> None:
    """Write the occupancies; who lives in a vacant house makes it an occupied one."""
    if not moves:
        return
    now = batch.context.clock()
    slots = [slot(house.id, person.id) for house, person in moves]
    # Run out, and not written down as ended yet (`expiry`).
    await Occupancy.filter(slot__in=slots, valid_to__lte=now).update(
        slot=None, ended_at=F("valid_to"), end_reason="expired"
    )
    ids = sorted({house.id for house, _ in moves})
    last = await (
        Occupancy.filter(unended(now), house_id__in=ids)
        .annotate(last=Max("call_order"))
        .group_by("house_id")
        .values_list("house_id", "last")
    )
    order = dict[UUID, int](last)
    homes = []
    for (house, person), slot_ in zip(moves, slots, strict=True):
        order[house.id] = order.get(house.id, 0) + 1
        homes.append(
            Occupancy(
                house_id=house.id,
                building_id=house.building_id,  # type: ignore[attr-defined]
                person_id=person.id,
                type=ResidentType.OWNER,
                slot=slot_,
                valid_from=now,
                call_order=order[house.id],
                created_at=now,
                created_by=UUID(batch.actor.removeprefix("account/")),
                **place(house.site),
            )
        )
    await Occupancy.bulk_create(homes)
    await house_states.follow(batch.context, *ids)
    MOVES.labels("in").inc(len(homes))


OWNERS: Final = More(
    columns=COLUMNS,
    permission=Permission.RESIDENT_MANAGE,
    lock=lock,
    check=check,
    apply=apply,
    kicks=(sessions.TOPIC,),
)
"""For `places.house_import.kind`."""
