"""Houses from Excel: how long, how much memory, and how the API answers meanwhile."""

import asyncio
import io
import time
from dataclasses import dataclass
from typing import Any, Final

import httpx
import psutil
import xlsxwriter

from benchmarks import seed
from benchmarks.process import Died, cpu_seconds
from benchmarks.report import Row
from benchmarks.targets import Target, running
from business_api.accounts.models import Account, RoleGrant
from business_api.accounts.passwords import hash_password
from business_api.authz.roles import Role
from business_api.authz.scope import ScopeType
from business_api.organisations.models import Community
from business_api.tenancy import place
from foundation import db
from foundation.clock import utc_now

BAD: Final = 100
"""Every so manieth row is none."""
PATIENCE: Final = 600.0
"""Seconds for one import."""
_HEADER: Final = (
    *("楼栋编号", "楼栋名称", "单元", "房屋编号", "房号", "楼层", "房屋等级", "面积", "状态"),
)
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(slots=True)
class Done:
    """One import: its last answer, and what was seen from outside meanwhile."""

    job: dict[str, Any]
    seconds: float
    cpu: float
    growth: int
    answers: list[float]


async def houses(name: str, quick: bool) -> list[Row]:
    """Import the houses of some 40 buildings, 1 % of the rows bad, and again."""
    number = 2000 if quick else 20_000
    scenario = f"import of {number:,} houses from Excel"
    body = workbook(number)
    async with running(name, 0) as target, db.opened(target.settings.database):
        community_id = await _admin()
        url = f"http://127.0.0.1:{target.http_port}"
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            form = {"username": "importer", "password": seed.PASSWORD}
            token = (await client.post("/v1/auth/login", json=form)).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            first = await _imported(client, target, body, community_id)
            again = await _imported(client, target, body, community_id)
    bad = number // BAD
    if (first.job["created"], first.job["refused"]) != (number - bad, bad):
        raise Died(f"not what was asked for: {first.job}")
    if (again.job["created"], again.job["unchanged"]) != (0, number - bad):
        raise Died(f"not the same again: {again.job}")
    return [
        Row(scenario, "houses made", first.job["created"], "", number),
        Row(scenario, "rows refused with a reason", first.job["refused"], "", number),
        Row(scenario, "time, upload included", first.seconds, "s", number),
        Row(scenario, "rows", number / first.seconds, "1/s", number),
        Row(scenario, "CPU a row", first.cpu / number * 1e6, "us", number),
        Row(scenario, "memory above rest, at most", first.growth / 2**20, "MiB", number),
        Row.of(scenario, "an answer of the API meanwhile", "ms", first.answers),
        Row(scenario, "houses made by the same file again", again.job["created"], "", number),
        Row(scenario, "time, again", again.seconds, "s", number),
    ]


def workbook(number: int) -> bytes:
    """Buildings of 6 units, 20 floors and 4 rooms a floor; every `BAD`th area is no number."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, _HEADER)
    for at in range(number):
        building, rest = divmod(at, 480)
        unit, rest = divmod(rest, 80)
        floor, room = divmod(rest, 4)
        code = f"{floor + 1:02}{room + 1:02}"
        area = "八十" if at % BAD == 0 else f"{80 + room}.50"
        place_ = (f"{building + 1:03}", f"{building + 1}栋", f"{unit + 1}")
        sheet.write_row(at + 1, 0, (*place_, code, code, floor + 1, "高层", area, "空置"))
    book.close()
    return file.getvalue()


async def _admin() -> str:
    """Somebody who may import into the community that was seeded; its id."""
    community = await Community.all().get()
    account = await Account.create(
        username="importer",
        password_hash=await hash_password(seed.PASSWORD),
        name="importer",
        created_at=utc_now(),
    )
    await RoleGrant.create(
        account=account,
        role=Role.COMMUNITY_ADMIN,
        scope_type=ScopeType.COMMUNITY,
        scope_id=community.id,
        created_at=utc_now(),
        **place(community.site),
    )
    return str(community.id)


async def _imported(
    client: httpx.AsyncClient, target: Target, body: bytes, community_id: str
) -> Done:
    """Upload and ask until it is over, weighing the platform and its reader every 50 ms."""
    (pid,) = target.pids
    rest, cpu, began = _weight(pid), cpu_seconds([pid]), time.perf_counter()
    asked = {"kind": "houses", "community_id": community_id}
    headers = {"Content-Type": _XLSX}
    sent = await client.post("/v1/imports", params=asked, content=body, headers=headers)
    if sent.status_code != httpx.codes.ACCEPTED:
        raise Died(f"not taken: {sent.text}")
    job: dict[str, Any] = sent.json()
    most, answers = rest, list[float]()
    while job["state"] in ("queued", "running"):
        if time.perf_counter() - began > PATIENCE:
            raise Died(f"not done within {PATIENCE} s: {job}")
        await asyncio.sleep(0.05)
        asked_at = time.perf_counter()
        job = (await client.get(f"/v1/imports/{job['id']}")).json()
        answers.append((time.perf_counter() - asked_at) * 1000)
        most = max(most, _weight(pid))
    seconds = time.perf_counter() - began
    return Done(job, seconds, cpu_seconds([pid]) - cpu, most - rest, answers)


def _weight(pid: int) -> int:
    """Resident bytes of a process and its children."""
    whole = psutil.Process(pid)
    total = int(whole.memory_info().rss)
    for child in whole.children(recursive=True):
        try:
            total += int(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return total
