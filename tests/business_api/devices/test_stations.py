from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from business_api.accounts import sessions
from business_api.accounts.models import Account, RoleGrant
from business_api.authz.roles import Role
from business_api.organisations.models import Operator
from foundation.models import AuditEvent
from tests.business_api.conftest import Estate
from tests.business_api.devices.air import Station
from tests.business_api.devices.conftest import Doors

GATE: dict[str, Any] = {"name": "东门", "position": "gate", "mac": "02:00:00:00:00:01"}


async def names(doors: Doors, **query: Any) -> list[str]:
    answer = await doors.get("/stations", doors.staff, **query)
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()["items"]]


async def test_a_registered_station_is_shown(doors: Doors):
    tower = str(doors.estate.tower.id)
    unit = str(doors.estate.unit.id)
    gate, box = await doors.station("东门")
    await doors.station("1号楼", position="building", place_id=tower, here=False)
    await doors.station("1单元", position="unit", place_id=unit)
    assert await names(doors) == ["1单元", "1号楼", "东门"]
    one = await doors.get(f"/stations/{gate}", doors.staff)
    shown = one.json()
    assert one.headers["etag"] == f'"{shown["version"]}"'
    expected = {
        "name": "东门",
        "position": "gate",
        "community_id": str(doors.estate.id),
        "place_id": str(doors.estate.id),
        "place_name": "柏树园",
        "mac": box.mac,
        "status": "active",
        "presence": "online",
        "reason": "",
        "model": "test",
        "reader_number": None,
    }
    assert shown.items() >= expected.items()
    assert await names(doors, position="unit") == ["1单元"]
    assert await names(doors, presence="offline") == ["1号楼"]
    assert await names(doors, status="suspended") == []
    assert await names(doors, search=box.mac.upper()) == ["东门"]
    assert await names(doors, search="单元") == ["1单元"]
    assert await names(doors, page=2, size=2) == ["东门"]
    page = (await doors.get("/stations", doors.staff, page=9, size=100)).json()
    assert page == {"items": [], "total": 3, "page": 9, "size": 100}
    assert (await doors.get("/stations", doors.staff, size=101)).status_code == 422


async def test_the_summary_counts(doors: Doors):
    await doors.station("a")
    gone, _ = await doors.station("b")
    await doors.station("c", here=False)
    await doors.post(f"/stations/{gone}/suspend", doors.staff)
    body = GATE | {"comm_code": await doors.code()}
    assert (await doors.post(doors.new, doors.staff, body)).json()["status"] == "awaiting"
    answer = await doors.get("/stations/summary", doors.staff)
    assert answer.json() == {
        "total": 4,
        "presence": {"online": 1, "stale": 0, "offline": 1},
        "status": {
            "awaiting": 1,
            "confirm": 0,
            "active": 2,
            "suspended": 1,
            "quarantined": 0,
        },
    }


async def test_a_place_must_be_ones_own(doors: Doors, elsewhere: Estate, sibling: Estate):
    both = await doors.staff_member("both", Role.COMMUNITY_ADMIN, doors.estate.site)
    account = await Account.get(username="both")
    await doors.api.grant(account, Role.COMMUNITY_ADMIN, sibling.site)
    body = GATE | {"position": "unit", "place_id": str(sibling.unit.id), "comm_code": "1"}
    answer = await doors.post(doors.new, both, body)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-unit")
    for position, place_id, status, problem in [
        ("building", str(sibling.tower.id), 404, "no-such-building"),
        ("building", str(elsewhere.tower.id), 404, "no-such-building"),
        ("unit", str(elsewhere.unit.id), 404, "no-such-unit"),
        ("unit", str(doors.estate.tower.id), 404, "no-such-unit"),
        ("building", None, 422, "place-needed"),
        ("gate", str(elsewhere.id), 422, "bad-position"),
        ("gate", str(doors.estate.tower.id), 422, "bad-position"),
    ]:
        body = GATE | {"position": position, "place_id": place_id, "comm_code": "1"}
        answer = await doors.post(doors.new, doors.staff, body)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")


