"""The module that decides: its tables are sound, and its three questions agree."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from business_api.authz.decide import Why, decide, reach, within
from business_api.authz.grants import Grant, tenants
from business_api.authz.permissions import Permission
from business_api.authz.roles import MAY_GIVE, ROLES, SCOPE, Role
from business_api.authz.scope import ScopeType, Site
from business_api.places.models import House
from tests.business_api.conftest import Api, Estate

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LEVELS = [level for level in ScopeType if level not in {ScopeType.PLATFORM, ScopeType.SHOP}]


def id_of(level: ScopeType, number: int) -> UUID:
    return UUID(int=LEVELS.index(level) * 100 + number)


def site_of(path: tuple[int, ...]) -> Site:
    """A place in a tree in which every level has two of everything."""
    ids = {}
    for depth, level in enumerate(LEVELS[: len(path)]):
        number = int("".join(str(step) for step in path[: depth + 1]), 2)
        ids[f"{level}_id"] = id_of(level, number)
    return Site(**ids)


paths = st.lists(st.sampled_from([0, 1]), max_size=len(LEVELS)).map(tuple)
moments = st.none() | st.sampled_from([NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)])


@st.composite
def held(draw: st.DrawFn) -> Grant:
    role = draw(st.sampled_from([role for role in Role if role is not Role.SHOP_ADMIN]))
    level = draw(st.sampled_from(sorted(SCOPE[role])))
    times = draw(st.tuples(moments, moments))
    if level is ScopeType.PLATFORM:
        return Grant(role, level, None, *times)
    depth = LEVELS.index(level) + 1
    path = draw(st.tuples(*[st.sampled_from([0, 1])] * depth))
    return Grant(role, level, site_of(path).at(level), *times)


grants_held = st.lists(held(), max_size=4)


@given(grants_held, st.sampled_from(Permission), paths)
def test_a_list_shows_what_a_look_would(
    grants: list[Grant], permission: Permission, path: tuple[int, ...]
) -> None:
    site, where = site_of(path), reach(grants, permission, NOW)
    inside = where.everywhere or any(site.at(level) in ids for level, ids in where.ids.items())
    assert decide(grants, permission, site, NOW).allowed == inside


@given(grants_held, st.sampled_from(Permission), paths)
def test_a_decision_says_who_gave_it_and_why(
    grants: list[Grant], permission: Permission, path: tuple[int, ...]
) -> None:
    decision = decide(grants, permission, site_of(path), NOW)
    if decision.allowed:
        assert decision.by is not None
        assert decision.by.live(NOW)
        assert decision.by.covers(site_of(path))
        assert decision.visible, "whoever may act may see"
    elif decision.why is Why.ROLE:
        assert not any(grant.gives(permission) for grant in grants)
    else:
        assert decision.by is not None
        assert not (decision.by.live(NOW) and decision.by.covers(site_of(path)))


@given(grants_held, st.sampled_from(Permission), paths)
def test_less_is_never_more(
    grants: list[Grant], permission: Permission, path: tuple[int, ...]
) -> None:
    if not decide(grants, permission, site_of(path), NOW).allowed:
        for without in range(len(grants)):
            fewer = grants[:without] + grants[without + 1 :]
            assert not decide(fewer, permission, site_of(path), NOW).allowed


@given(grants_held, st.sampled_from(Permission), paths)
def test_what_is_allowed_is_inside_the_fence(
    grants: list[Grant], permission: Permission, path: tuple[int, ...]
) -> None:
    """For rows of communities: the second fence never refuses what the first lets through."""
    site = site_of(path)
    if len(path) < 3 or not decide(grants, permission, site, NOW).allowed:
        return
    told = [
        grant
        if grant.scope_type not in {ScopeType.BUILDING, ScopeType.HOUSE} or not grant.covers(site)
        else Grant(
            grant.role,
            grant.scope_type,
            grant.scope_id,
            grant.valid_from,
            grant.valid_to,
            site.community_id,
        )
        for grant in grants
    ]
    inside = tenants(told, NOW)
    assert inside is None or {site.operator_id, site.company_id, site.community_id} & inside


@pytest.mark.parametrize("role", Role)
def test_whoever_may_do_something_may_see_it(role: Role) -> None:
    unseen = {Permission.CERTIFICATION_REVOKE} if role is Role.OWNER else set()
    assert {permission.view for permission in ROLES[role] - unseen} <= ROLES[role]


def test_every_permission_is_somebodys() -> None:
    assert {permission for given_ in ROLES.values() for permission in given_} == set(Permission)


def test_nobody_gives_what_is_above() -> None:
    """No chain of giving leads back up, and what follows from an occupancy is never given."""
    for role in MAY_GIVE:
        seen, waiting = set[Role](), [role]
        while waiting:
            for below in MAY_GIVE.get(waiting.pop(), ()):
                assert below is not role
                if below not in seen:
                    seen.add(below)
                    waiting.append(below)
    at_home = {Role.OWNER, Role.FAMILY, Role.TENANT, Role.VISITOR, Role.NEIGHBOUR}
    given_by_hand = {role for below in MAY_GIVE.values() for role in below}
    assert given_by_hand | at_home | {Role.SUPER_ADMIN} == set(Role)
    assert not given_by_hand & (at_home | {Role.SUPER_ADMIN})


def test_a_reviewer_reviews_and_does_nothing_else() -> None:
    nouns = {permission.value.split(".")[0] for permission in ROLES[Role.HOUSE_REVIEWER]}
    assert nouns == {"community", "certification"}


async def test_the_filter_of_a_list_is_the_decision_of_each_row(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate
) -> None:
    everything = await House.all()
    assert len(everything) == 6
    scopes = [
        (Role.OPERATOR_ADMIN, ScopeType.OPERATOR, park.company.operator_id),
        (Role.PROPERTY_ADMIN, ScopeType.COMPANY, park.company.id),
        (Role.COMMUNITY_ADMIN, ScopeType.COMMUNITY, park.id),
        (Role.OWNER, ScopeType.HOUSE, park.flat.id),
        (Role.SUPER_ADMIN, ScopeType.PLATFORM, None),
    ]
    for role, level, scope_id in scopes:
        grants = [Grant(role, level, scope_id)]
        where = reach(grants, Permission.HOUSE_VIEW, NOW)
        listed = {house.id for house in await House.filter(within(where, House.SCOPES))}
        decided = {
            house.id
            for house in everything
            if decide(grants, Permission.HOUSE_VIEW, house.site, NOW).allowed
        }
        assert listed == decided, role
