"""For supervisors and scrapers: alive, ready, and the figures."""

import asyncio
from typing import Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from business_api.actors import NotAllowed
from business_api.deps import Ctx
from business_api.problems import documents
from business_api.this_machine import from_this_machine
from foundation import metrics
from foundation.security import same

router = APIRouter(tags=["health"])

_PATIENCE: Final = 5.0
"""Seconds for all checks together; a probe that waits longer has given up."""


class Readiness(BaseModel):
    """Whether this process can do its work; if not, which part says why."""

    status: Literal["ready", "not_ready"]
    trouble: dict[str, str]


@router.get("/healthz", operation_id="live")
async def live() -> dict[str, str]:
    """The process runs and answers. Says nothing about what it stands on."""
    return {"status": "alive"}


@router.get("/readyz", operation_id="ready", responses={503: {"model": Readiness}})
async def ready(context: Ctx, response: Response) -> Readiness:
    """Database, broker and migrations are as they should be."""
    try:
        async with asyncio.timeout(_PATIENCE):
            trouble = await context.health.trouble()
    except TimeoutError:
        trouble = {"health": f"no answer within {_PATIENCE:.0f} s"}
    if trouble:
        response.status_code = 503
        return Readiness(status="not_ready", trouble=trouble)
    return Readiness(status="ready", trouble={})


@router.get("/metrics", operation_id="metrics", responses=documents(NotAllowed))
async def figures(request: Request, context: Ctx) -> Response:
    """Prometheus text. With a token configured only with it, else only from this machine."""
    if not _may_read(request, context):
        raise NotAllowed
    return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)


def _may_read(request: Request, context: Ctx) -> bool:
    token = context.settings.metrics_token
    if token is not None:
        given = request.headers.get("authorization", "")
        return same(given, f"Bearer {token.get_secret_value()}")
    return from_this_machine(request, context)
