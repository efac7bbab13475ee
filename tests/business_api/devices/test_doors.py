import asyncio
from typing import Any
from uuid import uuid4

from business_api.authz.roles import Role
from device_registry.access import grants
from foundation.models import AuditEvent
from foundation.wire.command import Code
from tests.business_api.conftest import Estate
from tests.business_api.devices.conftest import Doors
from tests.support.statements import statements

ZH = {"Accept-Language": "zh-CN"}
EN = {"Accept-Language": "en"}


async def test_a_resident_opens_a_door(doors: Doors):
    door, box = await doors.station()
    answer = await doors.open(
        door, doors.lin | {"X-App-Version": "linli-owner/1.2 (iOS 19)", "User-Agent": "x"}
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["outcome"], told["code"], told["pulsed_ms"]) == ("executed", "ok", 5000)
    assert (told["door_id"], told["message"]) == (door, "门已打开")
    assert told["settled_at"] >= told["at"]
    assert box.opened == 1
    line = await AuditEvent.get(action="door.open")
    assert line.actor == f"account/{doors.lin_id}"
    assert (
        line.facts.items()
        >= {
            "command": told["command_id"],
            "house": str(doors.estate.flat.id),
            "address": "127.0.0.1",
            "app": "linli-owner/1.2 (iOS 19)",
        }.items()
    )
    later = await doors.get(f"/open-commands/{told['command_id']}", doors.lin | EN)
    assert later.json() == told | {"message": "The door is open"}


async def test_staff_open_in_nobodys_name(doors: Doors):
    door, box = await doors.station()
    answer = await doors.open(door, doors.staff, {"reason": "快递"})
    assert answer.json()["outcome"] == "executed"
    line = await AuditEvent.get(action="door.open")
    assert (line.facts["by"], line.facts["house"], line.facts["reason"]) == ("admin", None, "快递")
    body = {"house_id": str(doors.estate.flat.id)}  # of people they have no part in
    told = (await doors.open(door, doors.staff, body)).json()
    assert (told["outcome"], told["code"]) == ("refused", "no_grant")
    assert box.opened == 1


async def test_staff_who_live_there_open_as_staff_or_for_their_house(doors: Doors):
    door, box = await doors.station()
    await doors.api.resident("admin", doors.estate.home)
    home = str(doors.estate.home.id)
    staff = await doors.api.headers("admin")
    for body in (None, {"house_id": home}):
        assert (await doors.open(door, staff, body)).json()["outcome"] == "executed"
    assert box.opened == 2
    lines = await AuditEvent.filter(action="door.open").order_by("seq")
    assert [(line.facts["by"], line.facts["house"]) for line in lines] == [
        ("admin", None),
        ("resident", home),
    ]
    listed = (await doors.get("/doors", staff)).json()
    assert listed["total"] == 2
    assert {row["house_id"] for row in listed["items"]} == {None, home}


async def test_staff_may_live_elsewhere_and_are_residents_there(doors: Doors, sibling: Estate):
    theirs, _ = await doors.station("松树园", sibling)
    await doors.api.resident("admin", sibling.home)
    staff = await doors.api.headers("admin")
    assert (await doors.open(theirs, staff)).json()["outcome"] == "executed"
    line = await AuditEvent.get(action="door.open")
    assert line.facts["by"] == "resident"


