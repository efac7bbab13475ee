"""An import from the upload to the workbook of what was refused."""

from datetime import timedelta
from typing import Any

import pytest
from tortoise.exceptions import IntegrityError

from business_api.authz.roles import Role
from business_api.imports import running, uploads
from business_api.imports.models import ImportFault, ImportJob, ImportPart, ImportState
from business_api.imports.reader import CHUNK
from business_api.places.models import Zone
from foundation.models import AuditEvent
from tests.business_api.conftest import Api, Estate
from tests.business_api.imports.conftest import HEADER, Importing, Zones
from tests.business_api.imports.workbooks import read, workbook


def counts(found: dict[str, Any]) -> tuple[int, ...]:
    names = ("total", "done", "created", "updated", "unchanged", "refused")
    return tuple(found[name] for name in names)


async def test_rows_are_made_changed_or_refused(importing: Importing, zones: Zones) -> None:
    rows = [("A", "东区"), ("B", "西区"), ("B", "又一个"), ("!", "x"), (None, "y"), ("C", "禁")]
    found = await importing.done(workbook(HEADER, rows))
    assert found["state"] == "done"
    assert counts(found) == (6, 6, 2, 0, 0, 4)
    assert found["percent"] == 100
    assert {zone.code: zone.name for zone in await Zone.all()} == {"A": "东区", "B": "西区"}
    assert zones.prepared == [3]

    faults = await importing.get(f"/v1/imports/{found['id']}/errors?size=2&page=2")
    assert faults["total"] == 4
    assert faults["items"] == [
        {"line": 6, "codes": ["missing"], "message": "区编号：必填"},
        {"line": 7, "codes": ["forbidden"], "message": "区名称：不可用"},
    ]
    again = await importing.done(workbook(HEADER, [("A", "东区"), ("B", "南区")]))
    assert counts(again) == (2, 2, 0, 1, 1, 0)
    assert (await Zone.get(code="B")).name == "南区"


async def test_the_workbook_of_errors_can_be_put_right_and_sent_again(
    importing: Importing, api: Api, park: Estate
) -> None:
    found = await importing.done(workbook(HEADER, [("A", "东区"), ("B!", "=1+1"), ("C", "禁")]))
    path = f"/v1/imports/{found['id']}/errors.xlsx"
    answer = await api.client.get(path, headers=park.headers)
    assert answer.status_code == 200
    assert read(answer.content) == [
        ["区编号", "区名称", "错误原因"],
        ["B!", "=1+1", "区编号：只能是 1 到 8 位数字或字母"],
        ["C", "禁", "区名称：不可用"],
    ]
    english = await api.client.get(path, headers=park.headers | {"Accept-Language": "en"})
    assert read(english.content)[2][2] == "Zone name: may not be used"

    rows = read(answer.content)
    rows[1][0], rows[2][1] = "B", "南区"
    again = await importing.done(workbook(rows[0], rows[1:]))
    assert counts(again) == (2, 2, 2, 0, 0, 0)
    assert (await Zone.get(code="B")).name == "=1+1"  # text stays text
    none = await api.client.get(f"/v1/imports/{again['id']}/errors.xlsx", headers=park.headers)
    assert none.json()["type"] == "/problems/no-error-workbook"


async def test_a_dry_run_writes_nothing(importing: Importing) -> None:
    found = await importing.done(workbook(HEADER, [("A", "东区"), ("A", "x")]), dry_run=True)
    assert found["dry_run"] is True
    assert counts(found) == (2, 2, 1, 0, 0, 1)
    assert await Zone.all().count() == 0


async def test_one_line_in_the_audit_chain(importing: Importing, park: Estate) -> None:
    found = await importing.done(workbook(HEADER, [("A", "东区"), ("B", "禁")]))
    lines = await AuditEvent.filter(object=f"import/{found['id']}")
    assert [(line.action, line.actor) for line in lines] == [
        ("import.end", f"account/{park.admin.id}")
    ]
    facts = lines[0].facts
    assert (facts["state"], facts["created"], facts["refused"]) == ("done", 1, 1)
    assert lines[0].community_id == park.id


