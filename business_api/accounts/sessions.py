"""Sessions: who is signed in. Access tokens point at one; ending it ends them all at once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tortoise.expressions import Q
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from business_api.accounts.models import Account, RoleGrant, SignInSession
from business_api.accounts.tokens import Tokens
from business_api.actors import Actor, Duty
from business_api.authz.grants import Grant
from business_api.authz.scope import ScopeType
from business_api.deps import NotSignedIn
from foundation import audit
from foundation.errors import DomainError, Kind
from foundation.ids import new_id
from foundation.runner import Context
from foundation.security import digest

TOPIC: Final = "sessions"
"""Kicked when sessions have ended."""

MOST: Final = 30
"""Sessions an account may have at once; the oldest ends when there is one more."""

_HIGH: Final = frozenset({ScopeType.PLATFORM, ScopeType.OPERATOR, ScopeType.COMPANY})


class NoSuchSession(DomainError):
    """No session of yours has this id, or it has ended."""

    kind, code, title = Kind.NOT_FOUND, "no-such-session", "There is no such session"
    title_zh = "会话不存在"


@dataclass(frozen=True, slots=True)
class Issued:
    """What a caller gets at sign-in and at each refresh. `expires_in` in seconds."""

    access_token: str
    expires_in: int
    refresh_token: str
    session_id: UUID


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as its owner sees it."""

    id: UUID
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    address: str
    agent: str


async def begin(context: Context, account: Account, address: str, agent: str) -> Issued:
    """Open a session in the caller's transaction; three statements."""
    now = context.clock()
    tokens = Tokens(context.keyring)
    live = await _live_of(account.id, now).order_by("-created_at").offset(MOST - 1).values("id")
    if live:
        await _end(Q(id__in=[row["id"] for row in live]), now, "too_many")
    session_id = new_id()
    refresh_token = tokens.refresh(session_id)
    session = await SignInSession.create(
        id=session_id,
        account=account,
        token_hash=digest(refresh_token),
        created_at=now,
        refreshed_at=now,
        expires_at=now + context.settings.auth.refresh_life,
        address=address,
        agent=agent[:200],
    )
    return _issue(context, tokens, session, account, refresh_token)


async def refresh(context: Context, refresh_token: str, address: str) -> Issued:
    """Exchange a refresh token for the next pair.

    A spent token in somebody's hands means that two parties hold the session, and nobody
    can tell which is the thief: the session ends.

    Raises:
        NotSignedIn: not ours, spent, or its session has ended.
    """
    now = context.clock()
    tokens = Tokens(context.keyring)
    session_id = tokens.read_refresh(refresh_token)
    session = await SignInSession.get_or_none(id=session_id).select_related("account")
    if session is None or not _is_live(session, now):
        raise NotSignedIn
    following = tokens.refresh(session_id)
    expires_at = now + context.settings.auth.refresh_life
    # The condition on the hash decides between two refreshes at once.
    exchanged = await SignInSession.filter(
        id=session_id, token_hash=digest(refresh_token), ended_at=None
    ).update(token_hash=digest(following), refreshed_at=now, expires_at=expires_at, address=address)
    if not exchanged:
        await _stolen(context, session, address)
        raise NotSignedIn("this refresh token was used before; the session has ended")
    return _issue(context, tokens, session, session.account, following)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in by a session, and the roles it was given. Live ones or not."""

    account_id: UUID
    session_id: UUID
    name: str
    grants: tuple[Grant, ...]
    must_change_password: bool = False
    second_factor: bool = False


def duties_of(who: SignedIn, now: datetime, *, second_factor_needed: bool) -> frozenset[Duty]:
    """What `who` has to do before anything else.

    Args:
        who: is signed in.
        now: the time of the request.
        second_factor_needed: of everybody with a role at a company or above.
    """
    duties = {Duty.CHANGE_PASSWORD} if who.must_change_password else set()
    if second_factor_needed and not who.second_factor:
        high = (grant.live(now) and grant.scope_type in _HIGH for grant in who.grants)
        duties |= {Duty.SET_UP_SECOND_FACTOR} if any(high) else set()
    return frozenset(duties)


async def signed_in(session_id: UUID, now: datetime) -> SignedIn | None:
    """Who is signed in by a live session, as of now; None when it is over. Two statements."""
    session = await SignInSession.get_or_none(id=session_id).select_related("account")
    if session is None or not _is_live(session, now):
        return None
    account = session.account
    held = await RoleGrant.filter(account_id=account.id)
    return SignedIn(
        account.id,
        session.id,
        account.name,
        tuple(row.grant for row in held),
        must_change_password=account.must_change_password,
        second_factor=account.totp_at is not None,
    )


async def listed(account_id: UUID, now: datetime) -> list[SessionRow]:
    """The live sessions of an account, the latest first; at most `MOST`. One statement."""
    rows = await _live_of(account_id, now).order_by("-refreshed_at").limit(MOST)
    return [
        SessionRow(row.id, row.created_at, row.refreshed_at, row.expires_at, row.address, row.agent)
        for row in rows
    ]


async def alive_among(session_ids: Collection[UUID], now: datetime) -> set[UUID]:
    """Those that still live, of the sessions behind open event streams. One statement."""
    if not session_ids:
        return set()
    alive = SignInSession.filter(
        id__in=list(session_ids),
        ended_at=None,
        expires_at__gt=now,
        account__disabled_at__isnull=True,
    )
    return {row["id"] for row in await alive.values("id")}


async def end(context: Context, actor: Actor, session_id: UUID, reason: str) -> None:
    """End one session of the actor.

    Raises:
        NoSuchSession: not the actor's, or over.
    """
    async with in_transaction():
        ended = await _end(Q(id=session_id, account_id=actor.account_id), context.clock(), reason)
        if not ended:
            raise NoSuchSession
        await audit.append(
            actor=actor.audit,
            action="session.end",
            object=f"session/{session_id}",
            clock=context.clock,
            reason=reason,
        )
    context.wake.kick(TOPIC)


async def end_all(account_id: UUID, now: datetime, reason: str, *, keep: UUID | None = None) -> int:
    """End every session of an account but `keep`; one statement. Kick `TOPIC` after COMMIT."""
    which = Q(account_id=account_id)
    if keep is not None:
        which &= ~Q(id=keep)
    return await _end(which, now, reason)


async def _stolen(context: Context, session: SignInSession, address: str) -> None:
    async with in_transaction():
        if not await _end(Q(id=session.id), context.clock(), "token_reuse"):
            return
        await audit.append(
            actor="platform",
            action="session.revoke",
            object=f"session/{session.id}",
            clock=context.clock,
            reason="token_reuse",
            account=str(session.account.id),
            address=address,
        )
    context.wake.kick(TOPIC)


def _issue(
    context: Context, tokens: Tokens, session: SignInSession, account: Account, refresh_token: str
) -> Issued:
    life = context.settings.auth.access_life
    access = tokens.access(account.id, session.id, now=context.clock(), life=life)
    return Issued(access, int(life.total_seconds()), refresh_token, session.id)


def _is_live(session: SignInSession, now: datetime) -> bool:
    over = session.ended_at is not None or session.expires_at <= now
    return not over and session.account.disabled_at is None


def _live_of(account_id: UUID, now: datetime) -> QuerySet[SignInSession]:
    return SignInSession.filter(account_id=account_id, ended_at=None, expires_at__gt=now)


async def _end(which: Q, now: datetime, reason: str) -> int:
    """End the sessions meant by `which` that have not ended; how many. One statement."""
    return await SignInSession.filter(which, ended_at=None).update(ended_at=now, end_reason=reason)
