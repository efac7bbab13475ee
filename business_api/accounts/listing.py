"""Accounts of staff as whoever may see them sees them (F2 查看账号)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tortoise.expressions import Q, Subquery

from business_api.accounts import management, private, scopes
from business_api.accounts.models import Account, RoleGrant
from business_api.accounts.staff_schemas import GrantOut, StaffOut
from business_api.actors import Actor
from business_api.authz import decide
from business_api.authz.permissions import Permission
from business_api.authz.roles import Role
from foundation.runner import Context


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which accounts; None and empty: all."""

    search: str = ""
    role: Role | None = None
    disabled: bool | None = None
    operator_id: UUID | None = None
    company_id: UUID | None = None
    community_id: UUID | None = None


async def listed(
    context: Context, actor: Actor, wanted: Wanted, *, offset: int, limit: int
) -> tuple[list[StaffOut], int]:
    """The accounts with a role within the actor's reach, by name; and how many.

    Five statements, and one for each level at which they hold roles (`scopes.names_of`).
    """
    held = RoleGrant.filter(actor.within(Permission.ACCOUNT_VIEW, RoleGrant.SCOPES))
    if wanted.role is not None:
        # Who may be asked to do that work: a role that is over is no answer.
        held = held.filter(Q(valid_to=None) | Q(valid_to__gt=actor.now), role=wanted.role)
    for level in ("operator_id", "company_id", "community_id"):
        if (scope_id := getattr(wanted, level)) is not None:
            held = held.filter(**{level: scope_id})
    found = Account.filter(id__in=Subquery(held.values("account_id")), deleted_at=None)
    if wanted.search:
        found = found.filter(
            Q(name__icontains=wanted.search) | Q(username__icontains=wanted.search)
        )
    if wanted.disabled is not None:
        found = found.filter(disabled_at__isnull=not wanted.disabled)
    accounts = await found.order_by("name", "id").offset(offset).limit(limit)
    return await rows(context, actor, accounts), await found.count()


async def one(context: Context, actor: Actor, account_id: UUID) -> StaffOut:
    """One account.

    Raises:
        NoSuchAccount: there is none, or none the actor may know of.
    """
    held = await management.seen(actor, account_id)
    return (await rows(context, actor, [held.account]))[0]


async def grant(actor: Actor, row: RoleGrant) -> GrantOut:
    """One role that somebody holds. One statement."""
    return _grant(actor, row, await scopes.names_of([(row.scope_type, row.scope_id)]))


async def roles_of(held: Iterable[RoleGrant], now: datetime) -> dict[UUID, list[str]]:
    """Those roles that are held now, in words, by account."""
    live = sorted((row for row in held if row.grant.live(now)), key=lambda row: row.role)
    called = await scopes.names_of({(row.scope_type, row.scope_id) for row in live})
    words: defaultdict[UUID, list[str]] = defaultdict(list)
    for row in live:
        where = called.get(row.scope_id, "") if row.scope_id else ""
        words[row.account_id].append(f"{row.role.value} {where}".strip())  # type: ignore[attr-defined]
    return words


async def rows(context: Context, actor: Actor, accounts: Sequence[Account]) -> list[StaffOut]:
    """`accounts` as `actor` sees them."""
    if not accounts:
        return []
    ids = [account.id for account in accounts]
    of_account = await management.grants_of(ids)
    residents = await management.residents_among(ids)
    seen = {
        account_id: [one for one in held if actor.may(Permission.ACCOUNT_VIEW, one.site)]
        for account_id, held in of_account.items()
    }
    called = await scopes.names_of(
        {(grant.scope_type, grant.scope_id) for held in seen.values() for grant in held}
    )
    return [
        _row(
            context,
            actor,
            management.Held(account, tuple(of_account[account.id])),
            residents,
            [_grant(actor, grant, called) for grant in seen.get(account.id, ())],
        )
        for account in accounts
    ]


def _row(
    context: Context,
    actor: Actor,
    held: management.Held,
    residents: Collection[UUID],
    grants: list[GrantOut],
) -> StaffOut:
    account = held.account
    return StaffOut(
        id=account.id,
        username=account.username,
        name=account.name,
        phone=private.masked_phone(context, account),
        disabled_at=account.disabled_at,
        must_change_password=account.must_change_password,
        second_factor=account.totp_at is not None,
        created_at=account.created_at,
        version=account.version,
        may_manage=management.why_not(actor, held, residents) is None,
        grants=grants,
    )


def _grant(actor: Actor, row: RoleGrant, called: dict[UUID, str]) -> GrantOut:
    own = row.account_id == actor.account_id  # type: ignore[attr-defined]
    return GrantOut(
        id=row.id,
        role=row.role,
        scope_type=row.scope_type,
        scope_id=row.scope_id,
        scope_name=called.get(row.scope_id, "") if row.scope_id else "",
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        granted_by=row.granted_by,
        live=row.grant.live(actor.now),
        may_take=not own
        and not row.over(actor.now)
        and decide.may_give(actor.grants, row.role, row.site, actor.now),
    )
