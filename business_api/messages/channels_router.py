"""`/v1/me/push-subscriptions` and `/v1/me/wechat`: where one's messages go besides the app."""

from uuid import UUID

from fastapi import APIRouter, Request, Response, status

from business_api.deps import Ctx, CurrentActor
from business_api.idempotency import OnceOnly
from business_api.messages import wechat_binding
from business_api.messages.models import PushSubscription
from business_api.messages.push import subscriptions, vapid
from business_api.messages.push.endpoints import BadEndpoint
from business_api.messages.push.subscriptions import BadSubscription, NoSuchSubscription
from business_api.messages.schemas import (
    PushKeyOut,
    PushSubscriptionIn,
    PushSubscriptionOut,
    WeChatIn,
    WeChatOut,
)
from business_api.messages.wechat_client import (
    BadWeChatCode,
    WeChatClient,
    WeChatOff,
    WeChatUnavailable,
)
from business_api.paging import Page, PageQuery
from business_api.problems import documents

router = APIRouter(tags=["messages"])


@router.get("/me/push-key", operation_id="getPushKey")
async def push_key(context: Ctx, _: CurrentActor) -> PushKeyOut:
    """The key with which a browser subscribes to messages of this platform."""
    return PushKeyOut(public_key=vapid.public_key(context.keyring))


@router.get("/me/push-subscriptions", operation_id="listPushSubscriptions")
async def list_subscriptions(actor: CurrentActor, paged: PageQuery) -> Page[PushSubscriptionOut]:
    """The browsers that show one's messages, the latest first."""
    mine = PushSubscription.filter(account_id=actor.account_id)
    rows = await mine.order_by("-id").offset(paged.offset).limit(paged.size)
    return paged.of([_shown(row, actor.session_id) for row in rows], await mine.count())


@router.post(
    "/me/push-subscriptions",
    operation_id="addPushSubscription",
    status_code=status.HTTP_201_CREATED,
    response_model=PushSubscriptionOut,
    responses=documents(BadEndpoint, BadSubscription),
)
async def add_subscription(
    body: PushSubscriptionIn, request: Request, context: Ctx, actor: CurrentActor, once: OnceOnly
) -> Response:
    """Show messages in this browser for as long as it is signed in.

    The same endpoint again replaces what it was; beyond ten browsers the oldest is forgotten.
    """

    async def add() -> PushSubscriptionOut:
        row = await subscriptions.add(
            context,
            actor,
            body.endpoint,
            key=body.keys.p256dh,
            secret=body.keys.auth,
            agent=request.headers.get("user-agent", ""),
        )
        return _shown(row, actor.session_id)

    return await once(add)


@router.delete(
    "/me/push-subscriptions/{push_subscription_id}",
    operation_id="deletePushSubscription",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchSubscription),
)
async def delete_subscription(push_subscription_id: UUID, actor: CurrentActor) -> None:
    """Show no more messages in a browser."""
    await subscriptions.remove(actor, push_subscription_id)


@router.get("/me/wechat", operation_id="getWeChat")
async def get_wechat(context: Ctx, actor: CurrentActor) -> WeChatOut:
    """Whether messages go to WeChat too."""
    return WeChatOut(
        bound=await wechat_binding.is_bound(actor.account_id),
        available=bool(context.settings.wechat.app_id),
    )


@router.put(
    "/me/wechat",
    operation_id="bindWeChat",
    responses=documents(WeChatOff, BadWeChatCode, WeChatUnavailable),
)
async def bind_wechat(body: WeChatIn, context: Ctx, actor: CurrentActor) -> WeChatOut:
    """Send messages to WeChat too, to whoever is signed in to the mini program."""
    openid = await WeChatClient(context).openid(body.code)
    await wechat_binding.bind(context, actor, openid)
    return WeChatOut(bound=True, available=True)


@router.delete("/me/wechat", operation_id="unbindWeChat", status_code=status.HTTP_204_NO_CONTENT)
async def unbind_wechat(actor: CurrentActor) -> None:
    """Send nothing to WeChat any more."""
    await wechat_binding.unbind([actor.account_id])


def _shown(row: PushSubscription, session_id: UUID) -> PushSubscriptionOut:
    return PushSubscriptionOut(
        id=row.id,
        host=row.host,
        agent=row.agent,
        created_at=row.created_at,
        current=row.session_id == session_id,
    )
