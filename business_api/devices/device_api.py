"""What a station calls before it can speak MQTT: `/device/v1/*` (REG/1, `docs/wire.md`).

No account and no token: a station proves itself by its signature, which
`device_registry.devices.enrolment` checks. Unknown fields are ignored here, unlike
everywhere else, so that newer firmware can talk to this platform.
"""

from ipaddress import ip_address
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request

from business_api.deps import Ctx, client_address
from business_api.problems import documents
from device_registry.devices import enrolment
from device_registry.devices.pending import EnrolmentsFull, TooManyEnrolments
from foundation.errors import DomainError, Kind
from foundation.runner import Context
from foundation.wire.base import BadMessage, BadSignature
from foundation.wire.enroll import EnrollAnswer, EnrollRequest, TimeAnswer
from foundation.wire.topics import BadMac

router = APIRouter(prefix="/device/v1", tags=["device"])

MAX_BODY: Final = 8 * 1024
"""Bytes of an enrolment, enforced by `BodyLimit`; an honest one has less than 1 KiB."""


class TlsRequired(DomainError):
    """Enrolment over plain HTTP, though this platform offers HTTPS."""

    kind, code, title = Kind.FORBIDDEN, "tls-required", "Enrol over HTTPS"
    title_zh = "请通过 HTTPS 注册"


async def _private_enough(request: Request, context: Ctx) -> None:
    http = context.settings.http
    if http.tls_port is not None and not _is_private(request, context):
        raise TlsRequired("use the HTTPS port of this platform", tls_port=http.tls_port)


@router.post(
    "/enroll",
    operation_id="enrollStation",
    response_model_exclude_none=True,
    dependencies=[Depends(_private_enough)],
    responses=documents(
        BadMac, BadMessage, BadSignature, EnrolmentsFull, TlsRequired, TooManyEnrolments
    ),
)
async def enroll(request: EnrollRequest, connection: Request, context: Ctx) -> EnrollAnswer:
    """Say who one is and hear how far one's registration got; asked again every `poll` seconds.

    Signed with the station's key; the answer is signed with the platform's. Bodies longer
    than 8 KiB are refused (413). Never changes a registered station.
    """
    return await enrolment.enroll(context, request, client_address(connection))


@router.get("/time", operation_id="deviceTime", responses=documents(BadMessage))
async def time(
    nonce: Annotated[str, Query(pattern=r"^[0-9a-f]{32}$", description="128 random bits, hex")],
    context: Ctx,
) -> TimeAnswer:
    """The time, signed together with the caller's nonce: for a station whose clock is not set."""
    return enrolment.signed_time(context, nonce)


def _is_private(request: Request, context: Context) -> bool:
    """Whether nobody between the caller and us can read along.

    HTTPS as we or a trusted proxy terminated it, or a caller on this machine. A proxy on
    this machine that is not declared as trusted gives itself away by what it forwards.
    """
    if request.url.scheme == "https":
        return True
    try:
        peer = ip_address(request.client.host if request.client else "")
        caller = ip_address(client_address(request))
    except ValueError:
        return False
    if any(peer in network for network in context.settings.http.trusted_proxies):
        told = request.headers.get("x-forwarded-proto", "").rpartition(",")[2]
        return told.strip().lower() == "https"
    forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    return caller.is_loopback and not forwarded
