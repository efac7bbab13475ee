"""The jobs of the imports."""

from typing import Any, Final
from uuid import UUID

import structlog

from business_api.imports import running, uploads
from foundation.jobs import Handler
from foundation.runner import Context

log = structlog.get_logger()

FORGET: Final = "imports.forget"


def handlers(context: Context) -> dict[str, Handler]:
    """What `background` does for the imports."""

    async def run(payload: dict[str, Any]) -> None:
        await running.run(context, UUID(payload["import_id"]))

    async def forget(_payload: dict[str, Any]) -> None:
        log.info("imports.forgotten", deleted=await uploads.forget(context))

    return {uploads.JOB: run, FORGET: forget}
