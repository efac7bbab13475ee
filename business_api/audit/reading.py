"""Whose audit lines somebody may read, and the names that belong to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from business_api.accounts import accounts
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType
from business_api.organisations.models import Community
from business_api.schemas import Out
from foundation.audit_reading import Entry, Scope

_ACCOUNT = "account/"


class AuditOut(Out):
    """One line of the audit chain.

    `facts` holds what else is known: `before` and `after` of what was changed, `address` of
    the caller. `hash` covers the line and the one before it.
    """

    seq: int
    at: datetime
    actor: str
    actor_name: str
    action: str
    object: str
    operator_id: UUID | None
    company_id: UUID | None
    community_id: UUID | None
    facts: dict[str, Any]
    hash: str


async def scope_of(actor: Actor, permission: Permission) -> Scope:
    """The actor's part of the chain. One statement.

    A line written by a room that knows only communities names its community alone: so the
    communities below an operator or a company are looked up.
    """
    reach = actor.reach(permission)
    if reach.everywhere:
        return Scope(everything=True)
    found = await Community.filter(actor.within(permission, Community.SCOPES)).values("id")
    return Scope(
        operators=reach.ids.get(ScopeType.OPERATOR, frozenset()),
        companies=reach.ids.get(ScopeType.COMPANY, frozenset()),
        communities=[row["id"] for row in found],
    )


async def named(lines: Sequence[Entry]) -> list[AuditOut]:
    """Lines with the names of the accounts that acted. One statement."""
    acted = {id_ for line in lines if (id_ := _account(line.actor)) is not None}
    known = await accounts.of_ids(acted)
    return [
        AuditOut(
            seq=line.seq,
            at=line.at,
            actor=line.actor,
            actor_name=known[id_].name if (id_ := _account(line.actor)) in known else "",
            action=line.action,
            object=line.object,
            operator_id=line.operator_id,
            company_id=line.company_id,
            community_id=line.community_id,
            facts=line.facts,
            hash=line.hash,
        )
        for line in lines
    ]


def _account(actor: str) -> UUID | None:
    try:
        return UUID(actor.removeprefix(_ACCOUNT)) if actor.startswith(_ACCOUNT) else None
    except ValueError:
        return None
