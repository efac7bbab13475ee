"""A kind to import that is as small as one can be: zones, by code."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from business_api.authentication import held_by
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType, Site
from business_api.imports import cells
from business_api.imports.kinds import (
    Batch,
    Column,
    Finding,
    ImportKind,
    Imports,
    Outcome,
    Reason,
    Words,
)
from business_api.places.models import Zone
from business_api.tenancy import place
from tests.business_api.conftest import Api, Estate
from tests.support.until import until

HEADER = ("区编号", "区名称")
FORBIDDEN = Reason("forbidden", "不可用", "may not be used")


@dataclass
class Zones:
    """The kind, and a way to disturb it: `before_commit` is awaited in each transaction."""

    before_commit: Any = None
    prepared: list[int] = field(default_factory=list)

    async def check(self, batch: Batch) -> Sequence[Finding]:
        codes = [row.values["code"] for row in batch.rows]
        there = Zone.filter(community_id=batch.site.community_id, code__in=codes)
        known = {zone.code: zone for zone in await there}
        findings = []
        for row in batch.rows:
            zone = known.get(row.values["code"])
            if row.values["name"] == "禁":
                findings.append(Finding(row, Outcome.REFUSED, (FORBIDDEN.at("name"),)))
            elif zone is None:
                findings.append(Finding(row, Outcome.CREATED))
            elif zone.name == row.values["name"]:
                findings.append(Finding(row, Outcome.UNCHANGED))
            else:
                findings.append(Finding(row, Outcome.UPDATED, plan=zone))
        return findings

    async def apply(self, batch: Batch, findings: Sequence[Finding]) -> None:
        if self.before_commit is not None:
            await self.before_commit(batch)
        changed = [one.plan for one in findings if one.outcome is Outcome.UPDATED]
        for one in findings:
            if one.plan is not None:
                one.plan.name = one.row.values["name"]
        if changed:
            await Zone.bulk_update(changed, ["name"])
        await Zone.bulk_create(
            Zone(**one.row.values, **place(batch.site))
            for one in findings
            if one.outcome is Outcome.CREATED
        )

    async def prepare(self, batch: Batch) -> Any:
        self.prepared.append(len(batch.rows))
        return "ready"

    async def options(self, site: Site) -> dict[str, list[str]]:
        zones = Zone.filter(community_id=site.community_id).order_by("code")
        return {"code": [zone.code for zone in await zones]}

    @property
    def kind(self) -> ImportKind:
        return ImportKind(
            name="zones",
            title=Words("区", "Zones"),
            scope=ScopeType.COMMUNITY,
            permission=Permission.PLACE_MANAGE,
            columns=(
                Column("code", Words("区编号", "Zone code"), cells.code, True, example="A"),
                Column("name", Words("区名称", "Zone name"), cells.text(40), True, example="东区"),
            ),
            identity=lambda values: values["code"],
            check=self.check,
            apply=self.apply,
            prepare=self.prepare,
            options=self.options,
        )


@dataclass
class Importing:
    """Uploading as the admin of the park does."""

    api: Api
    park: Estate

    async def upload(self, body: bytes, **query: Any) -> httpx.Response:
        asked = {"kind": "zones", "community_id": str(self.park.id)} | query
        return await self.api.client.post(
            "/v1/imports", params=asked, content=body, headers=self.park.headers
        )

    async def get(self, path: str) -> Any:
        answer = await self.api.client.get(path, headers=self.park.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def done(self, body: bytes, **query: Any) -> dict[str, Any]:
        """Uploaded, and worked through to its end."""
        answer = await self.upload(body, **query)
        assert answer.status_code == 202, answer.text
        path = f"/v1/imports/{answer.json()['id']}"

        async def over() -> Any:
            found = await self.get(path)
            return found if found["state"] not in ("queued", "running") else None

        async with self.api.background():
            found: dict[str, Any] = await until(over, 60)
        return found


@pytest.fixture
async def zones(api: Api) -> Zones:
    kind = Zones()
    api.context.provide(Imports, Imports([kind.kind], held_by))
    return kind


@pytest.fixture
async def importing(api: Api, park: Estate, zones: Zones) -> Importing:
    return Importing(api, park)
