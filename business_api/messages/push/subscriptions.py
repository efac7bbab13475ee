"""Browsers that show somebody's messages: of one sign-in each, and few enough."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from tortoise.expressions import F
from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.messages.models import PushSubscription
from business_api.messages.push import endpoints
from business_api.messages.push.encryption import (
    KEY_BYTES,
    SECRET_BYTES,
    BadBrowserKey,
    browser_key,
)
from foundation.errors import DomainError, Kind
from foundation.ids import new_id
from foundation.runner import Context
from foundation.security import BadKey

log = structlog.get_logger()

MOST_FAILURES: Final = 30
"""In a row; then a browser is forgotten."""


class BadSubscription(DomainError):
    """The keys of a push subscription are not what a browser gives."""

    kind, code, title = Kind.INVALID, "bad-subscription", "The keys of the subscription are wrong"
    title_zh = "推送订阅的密钥不正确"


class NoSuchSubscription(DomainError):
    """No browser of yours has this id."""

    kind, code, title = Kind.NOT_FOUND, "no-such-subscription", "There is no such subscription"
    title_zh = "推送订阅不存在"


@dataclass(frozen=True, slots=True)
class Browser:
    """Where to push to, and for whose eyes. Secret."""

    id: UUID
    account_id: UUID
    session_id: UUID
    endpoint: str
    key: bytes
    secret: bytes


async def add(
    context: Context, actor: Actor, endpoint: str, *, key: str, secret: str, agent: str
) -> PushSubscription:
    """Show the actor's messages in a browser, for as long as it is signed in there.

    The same endpoint again replaces what it was. A browser that others used before shows
    theirs no more: with the secret it proves that it is the same one. Beyond the most that
    an account may have, the oldest is forgotten.

    Args:
        context: of the process.
        actor: whose messages.
        endpoint: as the browser gives it.
        key: `p256dh`, base64url.
        secret: `auth`, base64url.
        agent: the browser, for its owner to know it again.

    Raises:
        BadEndpoint: not an address that we would push to.
        BadSubscription: the keys are none.
    """
    where = endpoints.read(endpoint, context.settings.messages.push_networks)
    keys = _bytes(key, KEY_BYTES) + _bytes(secret, SECRET_BYTES)
    try:
        browser_key(keys[:KEY_BYTES])
    except BadBrowserKey:
        raise BadSubscription from None
    index, id_ = _index(context, endpoint), new_id()
    row = PushSubscription(
        id=id_,
        account_id=actor.account_id,
        session_id=actor.session_id,
        endpoint_sealed=context.keyring.seal(endpoint.encode(), _about(id_, "endpoint")),
        endpoint_index=index,
        key_sealed=context.keyring.seal(keys, _about(id_, "key")),
        host=where.host,
        agent=agent[:200],
        created_at=context.clock(),
    )
    async with in_transaction():
        known = await PushSubscription.filter(endpoint_index=index).select_for_update()
        over = [
            other.id
            for other in known
            if other.account_id == actor.account_id
            or hmac.compare_digest(_keys(context, other)[KEY_BYTES:], keys[KEY_BYTES:])
        ]
        await PushSubscription.filter(id__in=over).delete()
        await row.save(force_create=True)
        mine = PushSubscription.filter(account_id=actor.account_id).order_by("-id")
        most = context.settings.messages.push_per_account
        kept = await mine.limit(most).values_list("id", flat=True)
        await PushSubscription.filter(account_id=actor.account_id).exclude(id__in=kept).delete()
    return row


async def remove(actor: Actor, subscription_id: UUID) -> None:
    """Show no more messages in a browser.

    Raises:
        NoSuchSubscription: not one of the actor's.
    """
    mine = PushSubscription.filter(id=subscription_id, account_id=actor.account_id)
    if not await mine.delete():
        raise NoSuchSubscription


async def opened(context: Context, ids: Collection[str]) -> dict[str, Browser]:
    """Those that there are, of these, ready for pushing. One statement.

    What another master key has sealed is as good as gone.
    """
    found = {}
    for row in await PushSubscription.filter(id__in=list(ids)):
        try:
            found[str(row.id)] = _opened(context, row)
        except BadKey:
            log.warning("push.subscription.unreadable", subscription=str(row.id))
    return found


async def forget(ids: Collection[UUID]) -> None:
    """Delete browsers that are gone. One statement."""
    if ids:
        await PushSubscription.filter(id__in=list(ids)).delete()


async def note(good: Collection[UUID], bad: Collection[UUID]) -> None:
    """Count failures in a row, and forget who has too many. Three statements at most."""
    if good:
        await PushSubscription.filter(id__in=list(good), failures__gt=0).update(failures=0)
    if bad:
        failing = PushSubscription.filter(id__in=list(bad))
        await failing.update(failures=F("failures") + 1)
        await failing.filter(failures__gte=MOST_FAILURES).delete()


def _opened(context: Context, row: PushSubscription) -> Browser:
    keys = _keys(context, row)
    endpoint = context.keyring.unseal(row.endpoint_sealed, _about(row.id, "endpoint")).decode()
    return Browser(
        row.id, row.account_id, row.session_id, endpoint, keys[:KEY_BYTES], keys[KEY_BYTES:]
    )


def _keys(context: Context, row: PushSubscription) -> bytes:
    return context.keyring.unseal(row.key_sealed, _about(row.id, "key"))


def _about(id_: UUID, field: str) -> str:
    return f"push-subscription/{id_}/{field}"


def _index(context: Context, endpoint: str) -> str:
    key = context.keyring.derive("blind/push-endpoint")
    return hmac.digest(key, endpoint.encode(), hashlib.sha256).hex()


def _bytes(text: str, length: int) -> bytes:
    """Base64url, with or without padding.

    Raises:
        BadSubscription: not that, or not of `length` bytes.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise BadSubscription from None
    if len(raw) != length:
        raise BadSubscription
    return raw
