"""Whose access token it is: asked by every request."""

import time
from collections import OrderedDict
from contextlib import ExitStack
from typing import Final
from uuid import UUID

from business_api.accounts.sessions import TOPIC, actor_of
from business_api.accounts.tokens import Tokens
from business_api.actors import Actor
from business_api.deps import NotSignedIn
from foundation.runner import Context

_REMEMBERED: Final = 10_000
_FRESH_SECONDS: Final = 3.0


class Sessions:
    """Whose access token it is, and whether its session still lives.

    A session is looked up with one indexed statement and remembered for three seconds:
    a console asks several times a second, and the same answer each time. An end is not
    late for that: it kicks `sessions`, which empties the memory at once here and, over
    PostgreSQL, in every process; only a short command beside SQLite takes the three seconds.
    """

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._tokens = Tokens(context.keyring)
        self._known: OrderedDict[UUID, tuple[float, Actor]] = OrderedDict()
        self._ends = 0
        # Listens for as long as the application exists; nobody closes it.
        self._listening = ExitStack()
        self._ended = self._listening.enter_context(context.wake.listen(TOPIC))

    async def actor(self, token: str) -> Actor:
        """The account behind an access token.

        Raises:
            NotSignedIn: the token is not good (any more).
        """
        account_id, session_id = self._tokens.read_access(token, self._clock())
        actor = await self._live(session_id)
        if actor is None or actor.account_id != account_id:
            raise NotSignedIn
        return actor

    async def _live(self, session_id: UUID) -> Actor | None:
        ends = self._forget_ended()
        until, actor = self._known.get(session_id, (0.0, None))
        if actor is not None and time.monotonic() < until:
            return actor
        found = await actor_of(session_id, self._clock())
        # A session that ended while we looked may have been read before its end.
        if found is not None and ends == self._forget_ended():
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
