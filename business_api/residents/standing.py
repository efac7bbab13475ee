"""What somebody may do because of where it lives: derived from occupancies, never stored."""

from datetime import datetime
from uuid import UUID

from business_api.authz.grants import Grant
from business_api.authz.roles import Role
from business_api.authz.scope import ScopeType
from business_api.residents.models import ROLE_OF, Occupancy, ResidentType


async def grants_of(account_id: UUID) -> list[Grant]:
    """The roles of an account at its homes, and in their communities. One statement.

    An occupancy holds from `valid_from` until `valid_to`, unless it has ended: a decision
    asks for the time.
    """
    homes = await Occupancy.filter(person__account_id=account_id, ended_at=None).values(
        "house_id", "community_id", "type", "valid_from", "valid_to"
    )
    grants = []
    for home in homes:
        times: tuple[datetime, datetime | None] = (home["valid_from"], home["valid_to"])
        role = ROLE_OF[ResidentType(home["type"])]
        grants += [
            Grant(role, ScopeType.HOUSE, home["house_id"], *times, home["community_id"]),
            Grant(Role.NEIGHBOUR, ScopeType.COMMUNITY, home["community_id"], *times),
        ]
    return grants
