"""Everything the signed-in account may do, by role and place: what a screen shows at all."""

from dataclasses import dataclass

from business_api.accounts import scopes
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.roles import MAY_GIVE, ROLES, Role
from business_api.rights.explain import Deciding, named


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role held now, what it allows, and which roles it may give (inside its place)."""

    at: Deciding
    permissions: list[Permission]
    may_give: list[Role]


async def held(actor: Actor) -> list[HeldRole]:
    """The live roles of `actor`, widest first. A statement for each level, at most five."""
    order = list(Role)
    live = sorted(
        {grant for grant in actor.grants if grant.live(actor.now)},
        key=lambda grant: (order.index(grant.role), str(grant.scope_id)),
    )
    called = await scopes.names_of({(grant.scope_type, grant.scope_id) for grant in live})
    return [
        HeldRole(
            named(grant, called),
            sorted(ROLES[grant.role]),
            sorted(MAY_GIVE.get(grant.role, ()), key=order.index),
        )
        for grant in live
    ]
