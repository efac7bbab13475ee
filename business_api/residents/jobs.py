"""The jobs of the residents."""

from typing import Any, Final

import structlog

from business_api.residents import erasing, expiry, recompute
from foundation.jobs import Handler
from foundation.runner import Context

log = structlog.get_logger()

CLOCK: Final = "residents.clock"
RECOMPUTE: Final = "residents.recompute"


def handlers(context: Context) -> dict[str, Handler]:
    """What `background` does for the residents."""

    async def clock(_payload: dict[str, Any]) -> None:
        ended, begun = await expiry.expire(context), await expiry.begin(context)
        log.info("residents.clock.done", ended=ended, begun=begun)

    async def recompute_all(_payload: dict[str, Any]) -> None:
        log.info("doors.recompute.done", repaired=await recompute.recompute(context))

    async def scrub(_payload: dict[str, Any]) -> None:
        await erasing.scrub()

    return {CLOCK: clock, RECOMPUTE: recompute_all, erasing.SCRUB: scrub}
