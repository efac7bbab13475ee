import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from business_api.authz.roles import Role
from business_api.csv_text import harmless
from business_api.residents.models import ResidentType
from device_registry.devices.models import OpenCommand
from device_registry.devices.states import CommandState
from foundation.ids import new_ulid
from foundation.models import AuditEvent
from foundation.wire.command import Code
from tests.business_api.conftest import Estate
from tests.business_api.devices.conftest import Doors


async def openings(doors: Doors, headers: dict[str, str], **query: Any) -> list[dict[str, Any]]:
    answer = await doors.get("/openings", headers, **query)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["items"]
    return rows


async def attempts(doors: Doors, door: str, at: list[datetime], **facts: Any) -> list[str]:
    """Command rows as they stand long after; their ids."""
    rows = [
        OpenCommand(
            id=new_ulid(),
            device_id=UUID(door),
            community_id=doors.estate.id,
            mac="020000000001",
            state=CommandState.EXECUTED,
            code="ok",
            by_kind="resident",
            by_id=doors.lin_id,
            house_id=doors.estate.flat.id,
            at=moment,
            deadline=moment,
            settled_at=moment,
            **facts,
        )
        for moment in at
    ]
    await OpenCommand.bulk_create(rows)
    return [row.id for row in rows]


async def test_every_attempt_is_a_record(doors: Doors):
    door, box = await doors.station()
    flat = doors.estate.flat.id
    await doors.open(door, doors.lin)
    await doors.open(door, doors.staff, {"reason": "快递"})
    box.answer = Code.LOCKDOWN
    await doors.open(door, doors.lin)
    box.answer = None
    await doors.open(door, doors.lin)
    now = datetime.now(UTC)
    await box.happened("access.granted", now, kind="card", cid="c1", house=str(flat))
    later = now + timedelta(milliseconds=2)
    await box.happened("access.denied", later, kind="card", result="unknown", value_hash="ab")
    await box.happened("door.opened")
    await box.leave()
    await doors.open(door, doors.lin)

    rows = await openings(doors, doors.staff)
    assert [(row["method"], row["outcome"], row["code"]) for row in rows] == [
        ("remote", "offline", ""),
        ("card", "unknown", "unknown"),
        ("card", "granted", ""),
        ("remote", "unknown", ""),
        ("remote", "refused", "lockdown"),
        ("remote", "executed", "ok"),
        ("remote", "executed", "ok"),
    ]
    last = rows[-1]
    assert (
        last.items()
        >= {
            "source": "command",
            "station_id": door,
            "station_name": "东门",
            "house_id": str(flat),
            "house_name": "1号楼 1单元 0101",
            "by_kind": "resident",
            "by_name": "Lin",
            "cid": None,
        }.items()
    )
    assert (rows[-2]["by_name"], rows[-2]["reason"], rows[-2]["house_id"]) == (
        "Admin",
        "快递",
        None,
    )
    assert (rows[2]["cid"], rows[2]["house_name"]) == ("c1", "1号楼 1单元 0101")

    assert len(await openings(doors, doors.staff, outcome="executed")) == 2
    assert len(await openings(doors, doors.staff, method="card")) == 2
    assert len(await openings(doors, doors.staff, house_id=str(flat))) == 5
    assert len(await openings(doors, doors.staff, house_id=str(doors.estate.home.id))) == 0
    assert len(await openings(doors, doors.staff, station_id=door)) == 7
    assert len(await openings(doors, doors.staff, station_id=str(uuid4()))) == 0
    assert len(await openings(doors, doors.staff, search="东")) == 7
    assert len(await openings(doors, doors.staff, search="西")) == 0


async def test_a_resident_sees_what_was_opened_in_its_houses_names(doors: Doors):
    door, box = await doors.station()
    wang, _ = await doors.resident("wang", doors.estate.home)
    zhao, _ = await doors.resident("zhao", doors.estate.flat)
    await doors.open(door, doors.lin)
    await doors.open(door, doors.staff)
    await doors.open(door, wang)
    flat = str(doors.estate.flat.id)
    await box.happened("access.granted", kind="card", cid="c1", house=flat)
    for headers in (doors.lin, zhao):
        rows = await openings(doors, headers)
        assert [(row["method"], row["house_id"]) for row in rows] == [
            ("card", flat),
            ("remote", flat),
        ]
        assert rows == await openings(doors, headers, house_id=flat)
    assert await openings(doors, doors.lin, house_id=str(doors.estate.home.id)) == []
    assert await openings(doors, doors.lin, community_id=str(uuid4())) == []
    await doors.moves_out(doors.lin_id)
    assert (await doors.get("/openings", doors.lin)).status_code == 403