async def test_nonsense_is_not_registered(doors: Doors):
    nonsense: list[dict[str, Any]] = [
        {"name": " "},
        {"name": "x" * 81},
        {"position": "roof"},
        {"mac": "00:11"},
        {"mac": "zz:zz:zz:zz:zz:zz"},
        {"colour": "red"},
        {"place_id": "here"},
        {"user_code": ""},
    ]
    for changes in nonsense:
        body = GATE | {"comm_code": "1"} | changes
        answer = await doors.post(doors.new, doors.staff, body)
        assert answer.status_code == 422, changes
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_check_code_counts_whatever_the_key(doors: Doors):
    box = Station(doors.air, doors.api.client)
    shown = (await box.enroll()).user_code
    headers = doors.staff | {"Idempotency-Key": "same"}
    body = GATE | {"mac": box.mac, "comm_code": await doors.code(), "user_code": "AAAA-AAAA"}
    left = []
    for _ in range(5):
        answer = await doors.post(doors.new, headers, body)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/wrong-user-code")
        left.append(answer.json()["tries_left"])
    assert left == [4, 3, 2, 1, 0]
    again = await doors.post(doors.new, headers, body | {"user_code": shown})
    assert again.status_code == 422
    assert (await box.enroll()).user_code != shown


async def test_a_registration_happens_once_under_one_key(doors: Doors):
    box = Station(doors.air, doors.api.client)
    headers = doors.staff | {"Idempotency-Key": "k1"}
    body = GATE | {
        "mac": box.mac,
        "comm_code": await doors.code(),
        "user_code": (await box.enroll()).user_code,
    }
    first = await doors.post(doors.new, headers, body)
    again = await doors.post(doors.new, headers, body)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert await AuditEvent.filter(action="device.register").count() == 1
    other = await doors.post(doors.new, headers, body | {"name": "别的"})
    assert other.json()["type"] == "/problems/key-reused"
    fresh = await doors.post(doors.new, doors.staff, body)
    assert (fresh.status_code, fresh.json()["type"]) == (409, "/problems/mac-taken")


async def test_a_code_or_reader_that_is_not_free_is_refused(doors: Doors):
    box = Station(doors.air, doors.api.client)
    unknown = await doors.register(box, comm_code="99999999")
    assert (unknown.status_code, unknown.json()["type"]) == (409, "/problems/code-not-free")
    unknown = await doors.register(box, reader_number="BT-9")
    assert (unknown.status_code, unknown.json()["type"]) == (409, "/problems/reader-not-free")
    headers = doors.operator | {"Content-Type": "text/csv"}
    url = "/v1/bluetooth-readers/import"
    await doors.api.client.post(url, content=b"BT-9", headers=headers)
    made = await doors.register(box, reader_number="bt-9")
    assert made.json()["reader_number"] == "BT-9"


async def test_a_station_is_renamed_and_moved_on_the_version_read(doors: Doors):
    station, _ = await doors.station()
    url = f"/v1/stations/{station}"
    client, staff = doors.api.client, doors.staff
    tag = (await client.get(url, headers=staff)).headers["etag"]
    bare = await client.patch(url, json={"name": "北门"}, headers=staff)
    assert (bare.status_code, bare.json()["type"]) == (422, "/problems/if-match-required")
    moved = await client.patch(
        url,
        json={"name": "1单元", "position": "unit", "place_id": str(doors.estate.unit.id)},
        headers=staff | {"If-Match": tag},
    )
    assert moved.status_code == 200, moved.text
    assert (moved.json()["name"], moved.json()["place_name"]) == ("1单元", "1号楼 1单元")
    assert moved.headers["etag"] != tag
    late = await client.patch(url, json={"name": "北门"}, headers=staff | {"If-Match": tag})
    assert late.status_code == 412
    renamed = await client.patch(
        url, json={"name": "北门"}, headers=staff | {"If-Match": moved.headers["etag"]}
    )
    assert renamed.json()["name"] == "北门"
    tag = renamed.headers["etag"]
    for body in ({}, {"place_id": str(doors.estate.id)}, {"mac": "020000000002"}):
        answer = await client.patch(url, json=body, headers=staff | {"If-Match": tag})
        assert answer.status_code == 422
    foreign = await client.patch(
        url,
        json={"name": "坏", "position": "building", "place_id": str(uuid4())},
        headers=staff | {"If-Match": tag},
    )
    assert foreign.status_code == 404
    assert (await client.get(url, headers=staff)).json()["name"] == "北门"


