"""First passwords that an import made up: kept sealed, handed out once, then forgotten."""

from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import IO, Final
from uuid import UUID

from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.accounts import listing, management
from business_api.accounts.models import Account, FirstPassword
from business_api.actors import Actor
from business_api.authz.permissions import Permission
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

    Those that were changed or set anew meanwhile are not among them, nor those of accounts
    that the actor may not manage now: for these it could not set a password either.

    Raises:
        NoFirstPasswords: there are none, or the actor did not send the import.
    """
    if job.created_by != actor.account_id:
        raise NoFirstPasswords
    async with in_transaction():
        kept = FirstPassword.filter(import_id=job.id)
        # The accounts first: whoever gives a role or sets a password locks in this order.
        ids = await kept.values_list("account_id", flat=True)
        accounts = await Account.filter(id__in=ids).select_for_update().order_by("id")
        theirs = await _managed(actor, accounts)
        rows = await kept.filter(account_id__in=list(theirs)).select_for_update()
        if not rows:
            raise NoFirstPasswords
        await FirstPassword.filter(id__in=[row.id for row in rows]).delete()
        about = f"import/{job.id}"
        await auditing.note(
            context, actor, "account.fetch_passwords", about, job.site, count=len(rows)
        )
    shown = await listing.roles_of(
        [
            grant
            for held in theirs.values()
            for grant in held.grants
            if actor.may(Permission.ACCOUNT_VIEW, grant.site)
        ],
        context.clock(),
    )
    sealed = {row.account_id: bytes(row.sealed) for row in rows}  # type: ignore[attr-defined]
    lines = [
        [
            account.username or "",
            account.name,
            "\n".join(shown.get(account.id, ())),
            context.keyring.unseal(sealed[account.id], _about(account.id)).decode(),
        ]
        for account in sorted(accounts, key=lambda account: account.username or "")
        if account.id in sealed
    ]

    async def chunks() -> AsyncGenerator[Sequence[Sequence[str]]]:
        yield lines

    header = [title.of(language) for title in _HEADER]
    return await workbooks.table(_TITLE.of(language), header, chunks())


async def _managed(actor: Actor, accounts: Sequence[Account]) -> dict[UUID, management.Held]:
    """Those of the accounts that the actor may manage now, by id."""
    grants = await management.grants_of([account.id for account in accounts])
    residents = await management.residents_among([account.id for account in accounts])
    every = [management.Held(account, tuple(grants[account.id])) for account in accounts]
    return {
        held.account.id: held
        for held in every
        if management.why_not(actor, held, residents) is None
    }


def _about(account_id: UUID) -> str:
    return f"first-password/{account_id}"
