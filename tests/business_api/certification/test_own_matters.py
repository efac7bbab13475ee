"""Nobody reviews what it has a part in itself."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from business_api.accounts import phone_accounts
from business_api.authz.roles import Role
from business_api.residents.models import Occupancy, ResidentType
from tests.business_api.certification.applicants import Person, person, staff
from tests.business_api.conftest import Api, Estate

REVIEWS = {
    "approve": None,
    "reject": {"reason": "证件不清晰"},
    "reveal": {"field": "phone", "reason": "核对证件"},
}


@pytest.fixture
async def reviewer(api: Api, park: Estate) -> Person:
    """Somebody who reviews for a building, and has a number of its own."""
    found = await staff(
        api, "reviewer", Role.HOUSE_REVIEWER, replace(park.site, building_id=park.tower.id)
    )
    phone_accounts.set_phone(api.context, found.account, "+8613911112222")
    await found.account.save()
    return found


async def answers(who: Person, application: dict[str, Any]) -> list[httpx.Response]:
    path = f"/certifications/{application['id']}"
    tried = [await who.post(f"{path}/{act}", body) for act, body in REVIEWS.items()]
    return [*tried, await who.get(f"{path}/comparison")]


def refused(answered: list[httpx.Response]) -> bool:
    told = {(one.status_code, one.json()["type"]) for one in answered}
    return told == {(403, "/problems/own-matter")}


async def test_nobody_reviews_its_own_application(api: Api, park: Estate, reviewer: Person):
    mine = await reviewer.applied(park.flat, "owner")
    assert mine["state"] == "pending_review"
    assert refused(await answers(reviewer, mine))
    assert (await reviewer.get(f"/certifications/{mine['id']}")).json()["actions"] == []
    assert await reviewer.state(mine) == "pending_review"
    assert not await reviewer.may_open(park.flat)
    admin = Person(api, park.admin, park.headers, "")
    assert (await admin.post(f"/certifications/{mine['id']}/approve")).status_code == 200


@pytest.mark.parametrize("type_", [ResidentType.OWNER, ResidentType.VISITOR])
async def test_nor_one_for_the_house_it_lives_in(
    api: Api, park: Estate, reviewer: Person, type_: ResidentType
):
    zhang = await person(api, "zhang", "+8613811112222")
    await api.resident("reviewer", park.flat, type_)
    await reviewer.sign_in_again()
    mine = await zhang.applied(park.flat, "owner")
    assert refused(await answers(reviewer, mine))
    shown = (await reviewer.get(f"/certifications/{mine['id']}")).json()
    assert not {"approve", "reject"} & set(shown["actions"])
    assert await zhang.state(mine) == "pending_review"

    await Occupancy.filter(person__account_id=reviewer.account.id).update(
        ended_at=api.time(), slot=None
    )
    await reviewer.sign_in_again()
    assert (await reviewer.post(f"/certifications/{mine['id']}/approve")).status_code == 200


async def test_a_neighbour_may(api: Api, park: Estate, reviewer: Person):
    zhang = await person(api, "zhang", "+8613811112222")
    await api.resident("reviewer", park.home)
    await reviewer.sign_in_again()
    mine = await zhang.applied(park.flat, "owner")
    assert (await answers(reviewer, mine))[0].status_code == 200