async def test_a_station_is_shut_out_let_in_rotated_replaced_and_given_up(doors: Doors):
    station, box = await doors.station()
    url = f"/stations/{station}"
    staff = doors.staff
    assert (await doors.post(f"{url}/resume", staff)).status_code == 409
    assert (await doors.post(f"{url}/suspend", staff)).json()["status"] == "suspended"
    await doors.air.settled()
    assert (await box.enroll()).status == "suspended"
    assert (await doors.post(f"{url}/resume", staff)).json()["status"] == "active"
    await box.enroll()
    before = box.registration
    assert (await doors.post(f"{url}/rotate-secret", staff)).status_code == 200
    await box.enroll()
    assert box.registration is not None
    assert before is not None
    assert box.registration.secret_ver == before.secret_ver + 1

    other = Station(doors.air, doors.api.client)
    code = (await other.enroll()).user_code
    body = {"mac": other.mac, "user_code": code}
    replaced = await doors.post(f"{url}/replace", staff, body)
    assert replaced.status_code == 200, replaced.text
    assert (replaced.json()["id"], replaced.json()["mac"]) == (station, other.mac)
    assert (await other.enroll()).status == "registered"
    assert (await box.enroll()).status == "unbound"

    given_up = await doors.post(f"{url}/unbind", staff)
    assert given_up.json()["status"] == "unbound"
    assert await names(doors) == []
    assert await names(doors, status="unbound")
    assert (await doors.post(f"{url}/unbind", staff)).status_code == 409
    acts = (
        await AuditEvent.filter(object=f"device/{station}")
        .order_by("seq")
        .values_list("action", flat=True)
    )
    assert [act for act in acts if act != "device.show"] == [
        "device.register",
        "device.suspend",
        "device.resume",
        "device.rotate",
        "device.replace",
        "device.unbind",
    ]
    actors = await AuditEvent.filter(object=f"device/{station}").values_list("actor", flat=True)
    assert set(actors) == {f"account/{doors.estate.admin.id}"}


async def test_the_timeline_says_when_a_station_came_and_went(doors: Doors):
    station, box = await doors.station()
    await box.leave("timeout")
    url = f"/stations/{station}/timeline"
    rows = (await doors.get(url, doors.staff)).json()
    assert [(row["up"], row["reason"]) for row in rows] == [(False, "timeout"), (True, "")]
    rows = (await doors.get(url, doors.staff, limit=1)).json()
    assert [row["up"] for row in rows] == [False]
    now = datetime.now(UTC)
    early = await doors.get(url, doors.staff, until=(now - timedelta(days=1)).isoformat())
    assert early.json() == []
    long = await doors.get(url, doors.staff, since=(now - timedelta(days=93)).isoformat())
    assert (long.status_code, long.json()["type"]) == (422, "/problems/bad-period")
    assert long.json()["most_days"] == 92
    for since in ("yesterday", "2026-01-01T00:00:00", "0001-01-01T00:00:00Z"):
        assert (await doors.get(url, doors.staff, since=since)).status_code == 422


ACTS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/comparison", None),
    ("PATCH", "", {"name": "x"}),
    ("POST", "/confirm", None),
    ("POST", "/suspend", None),
    ("POST", "/resume", None),
    ("POST", "/unbind", None),
    ("POST", "/rotate-secret", None),
    ("POST", "/replace", {"mac": "02:00:00:00:00:09"}),
]


async def test_another_communitys_station_does_not_exist(
    doors: Doors, elsewhere: Estate, sibling: Estate
):
    station, _ = await doors.station()
    nowhere = str(uuid4())
    client = doors.api.client
    for stranger in (elsewhere.headers, sibling.headers):
        other = stranger | {"If-Match": '"1"'}
        for method, path, body in [("GET", "", None), ("GET", "/timeline", None), *ACTS]:
            told = []
            for which in (station, nowhere):
                url = f"/v1/stations/{which}{path}"
                answer = await client.request(method, url, json=body, headers=other)
                assert answer.status_code == 404, (method, path, answer.text)
                problem = answer.json()
                told.append(
                    {k: v for k, v in problem.items() if k not in ("instance", "request_id")}
                )
            assert told[0] == told[1]
            assert told[0]["type"] == "/problems/device-not-found"
        for query in ({}, {"community_id": str(doors.estate.id)}):
            assert (await doors.get("/stations", other, **query)).json()["total"] == 0
            summary = await doors.get("/stations/summary", other, **query)
            assert summary.json()["total"] == 0
        box = Station(doors.air, client)
        mine = GATE | {"mac": box.mac, "comm_code": await doors.code()}
        made = await doors.post(doors.new, other, mine)
        assert (made.status_code, made.json()["type"]) == (404, "/problems/no-such-community")
    shown = await doors.get(f"/stations/{station}", doors.staff)
    assert (shown.json()["status"], shown.json()["name"]) == ("active", "东门")


