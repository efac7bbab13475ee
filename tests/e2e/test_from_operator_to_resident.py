"""The manual's §1.1: from an empty platform to a resident at an open door, by the API alone.

Steps 4 (tariffs), 11 (bills) and 12 (shops) come with their features.
"""

import re
from typing import Any

import httpx

from business_api.authz.roles import Role
from business_api.authz.scope import Site as Where
from tests.support.site import Site
from tests.support.until import until

FIRST, OWN = "given by the one above", "chosen by the one below"
PHONE = "13800138123"


class Guide:
    """Takes a new platform through its set-up, one person after another."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def client(self) -> httpx.AsyncClient:
        made = httpx.AsyncClient(base_url=f"{self._site.url}/v1", timeout=30)
        return await self._site.stack.enter_async_context(made)

    async def staff(self, by: httpx.AsyncClient, role: Role, **scope: str) -> httpx.AsyncClient:
        """`by` makes an account; its holder signs in, and has to choose a password first."""
        username = f"{role.value}-{len(scope)}-1"
        form = {"role": role, "username": username, "name": username, "password": FIRST} | scope
        await made(by.post("/accounts", json=form))
        client = await self.client()
        await self.sign_in(client, username, FIRST)
        refused = await client.get("/communities")
        assert refused.json()["type"] == "/problems/password-change-needed"
        changed = await client.post("/me/password", json={"current": FIRST, "new": OWN})
        assert changed.status_code == 204, changed.text
        await self.sign_in(client, username, OWN)
        return client

    async def sign_in(self, client: httpx.AsyncClient, username: str, password: str) -> None:
        body = {"username": username, "password": password}
        tokens = (await client.post("/auth/login", json=body)).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    async def code_sent(self) -> str:
        """The newest code on the developer page, where messages go without a provider."""
        async with httpx.AsyncClient(base_url=self._site.url) as here:
            page = (await here.get("/developer/messages")).text
        found: str = re.findall(r"\b\d{6}\b", page)[0]
        return found


async def made(answering: Any) -> dict[str, Any]:
    answer = await answering
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def only(answering: Any) -> dict[str, Any]:
    items = (await made(answering))["items"]
    assert len(items) == 1, items
    found: dict[str, Any] = items[0]
    return found


async def test_from_operator_to_resident(site: Site) -> None:
    guide = Guide(site)
    root = await site.role("root", Role.SUPER_ADMIN, Where())

    # 1. The super admin makes an operator and its account.
    operator = await made(root.post("/operators", json={"name": "新运营公司"}))
    runs = await guide.staff(root, Role.OPERATOR_ADMIN, operator_id=operator["id"])

    # 2. The operator makes a property company and its account.
    company = await made(
        runs.post(f"/operators/{operator['id']}/companies", json={"name": "新物业公司"})
    )
    manages = await guide.staff(runs, Role.PROPERTY_ADMIN, company_id=company["id"])

    # 3. The company makes a community, with coordinates from a Chinese map, and its admin.
    community = await made(
        manages.post(
            f"/companies/{company['id']}/communities",
            json={
                "name": "新小区",
                "region_code": "440305",
                "address": "深南大道 1 号",
                "location": {"lat": "22.540503", "lng": "113.934528", "datum": "gcj02"},
            },
        )
    )
    admin = await guide.staff(manages, Role.COMMUNITY_ADMIN, community_id=community["id"])
    shown = await only(runs.get("/communities"))
    assert (shown["name"], shown["id"]) == ("新小区", community["id"])

    # 5, 6. The community admin enters buildings, units and houses.
    building = await made(
        admin.post(
            f"/communities/{community['id']}/buildings",
            json={"code": "01", "name": "1号楼", "has_units": True},
        )
    )
    unit = await made(admin.post(f"/buildings/{building['id']}/units", json={"code": "1"}))
    house = await made(
        admin.post(
            f"/buildings/{building['id']}/houses",
            json={
                "unit_id": unit["id"],
                "code": "0101",
                "house_class": "high_rise",
                "area": "89.50",
            },
        )
    )
    reviewer = await guide.staff(admin, Role.HOUSE_REVIEWER, community_id=community["id"])
    installer = await guide.staff(admin, Role.INSTALLER, community_id=community["id"])

    # 7. The installer registers a station at the unit, with a code of the operator's pool.
    codes = await made(runs.post("/communication-codes", json={"count": 1, "batch": "new"}))
    async with site.fleet(1) as fleet:
        (box,) = fleet.stations.values()
        station = await made(
            installer.post(
                f"/communities/{community['id']}/stations",
                json={
                    "name": "单元门",
                    "mac": box.mac,
                    "comm_code": codes["codes"][0],
                    "user_code": await until(lambda: box.state()["user_code"], 20),
                    "position": "unit",
                    "place_id": unit["id"],
                },
            )
        )

        async def online() -> bool:
            return (await admin.get(f"/stations/{station['id']}")).json()["presence"] == "online"

        await until(online, 30)

        # 8. Somebody registers with a phone, and finds the house: city, community, building.
        app = await guide.client()
        sent = await app.post("/auth/codes", json={"phone": PHONE, "purpose": "register"})
        assert sent.status_code in {200, 202, 204}, sent.text
        tokens = await made(
            app.post(
                "/auth/register",
                json={"phone": PHONE, "code": await guide.code_sent(), "name": "周王"},
            )
        )
        app.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        found = await only(app.get("/directory/communities", params={"search": "新小区"}))
        directory = f"/directory/communities/{found['id']}"
        floor = await only(app.get(f"{directory}/buildings"))
        stairs = await only(app.get(f"{directory}/units", params={"building_id": floor["id"]}))
        there = {"building_id": floor["id"], "unit_id": stairs["id"]}
        flat = await only(app.get(f"{directory}/houses", params=there))
        assert flat["id"] == house["id"]
        refused = await app.post(f"/doors/{station['id']}/open")
        assert refused.status_code == 404, "there is no door before"

        # 9. Applies for it as its owner.
        texts = (await app.get("/consent-texts")).json()
        purpose = next(text for text in texts if text["purpose"] == "id_number")
        application = await made(
            app.post(
                "/me/certifications",
                json={
                    "house_id": flat["id"],
                    "type": "owner",
                    "name": "周王",
                    "id_type": "resident_id",
                    "id_number": "44030519900101123X",
                    "consents": [{"purpose": "id_number", "version": purpose["version"]}],
                },
            )
        )
        assert application["state"] == "pending_review"

        # 10. The reviewer approves: house and doors at once.
        waiting = await only(reviewer.get("/certifications", params={"state": "pending_review"}))
        assert waiting["id"] == application["id"]
        await made(reviewer.post(f"/certifications/{waiting['id']}/approve"))
        home = await only(app.get("/me/houses"))
        assert (home["id"], home["type"]) == (house["id"], "owner")
        told = (await made(app.get("/me/messages")))["items"]
        assert any(message["kind"].startswith("certification") for message in told)

        # 6.2. And opens the door.
        assert (await only(app.get("/doors")))["id"] == station["id"]
        opened = await made(app.post(f"/doors/{station['id']}/open"))
        assert (opened["outcome"], opened["code"]) == ("executed", "ok"), opened
        assert box.state()["pulse_count"] == 1

    # The one before saw nothing of it, and each above sees its part.
    assert (await made((await site.signed_in("admin")).get("/houses")))["total"] == 1
    assert (await made(admin.get("/houses")))["total"] == 1
    statistics = await made(runs.get(f"/companies/{company['id']}/statistics"))
    assert statistics["houses"] == 1
    chain = await made(manages.get("/audit", params={"limit": 100}))
    assert {"community.create", "building.create", "house.create", "door.open"} <= {
        line["action"] for line in chain["items"]
    }
