"""The world of the tenant matrix: three communities with the same things, and every role.

Each slice says, in a module of its own here, how to make its things (`things`), and what to
send to its operations (`BODIES`, `QUERIES`).
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final, Literal

from business_api.authz.grants import Grant
from business_api.authz.roles import SCOPE, Role
from business_api.authz.scope import ScopeType, Site
from business_api.residents import standing
from business_api.residents.models import ROLE_OF
from foundation.ids import new_id
from tests.business_api import matrix
from tests.business_api.conftest import Api, Estate, estate

Where = Literal["own", "sibling", "other"]
Values = Mapping[str, str]

HOMES: Final = {role: type_ for type_, role in ROLE_OF.items()}
STAFF: Final = [role for role in Role if role not in HOMES and role is not Role.NEIGHBOUR]
PEOPLE: Final = [*STAFF, *HOMES, None]
"""Everybody: staff by role, residents of the flat by type, and somebody with no role at all.
`NEIGHBOUR` is part of every resident."""


def slices() -> list[ModuleType]:
    """The modules that tell of things: all here but the runner and this one."""
    return [
        importlib.import_module(f"{matrix.__name__}.{found.name}")
        for found in pkgutil.iter_modules(matrix.__path__)
        if found.name != "world" and not found.name.startswith("test_")
    ]


@dataclass
class World:
    """What the matrix walks through."""

    api: Api
    estates: dict[Where, Estate] = field(default_factory=dict)
    ids: dict[Where, dict[str, str]] = field(default_factory=dict)
    """Values of path parameters, by community."""
    headers: dict[Role | None, dict[str, str]] = field(default_factory=dict)
    grants: dict[Role | None, list[Grant]] = field(default_factory=dict)
    bodies: dict[str, Callable[[Estate, Values], Any]] = field(default_factory=dict)
    queries: dict[str, Callable[[Estate, Values], Any]] = field(default_factory=dict)
    sites: dict[str, Callable[[Estate, Values], Site]] = field(default_factory=dict)

    shared: set[str] = field(default_factory=set)
    """Path parameters that name what everybody who may view anything of its kind knows of."""

    def site(self, path_params: list[str], where: Where) -> Site:
        """Where the thing is that these path parameters name: that of the deepest one."""
        here, ids = self.estates[where], self.ids[where]
        flat, tower = here.flat.site, here.tower.site
        usual: dict[str, Site] = {
            "operator_id": Site(here.site.operator_id),
            "company_id": here.company.site,
            "community_id": here.site,
            "building_id": tower,
            "unit_id": tower,
            "house_id": flat,
        }
        named = [name for name in path_params if name in ids]
        for name in reversed(named):
            if name in self.sites:
                return self.sites[name](here, ids)
            if name in usual:
                return usual[name]
        return here.site if named else Site()


async def world(api: Api) -> World:
    """Make it all."""
    made = World(api)
    made.estates = {
        "own": await estate(api, "柏树园", "admin"),
        "sibling": await estate(api, "松树园", "sibling-admin"),
        "other": await estate(api, "别处", "other-admin", "物业乙"),
    }
    for where, here in made.estates.items():
        made.ids[where] = {
            "operator_id": str(here.site.operator_id),
            "company_id": str(here.company.id),
            "community_id": str(here.id),
            "building_id": str(here.tower.id),
            "unit_id": str(here.unit.id),
            "house_id": str(here.flat.id),
        }
    for slice_ in slices():
        for where, here in made.estates.items():
            made.ids[where] |= await slice_.things(api, here)
        made.bodies |= getattr(slice_, "BODIES", {})
        made.queries |= getattr(slice_, "QUERIES", {})
        made.sites |= getattr(slice_, "SITES", {})
        made.shared |= getattr(slice_, "SHARED", set())
    for role in PEOPLE:
        await _person(made, role)
    return made


async def _person(made: World, role: Role | None) -> None:
    api, own = made.api, made.estates["own"]
    username = f"matrix-{role or 'nobody'}"
    made.grants[role] = []
    if role is None:
        await api.account(username)
    elif role in HOMES:
        account = await api.resident(username, own.flat, HOMES[role])
        made.grants[role] = await standing.grants_of(account.id)
    else:
        site = own.site if ScopeType.SHOP not in SCOPE[role] else Site(shop_id=new_id())
        if SCOPE[role] == {ScopeType.PLATFORM}:
            site = Site()
        account = await api.account(username)
        made.grants[role] = [(await api.grant(account, role, site)).grant]
    made.headers[role] = await api.headers(username)
