"""Whose accounts an actor may see, and whose it may manage.

Seen: an account that holds, or held, a role within the reach of `account.view`. Managed
(password, name, disabling, second factor): one that holds, and will hold, only roles which
the actor could give it at their places, or that held only such when it holds none now:
otherwise whoever resets the password of somebody with more rights would have them, or would
have them back when they are renewed. A resident's account is never anybody's but its own.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from business_api.accounts.errors import (
    MayNotManage,
    NoSuchAccount,
    NotYourself,
    ResidentsAccount,
)
from business_api.accounts.models import Account, RoleGrant
from business_api.actors import Actor, NotAllowed
from business_api.authz import decide
from business_api.authz.permissions import Permission
from business_api.people.models import Person
from device_registry.access import grants
from foundation import fence
from foundation.errors import DomainError


@dataclass(frozen=True, slots=True)
class Held:
    """An account and every role it holds, held or will hold."""

    account: Account
    grants: tuple[RoleGrant, ...]


async def seen(actor: Actor, account_id: UUID, *, lock: bool = False) -> Held:
    """An account the actor may know of. Two statements.

    Args:
        actor: who asks.
        account_id: which.
        lock: keep it as it is until the end of the transaction.

    Raises:
        NoSuchAccount: there is none, or none within reach.
    """
    which = Account.filter(id=account_id, deleted_at=None)
    account = await (which.select_for_update() if lock else which).first()
    if account is None:
        raise NoSuchAccount
    grants = tuple(await RoleGrant.filter(account_id=account_id).order_by("created_at", "id"))
    if not any(actor.may(Permission.ACCOUNT_VIEW, grant.site) for grant in grants):
        raise NoSuchAccount
    return Held(account, grants)


async def managed(actor: Actor, account_id: UUID) -> Account:
    """An account the actor may manage. Three statements; not inside a transaction.

    Raises:
        NoSuchAccount: as in `seen`.
        NotAllowed, NotYourself, ResidentsAccount, MayNotManage: it may be seen only.
    """
    held = await seen(actor, account_id)
    error = why_not(actor, held, await residents_among([account_id]))
    if error is not None:
        raise error
    return held.account


async def locked(actor: Actor, account_id: UUID) -> Account:
    """The same account once more, as it is until the end of the transaction.

    For who has asked `managed` before: since then somebody may have given it a role, or
    linked it to a person who lives somewhere. Who links one takes the same lock of its rights.

    Raises:
        NoSuchAccount, NotAllowed, NotYourself, ResidentsAccount, MayNotManage: as in `managed`.
    """
    held = await seen(actor, account_id, lock=True)
    await grants.lock(account_id)
    error = why_not(actor, held, await residents_among([account_id]))
    if error is not None:
        raise error
    return held.account


def why_not(actor: Actor, held: Held, residents: Collection[UUID]) -> DomainError | None:
    """Why the actor may not manage an account it sees; None when it may.

    Args:
        actor: who wants to.
        held: the account.
        residents: the accounts that `residents_among` found.
    """
    if held.account.id == actor.account_id:
        return NotYourself()
    sites = [grant.site for grant in held.grants]
    if not any(actor.may(Permission.ACCOUNT_MANAGE, site) for site in sites):
        return NotAllowed(Permission.ACCOUNT_MANAGE.value)
    # Who signs in with a telephone number registered itself, and lives or will live somewhere.
    if held.account.id in residents or held.account.phone_index is not None:
        return ResidentsAccount()
    # What is to begin later counts too: a password set today would still be good then.
    to_come = [grant for grant in held.grants if not grant.over(actor.now)]
    # Of who holds nothing, what was held counts: a password set now is good when it is renewed.
    counted = to_come or held.grants
    if all(decide.may_give(actor.grants, grant.role, grant.site, actor.now) for grant in counted):
        return None
    return MayNotManage()


async def grants_of(account_ids: Collection[UUID]) -> defaultdict[UUID, list[RoleGrant]]:
    """Every role that accounts hold, held or will hold, the oldest first. One statement."""
    found: defaultdict[UUID, list[RoleGrant]] = defaultdict(list)
    which = RoleGrant.filter(account_id__in=list(account_ids))
    for grant in await which.order_by("created_at", "id"):
        found[grant.account_id].append(grant)  # type: ignore[attr-defined]
    return found


async def residents_among(account_ids: Collection[UUID]) -> frozenset[UUID]:
    """The accounts of persons who live, or lived, anywhere: over the fence, at other places too.

    One statement; in a transaction whose connection is fenced, up to five.
    """
    async with fence.lifted():
        persons = Person.filter(account_id__in=list(account_ids), erased_at=None)
        return frozenset(await persons.values_list("account_id", flat=True))  # type: ignore[arg-type]
