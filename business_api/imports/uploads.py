"""Beginning an import, and ending one early."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.scope import Site
from business_api.imports import parts
from business_api.imports.errors import ImportOver, NoSuchImport, TooManyImports
from business_api.imports.kinds import ImportKind
from business_api.imports.models import (
    UNFINISHED,
    ImportFault,
    ImportJob,
    ImportPart,
    ImportState,
)
from business_api.tenancy import place
from foundation import jobs
from foundation.ids import new_id
from foundation.runner import Context

log = structlog.get_logger()

JOB: Final = "imports.run"
KEPT: Final = timedelta(days=7)
"""How long a workbook and its faults can be had; counts stay."""
UNFINISHED_AT_ONCE: Final = 3
"""Of one kind in one place."""
FILES_KEPT: Final = 20
"""Workbooks of one place; the oldest give way."""
_AT_ONCE: Final = 500


async def start(
    context: Context,
    actor: Actor,
    kind: ImportKind,
    site: Site,
    body: AsyncIterator[bytes],
    *,
    dry_run: bool,
) -> ImportJob:
    """Keep the workbook and want it worked through; the caller has asked for rights.

    Raises:
        TooManyImports: wait for the others.
        NotAWorkbook: it is not one.
    """
    under_way = ImportJob.filter(kind=kind.name, state__in=UNFINISHED, **place(site))
    if await under_way.count() >= UNFINISHED_AT_ONCE:
        raise TooManyImports(retry_after=60)
    import_id = new_id()
    size = await parts.store(context, import_id, body)
    async with in_transaction():
        job = await ImportJob.create(
            id=import_id,
            kind=kind.name,
            dry_run=dry_run,
            size=size,
            created_by=actor.account_id,
            created_at=context.clock(),
            **place(site),
        )
        payload = {"import_id": str(import_id)}
        await jobs.enqueue(JOB, payload, key=str(import_id), clock=context.clock)
    context.wake.kick(jobs.TOPIC)
    log.info("import.upload.stored", kind=kind.name, size=size, dry_run=dry_run)
    await _make_room(site)
    return job


async def _make_room(site: Site) -> None:
    """Delete the workbooks of `site` beyond the newest ones. At most two statements."""
    ended = ImportJob.filter(**place(site)).exclude(state__in=UNFINISHED).order_by("-id")
    old = await ended.offset(FILES_KEPT).limit(_AT_ONCE).values_list("id", flat=True)
    if old:
        await ImportPart.filter(import_id__in=old).delete()


async def find(actor: Actor, import_id: UUID, permission: Permission) -> ImportJob:
    """One import. One statement.

    Raises:
        NoSuchImport: there is none, or none the actor may know of.
        NotAllowed: the actor may not do that with it.
    """
    found = await ImportJob.get_or_none(id=import_id)
    return actor.found(permission, found, NoSuchImport)


async def cancel(context: Context, actor: Actor, job: ImportJob) -> ImportJob:
    """Stop an import; what its finished chunks wrote stays.

    Raises:
        ImportOver: it has ended.
    """
    async with in_transaction():
        cancelled = await ImportJob.filter(id=job.id, state__in=UNFINISHED).update(
            state=ImportState.CANCELLED, finished_at=context.clock()
        )
        if not cancelled:
            raise ImportOver
        await job.refresh_from_db()
        await note_end(context, actor, job)
    return job


async def note_end(context: Context, actor: Actor | str, job: ImportJob) -> None:
    """The one line of an import in the audit chain: what became of it, in numbers."""
    await auditing.note(
        context,
        actor,
        "import.end",
        f"import/{job.id}",
        job.site,
        kind=job.kind,
        dry_run=job.dry_run,
        state=job.state.value,
        failure=job.failure,
        total=job.total,
        done=job.done,
        created=job.created,
        updated=job.updated,
        unchanged=job.unchanged,
        refused=job.refused,
    )


async def forget(context: Context) -> int:
    """Delete old workbooks and faults, in small statements; how many rows."""
    before = context.clock() - KEPT
    deleted = 0
    while gone := await parts.forget(before, _AT_ONCE // 10):
        deleted += gone
    old = ImportFault.filter(Q(created_at__lt=before)).order_by("created_at")
    while ids := await old.limit(_AT_ONCE).values_list("id", flat=True):
        deleted += await ImportFault.filter(id__in=ids).delete()
    return deleted
