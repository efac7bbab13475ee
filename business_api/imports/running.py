"""Working through a workbook: a chunk a transaction, from where the last one ended."""

import asyncio
import hashlib
import time
from collections import Counter as Tally
from collections.abc import Hashable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F
from tortoise.transactions import in_transaction

from business_api.authz import decide
from business_api.authz.permissions import Permission
from business_api.imports import cells, parts, reading
from business_api.imports.headers import matched
from business_api.imports.kinds import Batch, Column, Finding, ImportKind, Imports, Outcome, Row
from business_api.imports.models import UNFINISHED, ImportFault, ImportJob, ImportState
from business_api.imports.reading import Sheet, Unreadable
from business_api.imports.uploads import note_end
from foundation import fence
from foundation.runner import Context

log = structlog.get_logger()

ENDED = Counter("imports_ended_total", "Imports, by kind and how they ended.", ["kind", "state"])
ROWS = Counter("import_rows_total", "Rows worked through, by outcome.", ["kind", "outcome"])

MOST_ATTEMPTS: Final = 5
"""Beginnings without a finished chunk between them; then the import has failed."""
_LONGEST_BREATH: Final = 0.1
"""Seconds."""
_TRIES: Final = 3
"""Of a chunk, when somebody else creates the same thing at the same time."""


class Overtaken(Exception):
    """The import was cancelled, or another process works on it: leave it."""


async def run(context: Context, import_id: UUID) -> None:
    """Do an import, or what is left of it. Safe to be run again, at any point."""
    with fence.none():  # what is put up below ends here
        await _run(context, import_id)


async def _run(context: Context, import_id: UUID) -> None:
    job = await ImportJob.get_or_none(id=import_id)
    if job is None or job.state not in UNFINISHED:
        return
    began = await ImportJob.filter(id=job.id, state__in=UNFINISHED).update(
        state=ImportState.RUNNING,
        attempts=F("attempts") + 1,
        started_at=job.started_at or context.clock(),
    )
    if not began:
        return
    if job.attempts >= MOST_ATTEMPTS:
        await _end(context, job, ImportState.FAILED, Unreadable("broken-off"))
        return
    if place := job.community_id or job.company_id or job.operator_id:
        fence.put_up([place])  # whatever a kind does, it does there
    if job.dry_run:
        await _from_the_beginning(job)
    kind = context.need(Imports).kind(job.kind)
    try:
        await _check_sender(context, kind, job)
        async with (
            aclosing(parts.pieces(context, job.id)) as pieces,
            reading.opened(pieces) as sheet,
        ):
            await _Run(context, kind, job).work(sheet)
        await _end(context, job, ImportState.DONE)
    except Unreadable as failure:
        await _end(context, job, ImportState.FAILED, failure)
    except Overtaken:
        log.info("import.run.left", kind=kind.name)


async def _check_sender(context: Context, kind: ImportKind, job: ImportJob) -> None:
    """Refuse to go on for somebody who could not send it now. Three statements.

    Raises:
        Unreadable: the account is disabled, or lost what is needed there.
    """
    grants, now = await context.need(Imports).held_by(job.created_by), context.clock()
    for permission in (Permission.IMPORT_RUN, kind.permission, *kind.also):
        if not decide.decide(grants, permission, job.site, now).allowed:
            raise Unreadable("sender-may-no-more")


async def _from_the_beginning(job: ImportJob) -> None:
    """A dry run that broke off remembers nothing of what it would have made."""
    nothing = {"done": 0, "created": 0, "updated": 0, "unchanged": 0, "refused": 0}
    if not job.done:
        return
    async with in_transaction():
        mine = ImportJob.filter(id=job.id, state=ImportState.RUNNING, done=job.done)
        if await mine.update(**nothing):
            await ImportFault.filter(import_id=job.id).delete()
    await job.refresh_from_db()


async def _end(
    context: Context, job: ImportJob, state: ImportState, failure: Unreadable | None = None
) -> None:
    async with in_transaction():
        ended = await ImportJob.filter(id=job.id, state=ImportState.RUNNING).update(
            state=state,
            finished_at=context.clock(),
            failure=failure.code if failure else "",
            failure_detail=failure.detail if failure else "",
        )
        if not ended:
            return
        await job.refresh_from_db()
        await note_end(context, f"account/{job.created_by}", job)
    ENDED.labels(job.kind, state.value).inc()
    log.info(
        "import.run.ended",
        kind=job.kind,
        state=state.value,
        failure=job.failure,
        done=job.done,
        refused=job.refused,
    )


