"""Whose words somebody sees: the platform's, and those of its own operators."""

from collections.abc import Sequence
from uuid import UUID

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType
from business_api.organisations.models import Community, PropertyCompany


async def operators_of(actor: Actor) -> Sequence[UUID] | None:
    """The operators above the actor's roles; None for a role on the platform itself.

    Two statements at most. A shop has no operator yet: its admin sees the platform's words.
    """
    where = actor.reach(Permission.DICTIONARY_VIEW)
    if where.everywhere:
        return None
    found = set(where.ids.get(ScopeType.OPERATOR, ()))
    companies = where.ids.get(ScopeType.COMPANY)
    communities = where.ids.get(ScopeType.COMMUNITY, frozenset()) | {
        grant.community_id  # of a role at one building
        for grant in actor.grants
        if grant.community_id and grant.gives(Permission.DICTIONARY_VIEW) and grant.live(actor.now)
    }
    if companies:
        of_companies = PropertyCompany.filter(id__in=list(companies)).distinct()
        found |= await _operators(of_companies)
    if communities:
        of_communities = Community.filter(id__in=list(communities)).distinct()
        found |= await _operators(of_communities)
    return sorted(found)


async def visible(actor: Actor) -> Q:
    """The filter of a list of words. See `operators_of`."""
    operators = await operators_of(actor)
    if operators is None:
        return Q()
    return Q(operator_id__isnull=True) | Q(operator_id__in=list(operators))


async def _operators(
    which: QuerySet[PropertyCompany] | QuerySet[Community],
) -> set[UUID]:
    rows = await which.values("operator_id")
    return {row["operator_id"] for row in rows}
