"""Why an account may do something somewhere, or may not."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from business_api.accounts import management, scopes
from business_api.accounts.models import Account, RoleGrant
from business_api.actors import Actor, NotFound
from business_api.authz import decide
from business_api.authz.decide import Decision, Why
from business_api.authz.grants import Grant
from business_api.authz.permissions import Permission
from business_api.authz.roles import Role
from business_api.authz.scope import ScopeType, Site
from business_api.residents import standing


@dataclass(frozen=True, slots=True)
class Deciding:
    """The grant that decided: it allows, or would if it were live, or here."""

    role: Role
    scope_type: ScopeType
    scope_id: UUID | None
    scope_name: str
    valid_from: datetime | None
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with its reason. `visible`: the account may know that the thing exists."""

    account_id: UUID
    permission: Permission
    allowed: bool
    why: Why
    visible: bool
    disabled: bool
    by: Deciding | None


@dataclass(frozen=True, slots=True)
class Place:
    """A place somebody asks about. `known`: there is such a place."""

    site: Site
    known: bool


async def own(actor: Actor, permission: Permission, place: Place) -> Explanation:
    """The actor's own case. At most one statement.

    Of a place that is not there it learns what it learns of one that is out of its sight.

    Raises:
        NotFound: it would see the place, and there is none.
    """
    decision = decide.decide(actor.grants, permission, place.site, actor.now)
    if not place.known and (decision.visible or decision.allowed):
        raise NotFound
    return await _told(actor.account_id, permission, decision, decision.by)


async def of_account(
    actor: Actor, account_id: UUID, permission: Permission, place: Place
) -> Explanation:
    """Somebody else's case, told to who may see that account and the accounts of that place.

    Decided over the roles of that account which the actor may see, so that neither the answer
    nor its reason tells of others. What follows from where it lives is left out: an answer
    would say where that is (`/v1/residents` does, to who may know).

    Raises:
        NoSuchAccount: there is none, or none the actor may know of.
        NotFound: no such place, or not the actor's to ask about.
    """
    held = await management.seen(actor, account_id)
    if not place.known or not actor.may(Permission.ACCOUNT_VIEW, place.site):
        raise NotFound
    seen = [one.grant for one in held.grants if actor.may(Permission.ACCOUNT_VIEW, one.site)]
    decision = decide.decide(seen, permission, place.site, actor.now)
    return await _told(account_id, permission, decision, decision.by, account=held.account)


async def of_any(
    account_id: UUID, permission: Permission, site: Site, now: datetime
) -> Explanation:
    """Anybody's case, for who may know everything: a command line. Four statements at most."""
    account = await Account.get(id=account_id)
    held = await RoleGrant.filter(account_id=account_id)
    grants = [row.grant for row in held] + await standing.grants_of(account_id)
    decision = decide.decide(grants, permission, site, now)
    return await _told(account_id, permission, decision, decision.by, account=account)


async def _told(
    account_id: UUID,
    permission: Permission,
    decision: Decision,
    by: Grant | None,
    *,
    account: Account | None = None,
) -> Explanation:
    disabled = account is not None and account.disabled_at is not None
    return Explanation(
        account_id=account_id,
        permission=permission,
        allowed=decision.allowed and not disabled,
        why=decision.why,
        visible=decision.visible,
        disabled=disabled,
        by=await deciding(by) if by is not None else None,
    )


async def deciding(grant: Grant) -> Deciding:
    """A grant with the name of its place. One statement."""
    called = await scopes.names_of([(grant.scope_type, grant.scope_id)])
    return named(grant, called)


def named(grant: Grant, called: dict[UUID, str]) -> Deciding:
    """The same, for names that are there already."""
    return Deciding(
        grant.role,
        grant.scope_type,
        grant.scope_id,
        called.get(grant.scope_id, "") if grant.scope_id else "",
        grant.valid_from,
        grant.valid_to,
    )