@pytest.mark.parametrize(
    ("header", "failure", "text"),
    [
        (("区编号", "区名称", "备注", "x"), "columns-unknown", "有无法识别的列（C, D）"),
        (("区编号",), "columns-missing", "缺少必填的列（区名称）"),
        (("区编号", "Zone code", "区名称"), "columns-twice", "有重复的列（区编号）"),
        ((), "no-header", "第一个工作表没有表头"),
    ],
)
async def test_headers_that_are_none(
    importing: Importing, header: tuple[str, ...], failure: str, text: str
) -> None:
    rows = [("A", "东区", "", "")] if header else []
    found = await importing.done(workbook(header, rows))
    assert (found["state"], found["failure"]) == ("failed", failure)
    assert found["failure_text"] == text
    assert await Zone.all().count() == 0


async def test_titles_are_taken_as_people_write_them(importing: Importing) -> None:
    found = await importing.done(workbook(("zone NAME *", " 区编号*"), [("东区", 7.0)]))
    assert found["state"] == "done", found
    assert [(zone.code, zone.name) for zone in await Zone.all()] == [("7", "东区")]


async def test_a_crash_in_the_middle_converges(
    importing: Importing, zones: Zones, api: Api
) -> None:
    rows = [(f"Z{number}", f"{number}区") for number in range(1200)] + [("Z3", "again")]
    answer = await importing.upload(workbook(HEADER, rows))
    job = await ImportJob.get(id=answer.json()["id"])
    chunks = 0

    class Killed(BaseException):
        """The process ends here."""

    async def kill(_: object) -> None:
        nonlocal chunks
        chunks += 1
        if chunks == 2:
            raise Killed

    zones.before_commit = kill
    with pytest.raises(Killed):
        await running.run(api.context, job.id)
    await job.refresh_from_db()
    assert (job.state, job.done, job.created) == (ImportState.RUNNING, CHUNK, CHUNK)
    assert await Zone.all().count() == CHUNK

    await running.run(api.context, job.id)
    await job.refresh_from_db()
    assert (job.state, job.done, job.created, job.refused) == (ImportState.DONE, 1201, 1200, 1)
    assert await Zone.all().count() == 1200
    assert [fault.line for fault in await ImportFault.all()] == [1202]
    await running.run(api.context, job.id)  # a job that is repeated after its end
    assert await Zone.all().count() == 1200


async def test_who_was_overtaken_leaves_nothing(
    importing: Importing, zones: Zones, api: Api
) -> None:
    answer = await importing.upload(workbook(HEADER, [("A", "东区")]))
    job = await ImportJob.get(id=answer.json()["id"])

    async def overtake(_: object) -> None:
        await ImportJob.filter(id=job.id).update(done=1)

    zones.before_commit = overtake
    await running.run(api.context, job.id)
    assert await Zone.all().count() == 0  # with the row of the one that overtook


async def test_one_that_breaks_off_again_and_again_fails(
    importing: Importing, zones: Zones, api: Api
) -> None:
    answer = await importing.upload(workbook(HEADER, [("A", "东区")]))
    job = await ImportJob.get(id=answer.json()["id"])

    async def broken(_: object) -> None:
        raise IntegrityError

    zones.before_commit = broken
    for _ in range(running.MOST_ATTEMPTS):
        with pytest.raises(IntegrityError):
            await running.run(api.context, job.id)
    await running.run(api.context, job.id)
    await job.refresh_from_db()
    assert (job.state, job.failure) == (ImportState.FAILED, "broken-off")


async def test_cancelling(importing: Importing, zones: Zones, api: Api, park: Estate) -> None:
    rows = [(f"Z{number}", f"{number}区") for number in range(800)]
    answer = await importing.upload(workbook(HEADER, rows))
    path = f"/v1/imports/{answer.json()['id']}"
    job = await ImportJob.get(id=answer.json()["id"])
    cancelled: list[int] = []

    async def cancel(batch: Any) -> None:
        if batch.rows[0].line > CHUNK + 1:
            # As another process would between two chunks; here it is the same transaction.
            await ImportJob.filter(id=job.id).update(state=ImportState.CANCELLED)
            cancelled.append(1)

    zones.before_commit = cancel
    await running.run(api.context, job.id)
    assert cancelled
    assert await Zone.all().count() == CHUNK
    zones.before_commit = None

    await ImportJob.filter(id=job.id).update(state=ImportState.QUEUED)
    stopped = await api.client.post(f"{path}/cancel", headers=park.headers)
    assert (stopped.status_code, stopped.json()["state"]) == (200, "cancelled")
    twice = await api.client.post(f"{path}/cancel", headers=park.headers)
    assert twice.json()["type"] == "/problems/import-over"
    await running.run(api.context, job.id)
    assert await Zone.all().count() == CHUNK
    assert await AuditEvent.filter(action="import.end").count() == 1


