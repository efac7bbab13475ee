"""First passwords that an import made up: kept sealed, handed out once, then forgotten."""

from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import IO, Final
from uuid import UUID

from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.accounts import listing
from business_api.accounts.models import Account, FirstPassword
from business_api.actors import Actor
from business_api.imports import workbooks
from business_api.imports.kinds import Words
from business_api.imports.models import ImportJob
from business_api.language import Language
from foundation.errors import DomainError, Kind
from foundation.runner import Context

KEPT: Final = timedelta(days=7)
"""Then nobody has fetched them: reset a password instead."""

_TITLE: Final = Words("初始密码", "First passwords")
_HEADER: Final = (
    Words("用户名", "Username"),
    Words("姓名", "Name"),
    Words("角色", "Roles"),
    Words("初始密码", "First password"),
)


class NoFirstPasswords(DomainError):
    """They were fetched before, are too old, or somebody else's to fetch."""

    kind, code, title = Kind.CONFLICT, "no-first-passwords", "There are no passwords to fetch"
    title_zh = "没有可下载的初始密码"


async def keep(
    context: Context, import_id: UUID | None, made: Sequence[tuple[Account, str]]
) -> None:
    """Keep what was made up, in the caller's transaction. One statement."""
    now = context.clock()
    await FirstPassword.bulk_create(
        FirstPassword(
            import_id=import_id,
            account_id=account.id,
            sealed=context.keyring.seal(password.encode(), _about(account.id)),
            created_at=now,
        )
        for account, password in made
    )


async def fetch(context: Context, actor: Actor, job: ImportJob, language: Language) -> IO[bytes]:
    """The workbook with the passwords of an import, once: after it they are gone.

    Those that were changed or set anew meanwhile are not among them.

    Raises:
        NoFirstPasswords: there are none, or the actor did not send the import.
    """
    if job.created_by != actor.account_id:
        raise NoFirstPasswords
    async with in_transaction():
        rows = (
            await FirstPassword.filter(import_id=job.id)
            .select_for_update()
            .prefetch_related("account")
        )
        if not rows:
            raise NoFirstPasswords
        await FirstPassword.filter(import_id=job.id).delete()
        about = f"import/{job.id}"
        await auditing.note(
            context, actor, "account.fetch_passwords", about, job.site, count=len(rows)
        )
    held = await listing.roles_of([row.account.id for row in rows], context.clock())
    rows.sort(key=lambda row: row.account.username or "")
    lines = [
        [
            row.account.username or "",
            row.account.name,
            "\n".join(held.get(row.account.id, ())),
            context.keyring.unseal(bytes(row.sealed), _about(row.account.id)).decode(),
        ]
        for row in rows
    ]

    async def chunks() -> AsyncGenerator[Sequence[Sequence[str]]]:
        yield lines

    header = [title.of(language) for title in _HEADER]
    return await workbooks.table(_TITLE.of(language), header, chunks())


def _about(account_id: UUID) -> str:
    return f"first-password/{account_id}"
