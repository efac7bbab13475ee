"""What an endpoint may ask for.

Scope comes from the session alone: an endpoint compares what it loads with
`actor.community_id`, and what belongs to somebody else is not found.
"""

from ipaddress import ip_address
from typing import Annotated, Protocol, cast

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from business_api.actors import AccountKind, Actor
from business_api.rate_limits import RateLimit
from foundation.errors import DomainError, Kind
from foundation.runner import Context


class NotSignedIn(DomainError):
    """No token, or one that is wrong, old, or of a session that has ended."""

    kind, code, title = Kind.UNAUTHENTICATED, "not-signed-in", "Sign in first"
    title_zh = "请先登录"


class NotAllowed(DomainError):
    """Signed in, but this is for others."""

    kind, code, title = Kind.FORBIDDEN, "not-allowed", "This account may not do that"
    title_zh = "没有权限"


class Authenticator(Protocol):
    """Tells whose token it is; `accounts.sessions` implements it."""

    async def actor(self, token: str) -> Actor:
        """The account behind an access token.

        Raises:
            NotSignedIn: the token is not good (any more).
        """
        ...


_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="access",
    bearerFormat="JWT",
    description="The `access_token` of `POST /v1/auth/login`.",
)
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def _context(request: Request) -> Context:
    return cast(Context, request.app.state.context)


Ctx = Annotated[Context, Depends(_context)]


async def _actor(request: Request, bearer: _Bearer) -> Actor:
    if bearer is None:
        raise NotSignedIn
    authenticator: Authenticator = request.app.state.authenticator
    actor = await authenticator.actor(bearer.credentials)
    structlog.contextvars.bind_contextvars(account=str(actor.account_id))
    limit: RateLimit = request.app.state.requests_per_account
    limit.take(str(actor.account_id))
    return actor


CurrentActor = Annotated[Actor, Depends(_actor)]


async def _admin(actor: CurrentActor) -> Actor:
    if actor.kind is not AccountKind.COMMUNITY_ADMIN:
        raise NotAllowed
    return actor


AdminActor = Annotated[Actor, Depends(_admin)]


def client_address(connection: HTTPConnection) -> str:
    """The caller's IP address, for audit and limits.

    `X-Forwarded-For` counts only as far as trusted proxies wrote it: read from the right,
    the first address that is not one of theirs is the caller.
    """
    context: Context = connection.app.state.context
    trusted = context.settings.http.trusted_proxies
    address = connection.client.host if connection.client else ""
    hops = ",".join(connection.headers.getlist("x-forwarded-for"))[-1000:].split(",")
    for hop in reversed(hops):
        try:
            peer = ip_address(address)
            following = ip_address(hop.strip())
        except ValueError:
            break
        if not any(peer in network for network in trusted):
            break
        address = str(following)
    return address