async def test_who_may_see_a_door_but_not_open_it_is_told_so(doors: Doors, elsewhere: Estate):
    door, box = await doors.station()
    far, _ = await doors.station("别处", elsewhere)
    boss = await doors.staff_member("boss", Role.PROPERTY_ADMIN, doors.estate.company.site)
    fitter = await doors.staff_member("fitter", Role.INSTALLER, doors.estate.site)
    await doors.api.resident("boss", elsewhere.home)  # may open some doors, none of these
    both = await doors.api.headers("boss")
    for headers in (boss, fitter, both, doors.operator):
        answer = await doors.open(door, headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")
    assert (await doors.open(far, both)).json()["outcome"] == "executed"
    assert (await doors.open(str(uuid4()), both)).status_code == 404
    assert (await doors.get("/doors", fitter)).json()["total"] == 0
    assert box.opened == 0


async def test_an_opening_costs_no_statement_for_the_rights_of_staff(doors: Doors):
    door, _ = await doors.station()
    costs = []
    for headers in (doors.staff, doors.lin):
        await doors.open(door, headers)
        with statements() as sql:
            await doors.open(door, headers)
        costs.append(len([line for line in sql if "business_" in line]))
    assert costs == [0, 0]


async def test_a_station_may_refuse(doors: Doors):
    door, box = await doors.station()
    for code, zh, en in [
        (Code.LOCKDOWN, "门禁已封锁，暂不能远程开门", "The door is in lockdown"),
        (Code.BUSY, "门口机忙，请稍后再试", "The station is busy; try again in a moment"),
        (Code.NO_DOOR, "该门口机没有这个门", "The station has no such door"),
    ]:
        box.answer = code
        answer = await doors.open(door, doors.lin | ZH)
        assert answer.status_code == 200
        told = answer.json()
        assert (told["outcome"], told["code"], told["message"]) == ("refused", code, zh)
        assert told["pulsed_ms"] == 0
        later = await doors.get(f"/open-commands/{told['command_id']}", doors.lin | EN)
        assert later.json()["message"] == en


async def test_a_station_that_is_away_is_told_nothing(doors: Doors):
    door, box = await doors.station(here=False)
    told = (await doors.open(door, doors.lin)).json()
    assert (told["outcome"], told["message"]) == ("offline", "设备离线，未能开门")
    await box.arrive()
    await box.leave()
    assert (await doors.open(door, doors.lin)).json()["outcome"] == "offline"
    await box.arrive()
    await doors.air.settled()
    assert box.opened == 0


async def test_silence_is_unknown_until_the_journal_settles_it(doors: Doors):
    door, box = await doors.station()
    box.answer = None
    told = (await doors.open(door, doors.lin)).json()
    assert (told["outcome"], told["message"]) == ("unknown", "未确认，请看门")
    await box.happened("remote.open", cmd_id=told["command_id"], result="ok")
    later = (await doors.get(f"/open-commands/{told['command_id']}", doors.lin)).json()
    assert (later["outcome"], later["message"]) == ("executed", "门已打开")


async def test_a_door_of_others_does_not_exist(doors: Doors, elsewhere: Estate, sibling: Estate):
    tower, _ = await doors.station(
        "2号楼", position="building", place_id=str(doors.estate.villa.id)
    )
    foreign, box = await doors.station("别处", elsewhere, comm_code=await doors.code())
    nowhere = str(uuid4())
    told = []
    for door, headers in [
        (tower, doors.lin),
        (foreign, doors.lin),
        (nowhere, doors.lin),
        (foreign, doors.staff),
        (tower, elsewhere.headers),
        (tower, sibling.headers),
        (nowhere, doors.staff),
    ]:
        answer = await doors.open(door, headers)
        assert answer.status_code == 404
        problem = answer.json()
        told.append((problem["type"], problem["title"], problem["detail"]))
    assert len(set(told)) == 1
    assert box.opened == 0
    assert await AuditEvent.filter(action="door.open").count() == 0


async def test_a_house_only_chooses_among_ones_own(doors: Doors):
    door, box = await doors.station()
    home = str(doors.estate.home.id)
    told = (await doors.open(door, doors.lin, {"house_id": home})).json()
    assert (told["outcome"], told["code"]) == ("refused", "no_grant")
    await doors.api.resident("lin", doors.estate.home)
    told = (await doors.open(door, doors.lin, {"house_id": home})).json()
    assert told["outcome"] == "executed"
    assert box.opened == 1
    houses = (
        await AuditEvent.filter(action="door.open").order_by("seq").values_list("facts", flat=True)
    )
    assert [facts["house"] for facts in houses] == [None, home]  # type: ignore[call-overload]


async def test_a_right_that_is_stopped_opens_nothing(doors: Doors):
    door, box = await doors.station()
    await grants.suspend_remote(doors.lin_id, True)
    told = (await doors.open(door, doors.lin)).json()
    assert (told["outcome"], told["code"]) == ("refused", "person_suspended")
    await grants.suspend_remote(doors.lin_id, False)
    await doors.post(f"/stations/{door}/suspend", doors.staff)
    told = (await doors.open(door, doors.lin)).json()
    assert (told["outcome"], told["code"]) == ("refused", "suspended")
    await doors.post(f"/stations/{door}/unbind", doors.staff)
    assert (await doors.open(door, doors.lin)).status_code == 404
    assert box.opened == 0


async def test_who_moved_out_opens_nothing(doors: Doors):
    door, box = await doors.station()
    await doors.moves_out(doors.lin_id)
    assert (await doors.open(door, doors.lin)).status_code == 404
    assert (await doors.get("/doors", doors.lin)).status_code == 403
    assert box.opened == 0


async def test_one_key_is_one_command(doors: Doors):
    door, box = await doors.station()
    other, _ = await doors.station("西门")
    first = await doors.open(door, doors.lin, key="k1")
    again = await doors.open(door, doors.lin, key="k1")
    assert first.json() == again.json()
    assert box.opened == 1
    reused = await doors.open(other, doors.lin, key="k1")
    assert (reused.status_code, reused.json()["type"]) == (409, "/problems/request-key-reused")
    staff = await doors.open(door, doors.staff, key="k1")
    assert staff.json()["command_id"] != first.json()["command_id"]
    assert (await doors.open(door, doors.lin)).json()["outcome"] == "executed"
    assert box.opened == 3
    assert (await doors.open(door, doors.lin, key="x" * 81)).status_code == 422


async def test_one_key_sent_side_by_side_is_one_command(doors: Doors):
    door, box = await doors.station()
    answers = await asyncio.gather(*(doors.open(door, doors.lin, key="k1") for _ in range(4)))
    assert len({answer.json()["command_id"] for answer in answers}) == 1
    assert {answer.json()["outcome"] for answer in answers} == {"executed"}
    assert box.opened == 1


async def test_an_attempt_is_told_to_its_owner_only(doors: Doors):
    door, _ = await doors.station()
    made = (await doors.open(door, doors.lin)).json()["command_id"]
    wang, _ = await doors.resident("wang", doors.estate.flat)
    for headers, id_ in [(wang, made), (doors.staff, made), (doors.lin, "0" * 26)]:
        answer = await doors.get(f"/open-commands/{id_}", headers)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-opening")
    assert (await doors.get("/open-commands/x", doors.lin)).status_code == 422


async def test_who_goes_on_pressing_is_told_so(doors: Doors):
    door, box = await doors.station()
    context = doors.api.context
    few = context.settings.devices.model_copy(update={"opens_per_person": 2})
    context.settings = context.settings.model_copy(update={"devices": few})
    answers = [await doors.open(door, doors.lin) for _ in range(5)]
    told = [(answer.status_code, answer.json().get("code")) for answer in answers[:4]]
    assert told == [(200, "ok"), (200, "ok"), (200, "limit_person"), (200, "limit_person")]
    assert answers[2].json()["message"] == "您开门过于频繁，请稍后再试"
    assert answers[4].status_code == 429
    assert answers[4].headers["retry-after"] == "60"
    assert box.opened == 2


async def test_nonsense_opens_nothing(doors: Doors):
    door, box = await doors.station()
    nonsense: list[Any] = [
        {"house_id": "mine"},
        {"door": 256},
        {"door": "front"},
        {"reason": "x" * 121},
        {"reason": "a\nb"},
        {"hold": 30},
        [],
    ]
    for body in nonsense:
        answer = await doors.open(door, doors.lin, body)
        assert answer.status_code == 422, body
    assert box.opened == 0


async def test_what_one_may_open(doors: Doors, elsewhere: Estate):
    unit = str(doors.estate.unit.id)
    gate, _ = await doors.station("东门")
    stair, _ = await doors.station("1单元", position="unit", place_id=unit, here=False)
    villa = str(doors.estate.villa.id)
    far, _ = await doors.station("2号楼", position="building", place_id=villa)
    await doors.station("别处", elsewhere, comm_code=await doors.code())
    mine = (await doors.get("/doors", doors.lin)).json()
    flat = str(doors.estate.flat.id)
    assert mine["total"] == 2
    assert [
        (row["id"], row["place_name"], row["house_id"], row["presence"]) for row in mine["items"]
    ] == [(stair, "1号楼 1单元", flat, "offline"), (gate, "柏树园", flat, "online")]
    second = (await doors.get("/doors", doors.lin, page=2, size=1)).json()
    assert [row["id"] for row in second["items"]] == [gate]
    theirs = (await doors.get("/doors", doors.staff)).json()
    assert [(row["id"], row["house_id"]) for row in theirs["items"]] == [
        (stair, None),
        (far, None),
        (gate, None),
    ]
    await doors.post(f"/stations/{gate}/suspend", doors.staff)
    left = (await doors.get("/doors", doors.lin)).json()
    assert [row["id"] for row in left["items"]] == [stair]
    assert (await doors.get("/doors", {})).status_code == 401
