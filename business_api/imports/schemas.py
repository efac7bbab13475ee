"""Imports, as the API shows them."""

from datetime import datetime
from uuid import UUID

from business_api.authz.scope import ScopeType
from business_api.imports.failures import FAILURES
from business_api.imports.models import ImportJob, ImportState
from business_api.language import Language
from business_api.schemas import Out


class ImportOut(Out):
    """An import and how far it is. `total` is null until the workbook has been opened."""

    id: UUID
    kind: str
    state: ImportState
    dry_run: bool
    operator_id: UUID | None
    company_id: UUID | None
    community_id: UUID | None
    size: int
    total: int | None
    done: int
    percent: int
    created: int
    updated: int
    unchanged: int
    refused: int
    failure: str
    """A code; empty unless it failed as a whole."""
    failure_text: str
    created_by: UUID
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ImportErrorOut(Out):
    """A refused row: its number in the sheet, and the reasons in words."""

    line: int
    codes: list[str]
    message: str


class ImportKindOut(Out):
    """Something that can be imported, and the level it is imported at."""

    kind: str
    title: str
    scope: ScopeType


def import_out(job: ImportJob, language: Language) -> ImportOut:
    """`job` for somebody who reads `language`."""
    failure = FAILURES.get(job.failure)
    detail = f"（{job.failure_detail}）" if language == "zh" else f" ({job.failure_detail})"
    text = failure.of(language) + (detail if job.failure_detail else "") if failure else ""
    over = job.state is ImportState.DONE
    return ImportOut(
        **{
            name: getattr(job, name)
            for name in ImportOut.model_fields
            if name not in ("percent", "failure_text")
        },
        percent=100 if over else 100 * job.done // job.total if job.total else 0,
        failure_text=text,
    )