async def test_who_moves_in_sees_nothing_from_before(doors: Doors):
    _, box = await doors.station()
    flat = str(doors.estate.flat.id)
    await box.happened("access.granted", kind="card", cid="before", house=flat)
    await doors.moves_out(doors.lin_id)
    doors.api.time.ahead = timedelta(minutes=1)
    wang, _ = await doors.resident("wang", doors.estate.flat)
    assert await openings(doors, wang) == []
    later = datetime.now(UTC) + timedelta(minutes=2)
    await box.happened("access.granted", later, kind="card", cid="after", house=flat)
    doors.api.time.ahead = timedelta(minutes=3)
    assert [row["cid"] for row in await openings(doors, wang)] == ["after"]
    assert {row["cid"] for row in await openings(doors, doors.staff)} == {"before", "after"}


async def test_a_long_visitor_opens_and_reads_nothing(doors: Doors):
    door, _ = await doors.station()
    nurse, _ = await doors.resident("nurse", doors.estate.flat, ResidentType.VISITOR)
    assert (await doors.open(door, nurse)).json()["outcome"] == "executed"
    assert (await doors.get("/openings", nurse)).status_code == 403


async def test_another_community_sees_nothing(doors: Doors, elsewhere: Estate, sibling: Estate):
    door, _ = await doors.station()
    await doors.open(door, doors.lin)
    flat = str(doors.estate.flat.id)
    for headers in (elsewhere.headers, sibling.headers):
        assert await openings(doors, headers) == []
        assert await openings(doors, headers, station_id=door) == []
        assert await openings(doors, headers, house_id=flat) == []
        assert await openings(doors, headers, community_id=str(doors.estate.id)) == []
        exported = await doors.get(
            "/openings/export.csv", headers, community_id=str(doors.estate.id)
        )
        assert len(exported.text.splitlines()) == 1
    assert (await doors.get("/openings", {})).status_code == 401


async def test_a_company_sees_all_its_communities_or_one(
    doors: Doors, elsewhere: Estate, sibling: Estate
):
    for name, estate in [("甲", doors.estate), ("乙", sibling), ("丙", elsewhere)]:
        door, _ = await doors.station(name, estate)
        assert (await doors.open(door, estate.headers)).status_code == 200
    boss = await doors.staff_member("boss", Role.PROPERTY_ADMIN, doors.estate.company.site)
    everything = await openings(doors, boss)
    assert [row["station_name"] for row in everything] == ["乙", "甲"]
    assert {row["community_id"] for row in everything} == {str(doors.estate.id), str(sibling.id)}
    for estate, expected in [(sibling, ["乙"]), (elsewhere, [])]:
        rows = await openings(doors, boss, community_id=str(estate.id))
        assert [row["station_name"] for row in rows] == expected
    exported = await doors.get("/openings/export.csv", boss)
    assert len(exported.text.splitlines()) == 3
    one = await doors.get("/openings/export.csv", boss, community_id=str(sibling.id))
    assert len(one.text.splitlines()) == 2
    lines = await AuditEvent.filter(action="opening.export").order_by("seq")
    company = doors.estate.company
    assert {line.actor for line in lines} == {line.object for line in lines}
    assert [(line.operator_id, line.company_id, line.community_id) for line in lines] == [
        (company.operator_id, company.id, None),
        (company.operator_id, company.id, sibling.id),
    ]
    # The operator watches stations, not people.
    assert (await doors.get("/openings", doors.operator)).status_code == 403
    assert (await doors.get("/openings/export.csv", doors.operator)).status_code == 403


async def test_staff_who_live_elsewhere_see_their_community_and_their_home(
    doors: Doors, sibling: Estate
):
    ours, _ = await doors.station("甲")
    theirs, _ = await doors.station("乙", sibling)
    await doors.api.resident("admin", sibling.home)
    staff = await doors.api.headers("admin")
    await doors.open(ours, doors.lin)
    await doors.open(theirs, sibling.headers)  # nobody's: not for neighbours
    await doors.open(theirs, staff)
    rows = await openings(doors, staff)
    assert [(row["station_name"], row["by_kind"]) for row in rows] == [
        ("乙", "resident"),
        ("甲", "resident"),
    ]


