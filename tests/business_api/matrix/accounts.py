"""Staff, roles and sessions in the tenant matrix."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from business_api.accounts.models import SignInSession
from business_api.authz.roles import Role
from tests.business_api.conftest import PASSWORD, Api, Estate

_Body = Callable[[Estate, Mapping[str, str]], Any]


async def things(api: Api, estate: Estate) -> dict[str, str]:
    """A cashier of the community, its role, and where it is signed in."""
    account = await api.account(f"cashier-{estate.community.name}")
    grant = await api.grant(account, Role.CASHIER, estate.site)
    now = api.time()
    session = await SignInSession.create(
        account=account,
        token_hash="",
        created_at=now,
        refreshed_at=now,
        expires_at=now + timedelta(days=1),
    )
    return {
        "account_id": str(account.id),
        "grant_id": str(grant.id),
        "session_id": str(session.id),
    }


def _plain(**fields: str) -> _Body:
    return lambda _estate, _ids: dict(fields)


def _installer(**fields: str) -> _Body:
    return lambda estate, _ids: {"role": "installer", "community_id": str(estate.id)} | fields


BODIES: Final[dict[str, _Body]] = {
    "signInSecondStep": _plain(challenge="x", code="000000"),
    "changePassword": _plain(current=PASSWORD, new="a long new password"),
    "beginSecondFactor": _plain(password=PASSWORD),
    "confirmSecondFactor": _plain(code="000000"),
    "renewRecoveryCodes": _plain(password=PASSWORD, code="000000"),
    "endSecondFactor": _plain(password=PASSWORD, code="000000"),
    "createAccount": _installer(username="new-worker", name="新"),
    "editAccount": _plain(name="王"),
    "resetPassword": _plain(),
    "giveRole": _installer(),
}

QUERIES: Final[dict[str, _Body]] = {
    "explainPermission": lambda _estate, ids: {
        "permission": "house.view",
        "house_id": ids["house_id"],
    },
}