async def test_operator_company_and_community_see_their_own(
    doors: Doors, elsewhere: Estate, sibling: Estate
):
    for estate, name in [(doors.estate, "甲"), (sibling, "乙"), (elsewhere, "丙")]:
        await doors.station(name, estate)
    company = doors.estate.company.site
    boss = await doors.staff_member("boss", Role.PROPERTY_ADMIN, company)
    rival = await doors.staff_member("rival", Role.PROPERTY_ADMIN, elsewhere.company.site)
    fitter = await doors.staff_member("fitter", Role.INSTALLER, doors.estate.site)
    foreign = await Operator.create(name="另一家", created_at=doors.api.time())
    outsider = await doors.staff_member("outsider", Role.OPERATOR_ADMIN, foreign.site)
    for headers, expected in [
        (doors.operator, {"甲", "乙", "丙"}),
        (boss, {"甲", "乙"}),
        (rival, {"丙"}),
        (fitter, {"甲"}),
        (doors.staff, {"甲"}),
        (outsider, set()),
    ]:
        rows = (await doors.get("/stations", headers)).json()["items"]
        assert {row["name"] for row in rows} == expected
        assert (await doors.get("/stations/summary", headers)).json()["total"] == len(expected)
        there = {row["name"] for row in rows if row["community_id"] == str(sibling.id)}
        narrowed = {"community_id": str(sibling.id)}
        rows = (await doors.get("/stations", headers, **narrowed)).json()["items"]
        assert {row["name"] for row in rows} == there
        counted = await doors.get("/stations/summary", headers, **narrowed)
        assert counted.json()["total"] == len(there)


async def test_who_may_see_a_station_but_not_manage_it_is_told_so(doors: Doors):
    station, _ = await doors.station()
    boss = await doors.staff_member("boss", Role.PROPERTY_ADMIN, doors.estate.company.site)
    for headers in (boss, doors.operator):
        assert (await doors.get(f"/stations/{station}", headers)).status_code == 200
        for method, path, body in ACTS:
            answer = await doors.api.client.request(
                method,
                f"/v1/stations/{station}{path}",
                json=body,
                headers=headers | {"If-Match": '"1"'},
            )
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")
        made = await doors.post(doors.new, headers, GATE | {"comm_code": await doors.code()})
        assert made.status_code == 403


async def test_an_installer_registers_where_it_works(doors: Doors, sibling: Estate):
    fitter = await doors.staff_member("fitter", Role.INSTALLER, doors.estate.site)
    body = GATE | {"comm_code": await doors.code()}
    made = await doors.post(doors.new, fitter, body)
    assert made.status_code == 201, made.text
    assert (await doors.post(f"/stations/{made.json()['id']}/unbind", fitter)).status_code == 200
    other = GATE | {"mac": "02:00:00:00:00:02", "comm_code": await doors.code()}
    answer = await doors.post(f"/communities/{sibling.id}/stations", fitter, other)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-community")


async def test_a_right_that_is_taken_shows_nothing_more(doors: Doors):
    station, _ = await doors.station()
    fitter = await doors.staff_member("fitter", Role.INSTALLER, doors.estate.site)
    url = f"/stations/{station}"
    assert (await doors.get(url, fitter)).status_code == 200
    await RoleGrant.filter(account__username="fitter").update(valid_to=doors.api.time())
    doors.api.context.wake.kick(sessions.TOPIC)
    assert (await doors.get(url, fitter)).status_code == 404
    assert (await doors.get("/stations", fitter)).status_code == 403


async def test_stations_are_for_staff(doors: Doors):
    station, _ = await doors.station()
    for url in ("/stations", "/stations/summary"):
        assert (await doors.get(url, doors.lin)).status_code == 403
        assert (await doors.get(url, {})).status_code == 401
    for which in (station, str(uuid4())):
        url = f"/stations/{which}"
        assert (await doors.get(url, doors.lin)).status_code == 404
        assert (await doors.get(url, {})).status_code == 401
        assert (await doors.post(f"{url}/unbind", doors.lin)).status_code == 404
