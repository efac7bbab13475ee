"""Messages in the tenant matrix. All operations are about the own account."""

from typing import Any, Final

from business_api.messages.models import Lane, Message, PushSubscription
from foundation.ids import new_id
from tests.business_api.conftest import Api, Estate


async def things(api: Api, estate: Estate) -> dict[str, str]:
    """A message to the community's admin, and a browser of it."""
    message = await Message.create(
        account_id=estate.admin.id,
        kind="certification.submitted",
        key=str(estate.id),
        params={"name": "x", "house": "y", "certification_id": "z"},
        lane=Lane.FEW,
        created_at=api.time(),
    )
    browser = await PushSubscription.create(
        account_id=estate.admin.id,
        session_id=new_id(),
        endpoint_sealed=b"",
        endpoint_index=new_id().hex,
        key_sealed=b"",
        host="push.example.org",
        created_at=api.time(),
    )
    return {"message_id": str(message.id), "push_subscription_id": str(browser.id)}


_POINT: Final = (
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)

BODIES: Final[dict[str, Any]] = {
    "markAllMessagesRead": lambda _estate, _ids: {},
    "changeMessagePreferences": lambda _estate, _ids: {"channels": []},
    "addPushSubscription": lambda _estate, _ids: {
        "endpoint": f"https://push.example.org/{new_id()}",
        "keys": {"p256dh": _POINT, "auth": "BTBZMqHH6r4Tts7J_aSIgg"},
    },
    "bindWeChat": lambda _estate, _ids: {"code": "x"},
}
