"""Whose access token it is, and what that account may do: asked by every request."""

import time
from collections import OrderedDict
from contextlib import ExitStack
from typing import Final
from uuid import UUID

from business_api.accounts.models import Account, RoleGrant
from business_api.accounts.sessions import TOPIC, SignedIn, duties_of, signed_in
from business_api.accounts.tokens import Tokens
from business_api.actors import Actor
from business_api.authz.grants import Grant
from business_api.deps import NotSignedIn
from business_api.residents import standing
from foundation.runner import Context

_REMEMBERED: Final = 10_000
_FRESH_SECONDS: Final = 3.0

_Known = tuple[SignedIn, tuple[Grant, ...]]


class Sessions:
    """Whose access token it is, whether its session still lives, and what it may do.

    A session and its grants are looked up with three indexed statements and remembered for
    three seconds: a console asks several times a second, and the same answer each time. An
    end is not late for that: it kicks `sessions`, as does whoever changes a role or moves
    somebody in or out; that empties the memory at once here and, over PostgreSQL, in every
    process; only a short command beside SQLite takes the three seconds. When a grant begins
    or ends by itself is asked at each request.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tokens = Tokens(context.keyring)
        self._known: OrderedDict[UUID, tuple[float, _Known]] = OrderedDict()
        self._ends = 0
        # Listens for as long as the application exists; nobody closes it.
        self._listening = ExitStack()
        self._ended = self._listening.enter_context(context.wake.listen(TOPIC))

    async def actor(self, token: str) -> Actor:
        """The account behind an access token, with its grants.

        Raises:
            NotSignedIn: the token is not good (any more).
        """
        now = self._context.clock()
        account_id, session_id = self._tokens.read_access(token, now)
        found = await self._live(session_id)
        if found is None or found[0].account_id != account_id:
            raise NotSignedIn
        who, grants = found
        needed = self._context.settings.auth.require_second_factor
        duties = duties_of(who, now, second_factor_needed=needed)
        return Actor(who.account_id, who.session_id, who.name, now, grants, duties)

    async def _live(self, session_id: UUID) -> _Known | None:
        ends = self._forget_ended()
        until, known = self._known.get(session_id, (0.0, None))
        if known is not None and time.monotonic() < until:
            return known
        who = await signed_in(session_id, self._context.clock())
        if who is None:
            return None
        found = (who, (*who.grants, *await standing.grants_of(who.account_id)))
        # A session that ended while we looked may have been read before its end.
        if ends == self._forget_ended():
            self._known[session_id] = (time.monotonic() + _FRESH_SECONDS, found)
            self._known.move_to_end(session_id)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _forget_ended(self) -> int:
        """Empty the memory if sessions have ended; how often that was so."""
        if self._ended.is_set():
            self._ended.clear()
            self._known.clear()
            self._ends += 1
        return self._ends


async def held_by(account_id: UUID) -> tuple[Grant, ...]:
    """What an account holds, live or not, signed in or not: for work done in its name later.

    Nothing, when it is disabled or gone. Three statements.
    """
    if not await Account.filter(id=account_id, disabled_at=None).exists():
        return ()
    roles = await RoleGrant.filter(account_id=account_id)
    return (*(row.grant for row in roles), *await standing.grants_of(account_id))