async def test_pages_hold_every_record_once_though_all_have_one_time(doors: Doors):
    door, box = await doors.station()
    moment = datetime.now(UTC) - timedelta(hours=1)
    moment = moment.replace(microsecond=0)
    made = await attempts(doors, door, [moment] * 15)
    for _ in range(8):
        await box.happened("access.granted", moment, kind="card")
    seen: list[str] = []
    before, pages = None, 0
    while True:
        query = {"limit": 7} | ({"before": before} if before else {})
        answer = (await doors.get("/openings", doors.staff, **query)).json()
        seen += [row["id"] for row in answer["items"]]
        before, pages = answer["next"], pages + 1
        await attempts(doors, door, [datetime.now(UTC)])  # new rows shift nothing
        if before is None:
            break
    assert pages == 4
    assert len(seen) == len(set(seen)) == 23
    assert set(made) <= set(seen)


async def test_questions_without_an_answer(doors: Doors):
    questions: list[tuple[dict[str, Any], str]] = [
        ({"before": "nonsense"}, "bad-record-cursor"),
        ({"before": "x" * 201}, "invalid-request"),
        ({"limit": 101}, "invalid-request"),
        ({"outcome": "opened"}, "invalid-request"),
        ({"method": "axe"}, "invalid-request"),
        ({"since": "2026-03-01T00:00:00Z", "until": "2026-03-01T00:00:00Z"}, "bad-period"),
        ({"since": "2026-03-01T00:00:00Z", "until": "2026-06-02T00:00:00Z"}, "bad-period"),
        ({"until": "9999-12-31T23:59:59Z"}, "bad-period"),
        ({"until": "0001-01-01T00:00:00Z"}, "bad-period"),
        ({"since": "2026-03-01T00:00:00"}, "invalid-request"),
    ]
    for query, problem in questions:
        answer = await doors.get("/openings", doors.staff, **query)
        assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{problem}")
        if "before" not in query and "limit" not in query:
            answer = await doors.get("/openings/export.csv", doors.staff, **query)
            assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{problem}")


async def test_the_last_seven_days_unless_asked_otherwise(doors: Doors):
    door, _ = await doors.station()
    now = datetime.now(UTC)
    old = now - timedelta(days=30)
    recent = now - timedelta(days=6)
    made = await attempts(doors, door, [old, recent])
    assert [row["id"] for row in await openings(doors, doors.staff)] == [made[1]]
    since = (old - timedelta(days=1)).isoformat()
    rows = await openings(doors, doors.staff, since=since)
    assert [row["id"] for row in rows] == made[::-1]
    rows = await openings(doors, doors.staff, since=since, until=recent.isoformat())
    assert [row["id"] for row in rows] == made[:1]


async def test_the_file_opens_in_excel_and_runs_nothing(doors: Doors):
    door, _ = await doors.station('=HYPERLINK("http://x")')
    moments = [datetime(2026, 3, 1, 16, 30, tzinfo=UTC) + timedelta(seconds=n) for n in range(205)]
    made = await attempts(doors, door, moments, reason="@SUM(1)")
    query = {"since": "2026-03-01T16:00:00Z", "until": "2026-03-31T16:00:00Z"}
    answer = await doors.get("/openings/export.csv", doors.staff, **query)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    disposition = answer.headers["content-disposition"]
    assert disposition == 'attachment; filename="openings-20260302-20260331.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0][:3] == ["时间", "门口机", "门"]
    assert [row[-1] for row in rows[1:]] == made[::-1]
    assert rows[-1][:-1] == [
        *("2026-03-02 00:30:00", '\'=HYPERLINK("http://x")', "1", "远程开门", "已开门", "ok"),
        *("1号楼 1单元 0101", "Lin", "", "'@SUM(1)"),
    ]
    english = await doors.get(
        "/openings/export.csv", doors.staff | {"Accept-Language": "en"}, **query, tz="UTC"
    )
    first = english.content.decode("utf-8-sig").splitlines()
    assert first[0].startswith("Time,Station")
    assert first[-1].startswith("2026-03-01 16:30:00,")


async def test_the_file_is_for_staff_and_in_a_known_time_zone(doors: Doors):
    assert (await doors.get("/openings/export.csv", doors.lin)).status_code == 403
    for zone in ("Mars/Olympus", "../../etc/passwd", "/etc/passwd", "", "\0", "x" * 65):
        answer = await doors.get("/openings/export.csv", doors.staff, tz=zone)
        assert answer.status_code == 422, zone


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_what_looks_like_a_formula_is_text(cell: str):
    assert harmless(cell) == f"'{cell}"
    assert harmless(f"a{cell}") == f"a{cell}"
