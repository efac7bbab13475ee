"""The second fence: on PostgreSQL a query that forgets to ask still stays among its tenants."""

import asyncio

import pytest
from tortoise.exceptions import OperationalError
from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.transactions import in_transaction

from business_api.authz.roles import Role
from business_api.organisations.models import Community
from business_api.places.models import House, Zone
from business_api.tenancy import InCommunity, place
from foundation import db, fence
from tests.business_api.conftest import Api, Estate

pytestmark = pytest.mark.parametrize("database", ["postgres"], indirect=True)


def tables() -> list[type[Model]]:
    """Every table whose rows belong to a community."""

    def below(model: type[Model]) -> list[type[Model]]:
        found = [model] if not model._meta.abstract else []
        return found + [more for sub in model.__subclasses__() for more in below(sub)]

    return [Community, *below(InCommunity)]


async def test_every_table_of_a_community_has_one(api: Api) -> None:
    rows = await db.connection().execute_query_dict(
        "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
    )
    fenced = {row["relname"] for row in rows}
    assert {model._meta.db_table for model in tables()} - fenced == set()


async def test_the_platform_is_no_superuser_here(api: Api) -> None:
    rows = await db.connection().execute_query_dict(
        "SELECT rolsuper OR rolbypassrls AS above FROM pg_roles WHERE rolname = current_user"
    )
    assert rows == [{"above": False}], "or none of this shows anything"


async def test_what_forgets_to_ask_sees_its_own(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate
) -> None:
    async def seen() -> set[str]:
        return {row.name for row in await Community.all()}

    everything = {park.community.name, sibling.community.name, elsewhere.community.name}
    assert await seen() == everything
    with fence.none():
        fence.put_up([park.id])
        assert await seen() == {park.community.name}
        assert {house.community_id for house in await House.all()} == {park.id}
        async with in_transaction():
            assert await seen() == {park.community.name}
        fence.put_up([park.company.id])
        assert await seen() == {park.community.name, sibling.community.name}
        fence.put_up([park.company.operator_id])
        assert await seen() == everything
        fence.put_up([])
        assert await seen() == set()
    assert await seen() == everything


async def test_nobody_writes_beyond_it(api: Api, park: Estate, elsewhere: Estate) -> None:
    with fence.none():
        fence.put_up([park.id])
        assert await House.filter(id=elsewhere.flat.id).update(code="X") == 0
        assert await House.filter(id=elsewhere.flat.id).delete() == 0
        with pytest.raises(OperationalError, match="row-level security"):
            await Zone.create(code="1", name="一区", **place(elsewhere.site))
        await Zone.create(code="1", name="一区", **place(park.site))
    assert await House.filter(id=elsewhere.flat.id, code="0101").exists()


async def test_many_at_once_over_few_connections(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate
) -> None:
    async def look(estate: Estate | None) -> None:
        with fence.none():
            if estate is not None:
                fence.put_up([estate.id])
            for _ in range(20):
                found = {row.id for row in await Community.all()}
                assert found == ({estate.id} if estate else {park.id, sibling.id, elsewhere.id})
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for estate in (park, sibling, elsewhere, None) * 8:
            group.create_task(look(estate))


async def test_a_connection_without_one_sees_nothing(api: Api, park: Estate) -> None:
    async with in_transaction():
        await db.connection().execute_query("SELECT set_config('linli.fence', '', true)")
        assert await Community.all().count() == 0
    assert await Community.all().count() == 1


async def test_an_endpoint_that_forgets_to_ask(
    api: Api, park: Estate, elsewhere: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if every query of the API were without its filter."""
    monkeypatch.setattr("business_api.actors.decide.within", lambda *_: Q())
    await api.account("boss", Role.PROPERTY_ADMIN, park.company.site)
    headers = await api.headers("boss")
    answer = await api.client.get("/v1/communities", headers=headers, params={"size": 100})
    assert answer.status_code == 200, answer.text
    assert park.community.name in answer.text
    assert elsewhere.community.name not in answer.text
