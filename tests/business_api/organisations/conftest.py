"""The people of the tree: one of each level, signed in."""

from dataclasses import dataclass

import pytest
from tortoise.transactions import in_transaction

from business_api.accounts import sessions
from business_api.authz.roles import Role
from business_api.authz.scope import Site
from business_api.organisations.models import Operator, PropertyCompany
from tests.business_api.conftest import Api, bearer


@dataclass
class Tree:
    """Two operators; the first has two companies. Headers of who manages what."""

    api: Api
    operator: Operator
    rival: Operator
    company: PropertyCompany
    other: PropertyCompany
    root: dict[str, str]
    runner: dict[str, str]
    """Of `operator`."""
    rival_runner: dict[str, str]
    manager: dict[str, str]
    """Of `company`."""


async def signed_in(api: Api, username: str, role: Role, site: Site) -> dict[str, str]:
    """Without the password, which takes a quarter of a second."""
    account = await api.account(username, role, site)
    async with in_transaction():
        issued = await sessions.begin(api.context, account, "127.0.0.1", "test")
    return bearer(issued.access_token)


@pytest.fixture
async def tree(api: Api) -> Tree:
    now = api.time()
    operator = await Operator.create(name="运营甲", created_at=now)
    rival = await Operator.create(name="运营乙", created_at=now)
    company = await PropertyCompany.create(operator_id=operator.id, name="物业甲", created_at=now)
    other = await PropertyCompany.create(operator_id=operator.id, name="物业乙", created_at=now)
    return Tree(
        api,
        operator,
        rival,
        company,
        other,
        root=await signed_in(api, "root", Role.SUPER_ADMIN, Site()),
        runner=await signed_in(api, "runner", Role.OPERATOR_ADMIN, operator.site),
        rival_runner=await signed_in(api, "rival", Role.OPERATOR_ADMIN, rival.site),
        manager=await signed_in(api, "manager", Role.PROPERTY_ADMIN, company.site),
    )
