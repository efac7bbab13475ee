"""What happens to applications by the clock."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from tortoise.expressions import Q

from business_api.certification import expiry, forgetting
from foundation.jobs import Handler
from foundation.runner import Context

log = structlog.get_logger()

EXPIRE: Final = "certification.expire"
FORGET: Final = "certification.forget"


def handlers(context: Context) -> Mapping[str, Handler]:
    """The timed jobs of certifications."""

    async def expire(_: dict[str, Any]) -> None:
        if ended := await expiry.expire(context, Q()):
            log.info("certification.waiting.expired", count=ended)
        if left := await expiry.abandon(context):
            log.info("certification.left.cancelled", count=left)

    async def forget(_: dict[str, Any]) -> None:
        if forgotten := await forgetting.forget(context):
            log.info("certification.data.forgotten", count=forgotten)

    return {EXPIRE: expire, FORGET: forget}
