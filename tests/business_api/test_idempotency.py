"""`Idempotency-Key`: the same request happens once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from business_api import housekeeping
from business_api.actors import Actor
from business_api.idempotency import Once, RequestInFlight
from business_api.idempotency_models import IdempotencyRecord
from business_api.places.models import Building
from business_api.tenancy import place
from foundation.clock import utc_now
from foundation.ids import new_id
from tests.business_api.conftest import Api, Estate


async def create(
    api: Api, park: Estate, key: str | None = "k1", code: str = "09", **headers: str
) -> Any:
    given = {"Idempotency-Key": key} if key is not None else {}
    return await api.client.post(
        f"/v1/communities/{park.id}/buildings",
        json={"code": code, "name": "九", "has_units": False},
        headers=park.headers | given | headers,
    )


async def test_a_repeated_request_gets_the_first_answer(api: Api, park: Estate) -> None:
    first, again = await create(api, park), await create(api, park)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == "application/json"
    assert await Building.filter(code="09").count() == 1


async def test_the_key_belongs_to_one_request(api: Api, park: Estate) -> None:
    await create(api, park)
    other = await create(api, park, code="10")
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/key-reused"
    assert not await Building.exists(code="10")


async def test_the_key_is_the_callers_own(api: Api, park: Estate, elsewhere: Estate) -> None:
    first, second = await create(api, park), await create(api, elsewhere)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


async def test_another_address_is_another_request(api: Api, park: Estate) -> None:
    headers = park.headers | {"Idempotency-Key": "k1"}
    second = await Building.create(code="08", name="八", has_units=True, **place(park.site))
    for building, status in ((park.tower, 201), (second, 422)):
        path = f"/v1/buildings/{building.id}/units"
        answer = await api.client.post(path, json={"code": "7"}, headers=headers)
        assert answer.status_code == status


async def test_without_a_key_it_happens_again(api: Api, park: Estate) -> None:
    assert (await create(api, park, key=None)).status_code == 201
    assert (await create(api, park, key=None)).status_code == 409
    assert await IdempotencyRecord.all().count() == 0


async def test_a_failed_act_gives_its_key_back(api: Api, park: Estate) -> None:
    await Building.create(code="09", name="九", **place(park.site))
    assert (await create(api, park)).status_code == 409
    await Building.filter(code="09").delete()
    assert (await create(api, park)).status_code == 201


async def test_duplicates_at_once_happen_once(api: Api, park: Estate) -> None:
    answers = await asyncio.gather(*(create(api, park) for _ in range(8)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(201) >= 1
    assert set(statuses) <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["type"] == "/problems/request-in-flight"
    assert await Building.filter(code="09").count() == 1
    assert (await create(api, park)).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 81, "with space", "\t"])
async def test_keys_that_are_none(api: Api, park: Estate, key: str) -> None:
    assert (await create(api, park, key=key)).status_code == 422


class Made(BaseModel):
    """An answer."""

    n: int


def once(api: Api, actor: Actor, key: str = "k") -> Once:
    return Once(api.context, actor, "test", key, "h" * 64)


@pytest.fixture
def actor(park: Estate) -> Actor:
    return Actor(park.admin.id, new_id(), "Admin", utc_now())


async def test_a_claim_whose_process_died_is_taken_over(api: Api, actor: Actor) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Made:
        started.set()
        await go_on.wait()
        return Made(n=1)

    async def quick() -> Made:
        return Made(n=2)

    # Not `whole`, so that the slow one holds no lock of SQLite while it hangs.
    hanging = asyncio.create_task(once(api, actor)(slow, whole=False))
    await started.wait()
    with pytest.raises(RequestInFlight):
        await once(api, actor)(quick)
    api.time.ahead = timedelta(minutes=1, seconds=1)
    taken = await once(api, actor)(quick)
    assert taken.body == b'{"n":2}'
    go_on.set()
    await hanging
    assert (await once(api, actor)(quick)).body == b'{"n":2}'


async def test_the_late_holder_rolls_back(api: Api, actor: Actor, park: Estate) -> None:
    async def late() -> Made:
        await IdempotencyRecord.filter(key="k").delete()  # as a take-over does
        await Building.create(code="09", name="九", **place(park.site))
        return Made(n=1)

    with pytest.raises(RequestInFlight):
        await once(api, actor)(late)
    assert not await Building.exists(code="09")


async def test_a_secret_answer_is_stored_sealed(api: Api, actor: Actor) -> None:
    async def act() -> Made:
        return Made(n=424242)

    first = await once(api, actor)(act, secret=True)
    assert (await once(api, actor)(act, secret=True)).body == first.body == b'{"n":424242}'
    whole = await once(api, actor, "other")(act, secret=True, whole=False)
    assert (await once(api, actor, "other")(act)).body == whole.body
    for record in await IdempotencyRecord.all():
        assert "424242" not in str(record.response)


async def test_kicks_come_after_commit(api: Api, actor: Actor) -> None:
    seen: list[bool] = []
    with api.context.wake.listen("x") as kicked:

        async def act() -> Made:
            api.context.wake.kick("x")
            seen.append(kicked.is_set())
            return Made(n=1)

        async def failing() -> Made:
            api.context.wake.kick("x")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await once(api, actor, "other")(failing)
        assert not kicked.is_set()
        await once(api, actor)(act)
        assert seen == [False]
        assert kicked.is_set()


async def test_keys_are_forgotten_after_a_day(api: Api, park: Estate) -> None:
    await create(api, park)
    assert await housekeeping.forget(api.context) == 0
    api.time.ahead = timedelta(hours=24, seconds=1)
    assert await housekeeping.forget(api.context) >= 1
    assert await IdempotencyRecord.all().count() == 0
