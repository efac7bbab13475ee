"""Who an account is in WeChat: an `openid`, sealed, found again by a keyed hash."""

import hashlib
import hmac
from collections.abc import Collection
from uuid import UUID

import structlog
from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.messages.models import WeChatBinding
from foundation.runner import Context
from foundation.security import BadKey

log = structlog.get_logger()


async def bind(context: Context, actor: Actor, openid: str) -> None:
    """Send the actor's messages to this person in WeChat from now on.

    It was proved by a code of `wx.login`: who had it bound to another account before is the
    same person, and it leaves that one.
    """
    index = _index(context, openid)
    async with in_transaction():
        await WeChatBinding.filter(openid_index=index).delete()
        await WeChatBinding.filter(account_id=actor.account_id).delete()
        await WeChatBinding.create(
            account_id=actor.account_id,
            openid_sealed=context.keyring.seal(openid.encode(), _about(actor.account_id)),
            openid_index=index,
            created_at=context.clock(),
        )


async def unbind(account_ids: Collection[UUID]) -> None:
    """Send nothing through WeChat any more. One statement."""
    await WeChatBinding.filter(account_id__in=list(account_ids)).delete()


async def is_bound(account_id: UUID) -> bool:
    """Whether messages go to WeChat. One statement."""
    return await WeChatBinding.exists(account_id=account_id)


async def openids(context: Context, account_ids: Collection[UUID]) -> dict[UUID, str]:
    """Those that are bound, of any number of accounts. One statement.

    What another master key has sealed is as good as not bound.
    """
    found = {}
    for row in await WeChatBinding.filter(account_id__in=list(account_ids)):
        try:
            openid = context.keyring.unseal(row.openid_sealed, _about(row.account_id))
        except BadKey:
            log.warning("wechat.binding.unreadable", account=str(row.account_id))
        else:
            found[row.account_id] = openid.decode()
    return found


def _about(account_id: UUID) -> str:
    return f"wechat/{account_id}"


def _index(context: Context, openid: str) -> str:
    key = context.keyring.derive("blind/openid")
    return hmac.digest(key, openid.encode(), hashlib.sha256).hex()
