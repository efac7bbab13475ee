"""Numbers of people are nowhere in clear: files, dumps, logs, metrics, the audit, exports.

Canary numbers go through every function that takes one, as people use them and as people
misuse them. Then everything the platform has left behind is searched for them, in clear,
in hex and in base64. After an erasure the key is gone, and what it sealed is noise.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from business_api import vault
from business_api.authz.roles import Role
from business_api.imports import running
from business_api.imports.models import ImportJob
from business_api.people.consent_texts import TEXTS, Purpose
from business_api.people.models import Person
from business_api.residents.models import Occupancy
from business_api.sms import local
from foundation import db
from foundation.models import AuditEvent, Job
from foundation.security import BadKey
from tests.business_api.conftest import Api, Estate, api, bearer, park
from tests.business_api.imports.workbooks import workbook
from tests.business_api.matrix.test_matrix import ENDLESS, operations
from tests.support import postgres
from tests.support.canaries import Canaries, id_number
from tests.support.until import until

__all__ = ["api", "park"]

PHONES: Final = [f"1391234{number:04}" for number in range(5601, 5613)]
IDS: Final = [id_number(f"4401061988032{number:04}") for number in range(3101, 3107)]
LANDLINES: Final = ["62346781", "62346782"]
CANARIES: Final = Canaries((*PHONES, *IDS, *LANDLINES))

OWN_WORDS: Final = {("importErrorWorkbook", "admin"), ("listHandOvers", "admin")}
"""What gives back to those who may see it what one of them has typed."""

_AGREED: Final = {"purpose": "id_number", "version": TEXTS[Purpose.ID_NUMBER].version}


class Desk:
    """Somebody at work, with a new Idempotency-Key for each thing it does."""

    def __init__(self, api: Api, headers: dict[str, str]) -> None:
        self.api, self.headers, self.done = api, headers, 0

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        self.done += 1
        headers = self.headers | {"Idempotency-Key": f"{id(self)}-{self.done}"}
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        headers |= more.pop("headers", {})
        return await self.api.client.request(method, f"/v1{path}", headers=headers, **sent, **more)


def document(number: int) -> dict[str, Any]:
    return {"id_type": "resident_id", "id_number": IDS[number], "consents": [_AGREED]}


async def staff_at_work(desk: Desk, park: Estate) -> dict[str, Any]:
    """Everything that takes a number, as it is meant."""
    person = {"name": "金丝雀", "phone": PHONES[0], **document(0)}
    body = {"person": person, "type": "owner", "landline": f"020-{LANDLINES[0]}"}
    home = await desk.ask("POST", f"/houses/{park.flat.id}/residents", body)
    assert home.status_code == 201, home.text
    shown: dict[str, Any] = home.json()
    path = f"/persons/{shown['person_id']}"
    change = {"phone": PHONES[1], **document(1)}
    answer = await desk.ask("PATCH", path, change, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    answer = await desk.ask(
        "PATCH",
        f"/occupancies/{shown['id']}",
        {"landline": f"020-{LANDLINES[1]}"},
        headers={"If-Match": '"1"'},
    )
    assert answer.status_code == 200, answer.text
    for asked in ({"phone": PHONES[1]}, {"id_type": "resident_id", "id_number": IDS[1]}):
        found = await desk.ask("POST", "/residents/search", {"community_id": str(park.id), **asked})
        assert found.json()["total"] == 1
    reason = f"回电 {PHONES[2]}，证件 {IDS[2]}"
    for field, value in (("phone", f"+86{PHONES[1]}"), ("id_number", IDS[1])):
        clear = await desk.ask("POST", f"{path}/reveal", {"field": field, "reason": reason})
        assert clear.json() == {"value": value}
    await desk.ask("POST", f"/occupancies/{shown['id']}/reveal", {"reason": reason})
    return shown


async def staff_by_mistake(desk: Desk, park: Estate) -> None:
    """Numbers where they do not belong; every answer is a refusal, or finds nothing."""
    path = f"/houses/{park.flat.id}/residents"
    wrong: list[Any] = [
        {"person": {"name": "x", "phoneNumber": PHONES[3]}, "type": "owner"},
        {"person": {"name": "x", "phone": f"{PHONES[3]}0000"}, "type": "owner"},
        {"person": {"name": "x", "phone": PHONES[3], "id_number": IDS[3]}, "type": PHONES[3]},
        {"person": {"name": "x", "id_type": "passport", "id_number": f"{IDS[3]}--"}},
        {"person_id": PHONES[3], "type": "owner"},
        f'{{"person": "{PHONES[3]}", {IDS[3]}'.encode(),
    ]
    texts = []
    for body in wrong:
        answer = await desk.ask("POST", path, body)
        assert answer.status_code in (400, 422), answer.text
        texts.append(("refusal", answer.content))
    for where in ("/residents", "/houses", "/audit-events"):
        answer = await desk.ask("GET", where, params={"search": PHONES[3], "q": IDS[3]})
        texts.append((where, answer.content))
    assert CANARIES.found(texts) == []


async def workbooks(desk: Desk, api: Api, park: Estate) -> list[str]:
    """Every import that takes a number, with rows that are good and bad."""
    house = ("楼栋编号", "单元", "房屋编号")
    agreed = ("证件类型", "证件号码", "同意登记证件")
    made = []
    for kind, header, rows in (
        (
            "houses",
            (*house, "业主姓名", "联系电话", *agreed),
            [
                ("01", "1", "0201", "导入甲", PHONES[4], "居民身份证", IDS[4], "是"),
                ("01", "1", "0202", "导入乙", f"{PHONES[5]}99", "居民身份证", IDS[4], "是"),
                ("01", "1", "0203", "导入丙", PHONES[5], "居民身份证", f"{IDS[5]}1", "是"),
            ],
        ),
        (
            "residents",
            (*house, "姓名", "住户类型", "联系电话", *agreed),
            [
                ("01", "1", "0201", "导入丁", "租客", PHONES[10], "居民身份证", IDS[4], "是"),
                ("01", "1", "0299", "导入戊", "租客", PHONES[11], "居民身份证", IDS[4], "是"),
                ("01", "1", "0201", "导入己", "租客", PHONES[11], IDS[4], IDS[4], IDS[4]),
            ],
        ),
    ):
        path = f"/imports?kind={kind}&community_id={park.id}"
        answer = await desk.ask("POST", path, workbook(header, rows))
        assert answer.status_code == 202, answer.text
        job = await ImportJob.get(id=answer.json()["id"])
        await running.run(api.context, job.id)
        await job.refresh_from_db()
        assert (job.created, job.refused) == (1, 2), job.failure_detail
        made.append(str(job.id))
    return made


async def a_resident(api: Api, desk: Desk, park: Estate) -> str:
    """Somebody registers, applies, and is let in."""
    phone = {"phone": PHONES[6], "purpose": "register"}
    assert (await api.client.post("/v1/auth/codes", json=phone)).status_code < 300
    (sent, *_) = await local.latest(api.context)
    code = re.findall(r"\d{6}", sent.text)[0]
    body = {"phone": PHONES[6], "code": code, "name": "自己", "password": "correct horse b"}
    answer = await api.client.post("/v1/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    mine = Desk(api, bearer(answer.json()["access_token"]))
    application = {"house_id": str(park.home.id), "type": "owner", "name": "自己", **document(5)}
    applied = await mine.ask("POST", "/me/certifications", application)
    assert applied.status_code == 201, applied.text
    id_ = str(applied.json()["id"])
    approved = await desk.ask("POST", f"/certifications/{id_}/approve", {})
    assert approved.status_code < 300, approved.text
    wrong = {"username": PHONES[6], "password": PHONES[7]}
    assert (await api.client.post("/v1/auth/login", json=wrong)).status_code == 401
    return id_


def dump(api: Api, tmp_path: Path) -> list[tuple[str, bytes]]:
    """What is on the disk: every file of ours, and the database as a backup has it."""
    files = [(path.name, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()]
    if db.is_postgres():
        found = postgres.binaries()
        assert found
        url = api.context.settings.database.url.get_secret_value()
        above = url.replace("application:application@", "linli:linli@")  # above every fence
        made = subprocess.run([found / "pg_dump", above], capture_output=True, check=True)
        files.append(("pg_dump", made.stdout))
    else:
        assert {"linli.sqlite3", "linli.sqlite3-wal"} <= {name for name, _ in files}
    return files


async def exports(api: Api, park: Estate, ids: dict[str, str]) -> list[tuple[str, bytes]]:
    """Whatever can be read or exported, by everybody, staff who may reveal among them.

    But for `OWN_WORDS`.
    """
    people = {"admin": park.headers}
    for role, site in (
        (Role.PROPERTY_ADMIN, park.company.site),
        (Role.HOUSE_REVIEWER, park.site),
        (Role.CASHIER, park.site),
    ):
        await api.account(role.value, role, site)
        people[role.value] = await api.headers(role.value)
    await api.resident("neighbour", park.flat)
    people["neighbour"] = await api.headers("neighbour")
    answers = []
    for operation in operations(api.app.openapi()):
        known = set(operation.params) <= set(ids)
        if operation.method != "GET" or not known or operation.id in ENDLESS:
            continue
        path = operation.path.format(**ids)
        query = {"community_id": str(park.id), "size": "100"}
        for who, headers in people.items():
            if (operation.id, who) in OWN_WORDS:
                continue
            answer = await api.client.get(path, params=query, headers=headers)
            answers.append((f"{operation.id} by {who}: {answer.status_code}", answer.content))
    assert len(answers) > 100
    return answers


async def test_no_number_is_anywhere_in_clear(
    api: Api, park: Estate, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(api, park.headers)
    home = await staff_at_work(desk, park)
    await staff_by_mistake(desk, park)
    imports = await workbooks(desk, api, park)
    certification = await a_resident(api, desk, park)
    notes = {"remarks": f"新号码 {PHONES[8]}", "meter_notes": IDS[3], "keys": PHONES[9]}
    out = await desk.ask("POST", f"/houses/{park.home.id}/move-out", notes)
    assert out.status_code == 201, out.text
    async with api.background():
        await until(_idle)

    ids = {
        "person_id": home["person_id"],
        "occupancy_id": home["id"],
        "house_id": str(park.flat.id),
        "community_id": str(park.id),
        "import_id": imports[0],
        "certification_id": certification,
        "company_id": str(park.company.id),
        "building_id": str(park.tower.id),
    }
    places = await exports(api, park, ids)
    places += dump(api, tmp_path)
    places.append(("metrics", (await api.client.get("/metrics")).content))
    lines = await AuditEvent.all()
    assert {"person.reveal", "person.change", "resident.move_in"} <= {one.action for one in lines}
    places += [(f"audit {line.action}", str(line.facts).encode()) for line in lines]
    logs = capfd.readouterr()
    places.append(("logs", (logs.out + logs.err).encode()))
    assert b"http.request.served" in places[-1][1]
    leaks = CANARIES.found(places)
    assert leaks == [], "\n".join(leaks)


async def test_after_an_erasure_nothing_can_be_read(api: Api, park: Estate, tmp_path: Path) -> None:
    desk = Desk(api, park.headers)
    home = await staff_at_work(desk, park)
    person = await Person.get(id=home["person_id"])
    landline = (await Occupancy.get(id=home["id"])).landline_sealed
    key, keyring = person.data_key, api.context.keyring
    assert key is not None
    sealed = {
        "phone": person.phone_sealed,
        "id_number": person.id_number_sealed,
        f"landline/{home['id']}": landline,
    }
    for field, text in sealed.items():
        assert text is not None
        assert vault.unseal(keyring, person.id, key, field, text)
    assert any(_holds(content, key) for _, content in dump(api, tmp_path))

    assert (await desk.ask("POST", f"/occupancies/{home['id']}/end")).status_code == 204
    assert (await desk.ask("POST", f"/persons/{person.id}/erase")).status_code == 204
    async with api.background():
        await until(_idle)
    left = dump(api, tmp_path)
    for secret in (key, *filter(None, sealed.values())):
        assert [name for name, content in left if _holds(content, secret)] == []
    after = await Person.get(id=person.id)
    assert after.data_key is None
    for field, text in sealed.items():
        assert text is not None
        with pytest.raises(BadKey):  # a new key for the same subject opens nothing old
            vault.unseal(keyring, person.id, vault.new_key(keyring, person.id), field, text)
    found = await desk.ask(
        "POST", "/residents/search", {"community_id": str(park.id), "phone": PHONES[1]}
    )
    assert found.json()["total"] == 0


def test_the_search_finds_what_is_there() -> None:
    """Else it would be easy to pass."""
    phone = PHONES[0]
    for content in _disguised(phone):
        assert CANARIES.found([("x", content)]), content
    assert CANARIES.found([("x", workbook(("a",), [(phone,)]))])
    assert not CANARIES.found([("x", b"13912340000")])


def _disguised(text: str) -> Iterator[bytes]:
    import base64

    for before in ("", "a", "ab", "abc", "+86"):
        whole = f"{before}{text} and more".encode()
        yield whole
        yield whole.hex().encode()
        yield base64.b64encode(whole)


def _holds(content: bytes, secret: bytes) -> bool:
    return bytes(secret) in content or bytes(secret).hex().encode() in content


async def _idle() -> bool:
    return not await Job.filter(done_at=None, failed_at=None).exists()
