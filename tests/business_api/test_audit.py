"""The audit chain read by those it concerns, and by nobody else."""

import csv
import io
from datetime import timedelta
from uuid import uuid4

import httpx

from business_api import auditing
from business_api.authz.roles import Role
from business_api.authz.scope import Site
from foundation import audit
from foundation.ids import new_id
from tests.business_api.conftest import Api, Estate


async def read(api: Api, headers: dict[str, str], **query: str) -> httpx.Response:
    return await api.client.get("/v1/audit", headers=headers, params=query)


async def noted(api: Api, estate: Estate, number: int) -> None:
    await auditing.note(
        api.context,
        f"account/{estate.admin.id}",
        "thing.change",
        f"thing/{number}",
        estate.site,
        before={"name": "old"},
        after={"name": "=SUM(A1)"},
    )


async def test_each_reads_its_own_part_of_the_tree(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate
) -> None:
    company, operator = park.company.site, Site(park.site.operator_id)
    await api.account("boss", Role.PROPERTY_ADMIN, company)
    await api.account("operator", Role.OPERATOR_ADMIN, operator)
    await api.account("root", Role.SUPER_ADMIN)
    await api.account("cashier", Role.CASHIER, park.site)
    for number, estate in enumerate((park, sibling, elsewhere)):
        await noted(api, estate, number)
    # As a room writes it that knows only the community.
    await audit.append(
        actor="device/x", action="thing.see", object="thing/3", community_id=sibling.id
    )
    await auditing.note(api.context, "platform", "thing.add", "thing/4", company)
    await auditing.note(api.context, "platform", "thing.add", "thing/5", operator)
    await auditing.note(api.context, "platform", "thing.add", "thing/6", Site())

    async def things(username: str) -> list[str]:
        answer = await read(api, await api.headers(username), action="thing.*", limit="100")
        assert answer.status_code == 200, answer.text
        return [line["object"].removeprefix("thing/") for line in answer.json()["items"]]

    assert await things("admin") == ["0"]
    assert await things("boss") == ["4", "3", "1", "0"]
    assert await things("operator") == ["5", "4", "3", "2", "1", "0"]
    assert await things("root") == ["6", "5", "4", "3", "2", "1", "0"]
    refused = await read(api, await api.headers("cashier"))
    assert refused.status_code == 403
    narrowed = await read(
        api, await api.headers("admin"), action="thing.*", community_id=str(sibling.id)
    )
    assert narrowed.json()["items"] == [], "a filter narrows, and never widens"


async def test_a_line_tells_who_what_where_before_and_after(api: Api, park: Estate) -> None:
    await noted(api, park, 1)
    line = (await read(api, park.headers, object="thing/1")).json()["items"][0]
    assert line["actor"] == f"account/{park.admin.id}"
    assert line["actor_name"] == park.admin.name
    assert line["facts"]["before"] == {"name": "old"}
    assert line["facts"]["after"] == {"name": "=SUM(A1)"}
    signed_in = (await read(api, park.headers, action="session.begin")).json()["items"]
    assert all(line["facts"]["address"] for line in signed_in)


async def test_pages_meet_without_gap_or_overlap(api: Api, park: Estate) -> None:
    for number in range(25):
        await noted(api, park, number)
    seen, before = [], None
    while True:
        query = {"action": "thing.change", "limit": "10"}
        page = (
            await read(api, park.headers, **query, **({"before": before} if before else {}))
        ).json()
        seen += [line["object"] for line in page["items"]]
        before = page["next"]
        if before is None:
            break
    assert seen == [f"thing/{number}" for number in reversed(range(25))]


async def test_filters_and_what_they_refuse(api: Api, park: Estate) -> None:
    await noted(api, park, 1)
    for query, count in (
        ({"actor": f"account/{park.admin.id}", "action": "thing.change"}, 1),
        ({"actor": f"account/{uuid4()}"}, 0),
        ({"action": "thing"}, 0),
        ({"object": "thing/1\0"}, 1),
        ({"community_id": str(new_id())}, 0),
    ):
        answer = await read(api, park.headers, **query)
        assert len(answer.json()["items"]) == count, query
    too_long = await read(
        api,
        park.headers,
        since=(api.time() - timedelta(days=93)).isoformat(),
        until=api.time().isoformat(),
    )
    assert too_long.status_code == 422


async def test_the_file_holds_the_same_and_runs_nothing(
    api: Api, park: Estate, sibling: Estate
) -> None:
    for number in range(120):
        await noted(api, park, number)
    await noted(api, sibling, 999)
    answer = await api.client.get(
        "/v1/audit/export.csv", headers=park.headers, params={"action": "thing.*"}
    )
    assert answer.status_code == 200
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0][:3] == ["seq", "at", "actor"]
    assert [row[5] for row in rows[1:]] == [f"thing/{number}" for number in reversed(range(120))]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    await api.account("installer", Role.INSTALLER, park.site)
    refused = await api.client.get("/v1/audit/export.csv", headers=await api.headers("installer"))
    assert refused.status_code == 403
