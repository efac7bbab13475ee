"""An import goes on only as long as its sender could send it."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from business_api.accounts import accounts
from business_api.accounts.models import RoleGrant
from business_api.authz.roles import Role
from business_api.imports import running
from business_api.imports.reader import CHUNK
from business_api.places.models import Zone
from foundation.models import AuditEvent
from tests.business_api.conftest import Api, Estate
from tests.business_api.imports.conftest import HEADER, Importing, Zones
from tests.business_api.imports.workbooks import workbook

Loss = Callable[[Api, Estate], Awaitable[None]]


async def _role_is_taken(_api: Api, park: Estate) -> None:
    await RoleGrant.filter(account_id=park.admin.id).delete()


async def _role_ends_by_itself(api: Api, park: Estate) -> None:
    await RoleGrant.filter(account_id=park.admin.id).update(valid_to=api.time())


async def _less_is_left(api: Api, park: Estate) -> None:
    await _role_is_taken(api, park)
    await api.grant(park.admin, Role.CASHIER, park.site)


async def _account_is_disabled(api: Api, park: Estate) -> None:
    await accounts.disable(api.context, "cli", park.admin.id)


LOSSES = (_role_is_taken, _role_ends_by_itself, _less_is_left, _account_is_disabled)


@pytest.mark.parametrize("lose", LOSSES)
async def test_nothing_is_begun_for_who_lost_the_right(
    importing: Importing, zones: Zones, api: Api, park: Estate, *, lose: Loss
) -> None:
    sent = (await importing.upload(workbook(HEADER, [("A", "东区")]))).json()
    await lose(api, park)
    await running.run(api.context, UUID(sent["id"]))
    assert zones.prepared == [], "not even read"
    assert await Zone.all().count() == 0
    await _says_why(api, park, sent["id"])


@pytest.mark.parametrize("lose", LOSSES)
async def test_the_chunk_after_the_loss_is_not_written(
    importing: Importing, zones: Zones, api: Api, park: Estate, *, lose: Loss
) -> None:
    rows = [(str(number), "x") for number in range(CHUNK * 3)]
    sent = (await importing.upload(workbook(HEADER, rows))).json()

    async def lose_it(_batch: object) -> None:
        zones.before_commit = None
        await lose(api, park)

    zones.before_commit = lose_it
    await running.run(api.context, UUID(sent["id"]))
    assert await Zone.all().count() == CHUNK, "what was done before stays"
    await _says_why(api, park, sent["id"])


async def _says_why(api: Api, park: Estate, import_id: str) -> None:
    await api.account("successor", Role.COMMUNITY_ADMIN, park.site)
    answer = await api.client.get(
        f"/v1/imports/{import_id}", headers=await api.headers("successor")
    )
    found = answer.json()
    assert (found["state"], found["failure"]) == ("failed", "sender-may-no-more")
    assert found["failure_text"] == "上传者已无权导入，已停止"
    assert (await AuditEvent.get(object=f"import/{import_id}")).facts["state"] == "failed"
