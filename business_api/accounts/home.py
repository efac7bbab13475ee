"""Where an account belongs: whose staff may read in the audit what it did and what befell it."""

from uuid import UUID

from business_api.accounts.models import RoleGrant
from business_api.authz.scope import Site

_NOBODY = UUID(int=0)


async def home(account_id: UUID | None) -> Site:
    """The smallest organisation that holds every role of an account; none: the platform.

    One statement, also for nobody: how long it takes must not tell whether there is one.
    """
    held = await RoleGrant.filter(account_id=account_id or _NOBODY).values_list(
        "operator_id", "company_id", "community_id"
    )
    levels = [
        ids.pop() if len(ids := set(level)) == 1 else None for level in zip(*held, strict=True)
    ]
    return Site(*levels)