async def test_the_template_offers_what_is_there(
    importing: Importing, api: Api, park: Estate
) -> None:
    await importing.done(workbook(HEADER, [("A", "东区"), ("B", "西区")]))
    path = f"/v1/import-templates/zones.xlsx?community_id={park.id}"
    answer = await api.client.get(path, headers=park.headers)
    assert answer.status_code == 200
    assert read(answer.content, 0) == [["区编号*", "区名称*"]]
    assert read(answer.content, 1) == [["区编号*", "区名称*"], ["A", "东区"]]
    assert read(answer.content, 3) == [["区编号*"], ["A"], ["B"]]
    english = await api.client.get(path, headers=park.headers | {"Accept-Language": "en"})
    assert read(english.content, 0) == [["Zone code*", "Zone name*"]]
    empty = await importing.done(answer.content)
    assert (empty["state"], empty["total"]) == ("done", 0)


async def test_what_must_not_be_uploaded(importing: Importing, park: Estate, api: Api) -> None:
    async def problem(body: bytes, **query: Any) -> str:
        return str((await importing.upload(body, **query)).json()["type"])

    good = workbook(HEADER, [("A", "东区")])
    assert await problem(b"") == "/problems/not-a-workbook"
    assert await problem(b"a,b\n1,2\n") == "/problems/not-a-workbook"
    assert await problem(good, kind="cars") == "/problems/no-such-import-kind"
    assert await problem(good, community_id="") == "/problems/invalid-request"
    assert await problem(good, community_id=str(park.company.id)) == "/problems/no-such-community"
    headers = park.headers | {"Content-Length": str(21 * 1024 * 1024)}
    path = f"/v1/imports?kind=zones&community_id={park.id}"
    large = await api.client.post(path, content=good, headers=headers)
    assert large.status_code == 413
    assert await ImportPart.all().count() == 0

    for _ in range(uploads.UNFINISHED_AT_ONCE):
        assert (await importing.upload(good)).status_code == 202
    assert await problem(good) == "/problems/too-many-imports"


async def test_others_do_not_see_it(
    importing: Importing, api: Api, park: Estate, sibling: Estate, elsewhere: Estate
) -> None:
    found = await importing.done(workbook(HEADER, [("A", "东区"), ("B", "禁")]))
    path = f"/v1/imports/{found['id']}"
    for estate in (sibling, elsewhere):
        for end in ("", "/errors", "/errors.xlsx"):
            answer = await api.client.get(path + end, headers=estate.headers)
            assert answer.status_code == 404
        assert (await api.client.post(f"{path}/cancel", headers=estate.headers)).status_code == 404
        listed = await api.client.get("/v1/imports", headers=estate.headers)
        assert listed.json()["total"] == 0
        upload = f"/v1/imports?kind=zones&community_id={park.id}"
        sent = await api.client.post(upload, content=b"PK", headers=estate.headers)
        assert sent.json()["type"] == "/problems/no-such-community"
    assert (await importing.get("/v1/imports?state=done"))["total"] == 1
    assert (await importing.get("/v1/imports?state=failed"))["total"] == 0

    # The company sees how it went; what stood in the rows is the community's.
    await api.account("company", Role.PROPERTY_ADMIN, park.company.site)
    company = await api.headers("company")
    assert (await api.client.get(path, headers=company)).status_code == 200
    assert (await api.client.get(f"{path}/errors.xlsx", headers=company)).status_code == 403


async def test_workbooks_are_sealed_and_forgotten(
    importing: Importing, api: Api, park: Estate
) -> None:
    body = workbook(HEADER, [("A", "东区"), ("B", "禁")])
    found = await importing.done(body)
    assert all(body[:40] not in bytes(part.sealed) for part in await ImportPart.all())
    assert await uploads.forget(api.context) == 0
    api.time.ahead = uploads.KEPT + timedelta(minutes=1)
    assert await uploads.forget(api.context) == 2
    headers = await api.headers("admin")
    gone = await api.client.get(f"/v1/imports/{found['id']}/errors.xlsx", headers=headers)
    assert gone.json()["type"] == "/problems/no-error-workbook"
    assert (await api.client.get(f"/v1/imports/{found['id']}", headers=headers)).status_code == 200
