"""What an endpoint may ask for.

Every endpoint names the permission it needs (`needs`), and asks the actor again about the
place of what it loads (`actor.require`, `actor.within`): scope comes from the session alone.
An endpoint that needs none is about the signed-in account itself (`CurrentActor`), or open
to everybody; the test of the tenant matrix holds the list of both.
"""

from ipaddress import ip_address
from typing import Annotated, Any, Protocol, cast

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from business_api.actors import Actor, Duty, NotAllowed, NotFound
from business_api.authz.grants import tenants
from business_api.authz.permissions import Permission
from business_api.rate_limits import RateLimit
from foundation import fence
from foundation.errors import DomainError, Kind
from foundation.runner import Context


class NotSignedIn(DomainError):
    """No token, or one that is wrong, old, or of a session that has ended."""

    kind, code, title = Kind.UNAUTHENTICATED, "not-signed-in", "Sign in first"
    title_zh = "请先登录"


class PasswordChangeNeeded(DomainError):
    """The password was given by somebody else: change it first (`POST /v1/me/password`)."""

    kind, code, title = Kind.FORBIDDEN, "password-change-needed", "Change your password first"
    title_zh = "请先修改密码"


class SecondFactorSetUpNeeded(DomainError):
    """This role asks for a second factor: set one up first (`POST /v1/me/second-factor`)."""

    kind, code = Kind.FORBIDDEN, "second-factor-set-up-needed"
    title, title_zh = "Set up the second factor first", "请先设置两步验证"


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


async def _signed_in(request: Request, bearer: _Bearer) -> Actor:
    if bearer is None:
        raise NotSignedIn
    authenticator: Authenticator = request.app.state.authenticator
    actor = await authenticator.actor(bearer.credentials)
    structlog.contextvars.bind_contextvars(account=str(actor.account_id))
    limit: RateLimit = request.app.state.requests_per_account
    limit.take(str(actor.account_id))
    return actor


SignedInActor = Annotated[Actor, Depends(_signed_in)]
"""Whoever is signed in, also with duties: for signing out and for seeing to them."""


async def _enrolling(actor: SignedInActor) -> Actor:
    if Duty.CHANGE_PASSWORD in actor.duties:
        raise PasswordChangeNeeded
    return actor


EnrollingActor = Annotated[Actor, Depends(_enrolling)]
"""The same, for setting up the second factor."""


async def _actor(actor: EnrollingActor) -> Actor:
    if actor.duties:
        raise SecondFactorSetUpNeeded
    return actor


CurrentActor = Annotated[Actor, Depends(_actor)]
"""Whoever is signed in, and has no duty to see to before."""


class Needs:
    """A dependency: the signed-in account, if it holds a permission anywhere at all.

    From here on the request is fenced in by what the account holds (`foundation.fence`).

    Raises:
        NotFound: the request is about one thing, and the actor may see nothing of its kind.
        NotAllowed: it may not do that anywhere.
    """

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request, actor: CurrentActor) -> Actor:
        """See the class."""
        if not actor.reach(self.permission).nowhere:
            inside = tenants(actor.grants, actor.now)
            if inside is not None:
                fence.put_up(inside)
            return actor
        if request.path_params and actor.reach(self.permission.view).nowhere:
            raise NotFound
        raise NotAllowed(self.permission.value)


def needs(permission: Permission) -> Any:
    """What a parameter `actor` is annotated with; the API document shows the permission."""
    return Depends(Needs(permission))


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
