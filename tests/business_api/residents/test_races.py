"""Everybody at once: nobody waits for each other for ever, and what is left fits together."""

import asyncio
import random
from collections import Counter

from business_api.accounts import accounts
from business_api.actors import Actor
from business_api.people import persons
from business_api.people.models import Person
from business_api.people.persons import NewPerson
from business_api.places.models import House, HouseState
from business_api.residents import changing, erasing, hand_overs, moves, recompute
from business_api.residents.models import Occupancy, ResidentType
from business_api.residents.times import unended
from foundation.audit import broken_at
from foundation.errors import DomainError
from foundation.ids import new_id
from tests.business_api.conftest import Api, Estate
from tests.business_api.residents.test_moves import BY, DAY, opens, resident

ROUNDS = 5
AT_ONCE = 12


async def test_a_busy_day_at_the_counter(api: Api, park: Estate) -> None:
    chance = random.Random(7)
    people = [await resident(api, park, f"resident{n}") for n in range(5)]
    staff = Actor(park.admin.id, new_id(), "admin", api.time(), ())
    outcomes: Counter[str] = Counter()

    async def one() -> None:
        person, account_id = chance.choice(people)
        house = chance.choice([park.flat, park.home])
        homes = await Occupancy.filter(ended_at=None).select_related("person", "house")
        what = chance.choice(["in", "in", "certified", "end", "out", "change", "erase", "off"])
        match what:
            case "in":
                type_ = chance.choice(list(ResidentType))
                await moves.move_in(api.context, BY, house, person, type_)
            case "certified":
                known = await persons.find_or_create(
                    api.context, BY, park.site, NewPerson(person.name), account_id
                )
                await moves.move_in(
                    *(api.context, BY, house, known, ResidentType.OWNER), renew=True
                )
            case "out":
                await hand_overs.move_out(api.context, BY, house, hand_overs.Notes())
            case "end" if homes:
                await moves.end(api.context, BY, chance.choice(homes), "ended_by_staff")
            case "change" if homes:
                home = chance.choice(homes)
                await changing.change(
                    *(api.context, staff, home),
                    version=home.version,
                    changes={"valid_to": api.time() + chance.randint(1, 9) * DAY},
                )
            case "erase":
                await erasing.erase(api.context, staff, await Person.get(id=person.id))
            case "off":
                await accounts.disable(api.context, "platform", account_id)
                await accounts.enable(api.context, "platform", account_id)

    async def counted() -> None:
        try:
            await one()
            outcomes["done"] += 1
        except DomainError as error:
            outcomes[error.code] += 1

    for _ in range(ROUNDS):
        await asyncio.gather(*(counted() for _ in range(AT_ONCE)))
        await _fits(api, park)
    print(f"\nraces: {dict(outcomes)}")
    assert outcomes["done"] > AT_ONCE


async def _fits(api: Api, park: Estate) -> None:
    """Rights, states and rows say the same."""
    assert await recompute.recompute(api.context) == 0
    now = api.time()
    for house in (park.flat, park.home):
        there = await Occupancy.filter(unended(now), house_id=house.id).select_related("person")
        lived_in = (await House.get(id=house.id)).state is HouseState.OCCUPIED
        assert lived_in == bool(there)
        for home in there:
            assert home.person.erased_at is None
            if home.person.account_id:
                assert await opens(api, home.person.account_id, house.building_id) == [True]  # type: ignore[attr-defined]
    assert await broken_at() is None