class _Run:
    """One pass over a workbook: where it is, and what it has seen."""

    def __init__(self, context: Context, kind: ImportKind, job: ImportJob) -> None:
        self._context = context
        self._kind = kind
        self._job = job
        self._done = job.done
        self._seen: dict[bytes, int] = {}
        self._memory: dict[str, Any] = {}

    async def work(self, sheet: Sheet) -> None:
        """Every chunk that is not done yet."""
        columns = matched(sheet.header, self._kind.columns)
        await ImportJob.filter(id=self._job.id).update(total=sheet.total)
        passed = 0
        async with aclosing(sheet.chunks()) as chunks:
            async for lines in chunks:
                # Done rows are read again too: a later one may repeat them.
                findings = [self._read(line, texts, columns) for line, texts in lines]
                new = findings[max(0, self._done - passed) :]
                passed += len(lines)
                if new:
                    began = time.monotonic()
                    await self._do(new)
                    # Doors are opened over the same database: others get as long as we took.
                    await asyncio.sleep(min(time.monotonic() - began, _LONGEST_BREATH))

    def _read(
        self, line: int, texts: Sequence[str], columns: Sequence[Column | None]
    ) -> Row | Finding:
        """A row, or why it cannot be one."""
        row, faults = cells.read_row(line, texts, columns, self._kind.columns)
        if faults:
            return Finding(row, Outcome.REFUSED, faults)
        first = self._seen.setdefault(_mark(self._kind.identity(row.values)), line)
        if first != line:
            return Finding(row, Outcome.REFUSED, (cells.TWICE.at(line=first),))
        return row

    async def _do(self, lines: Sequence[Row | Finding]) -> None:
        """One chunk: all of it, or nothing."""
        refused = [line for line in lines if isinstance(line, Finding)]
        rows = [line for line in lines if isinstance(line, Row)]
        batch = Batch(
            self._context,
            f"account/{self._job.created_by}",
            self._job.site,
            self._job.dry_run,
            rows,
            self._memory,
            import_id=self._job.id,
        )
        if self._kind.prepare is not None and rows:
            batch = replace(batch, prepared=await self._kind.prepare(batch))
        for tries in range(1, _TRIES + 1):
            try:
                tally = await self._commit(batch, refused, len(lines))
                break
            except IntegrityError:
                if tries == _TRIES:
                    raise
        self._done += len(lines)
        for outcome, number in tally.items():
            ROWS.labels(self._kind.name, outcome.value).inc(number)
        if not self._job.dry_run and (tally[Outcome.CREATED] or tally[Outcome.UPDATED]):
            for topic in self._kind.kicks:
                self._context.wake.kick(topic)

    async def _commit(self, batch: Batch, refused: Sequence[Finding], lines: int) -> Tally[Outcome]:
        async with in_transaction():
            # Here, and not before `prepare`: that may take long enough to lose a role.
            await _check_sender(self._context, self._kind, self._job)
            found = await self._kind.check(batch) if batch.rows else ()
            writes = [one for one in found if one.outcome in (Outcome.CREATED, Outcome.UPDATED)]
            if writes and not batch.dry_run:
                await self._kind.apply(batch, writes)
            findings = [*found, *refused]
            tally = Tally(one.outcome for one in findings)
            await self._move(tally, lines)
            now = self._context.clock()
            await ImportFault.bulk_create(
                ImportFault(
                    import_id=self._job.id,
                    line=one.row.line,
                    reasons=[
                        {"column": column, "code": code, "zh": words.zh, "en": words.en}
                        for column, code, words in one.faults
                    ],
                    created_at=now,
                )
                for one in findings
                if one.outcome is Outcome.REFUSED
            )
        return tally

    async def _move(self, tally: Tally[Outcome], lines: int) -> None:
        """Count the chunk, unless the import is not ours any more: then nothing of it stays."""
        mine = ImportJob.filter(id=self._job.id, state=ImportState.RUNNING, done=self._done)
        moved = await mine.update(
            done=F("done") + lines,
            created=F("created") + tally[Outcome.CREATED],
            updated=F("updated") + tally[Outcome.UPDATED],
            unchanged=F("unchanged") + tally[Outcome.UNCHANGED],
            refused=F("refused") + tally[Outcome.REFUSED],
            attempts=0,
        )
        if not moved:
            raise Overtaken


def _mark(identity: Hashable) -> bytes:
    """Short, so that 200,000 of them are no burden."""
    return hashlib.blake2b(repr(identity).encode(), digest_size=16).digest()
