"""Enrolment (REG/1, steps 1 and 4): a box calls, proves its key, and hears where it stands.

The MAC is a name and proves nothing; the key does. A call never changes a registered
station: the worst a stranger who knows a MAC can do is to be reported. A captured request
may be sent again at will: the answer is sealed to the box that made it, bound to its nonce.
"""

import base64
import secrets
from time import monotonic
from typing import Final

import structlog
from prometheus_client import Counter
from tortoise.expressions import F
from tortoise.transactions import in_transaction

from device_registry.devices import alarms, pending
from device_registry.devices.answers import (
    answer,
    broker_address,
    number_of,
    sealed_registration,
    signed_time,
)
from device_registry.devices.desk import Desk, desk_of
from device_registry.devices.logins import quarantine
from device_registry.devices.models import Device, DeviceSession, Status
from device_registry.devices.pending import Caller, TooManyEnrolments
from device_registry.devices.text import printable
from foundation import audit
from foundation.errors import DomainError, Kind
from foundation.rates import network
from foundation.runner import Context
from foundation.wire import enroll as wire
from foundation.wire.base import BadMessage
from foundation.wire.enroll import EnrollAnswer, EnrollRequest
from foundation.wire.topics import mac12

__all__ = ["enroll", "signed_time"]

log = structlog.get_logger()

ENROLMENTS = Counter(
    "enrolments_total",
    "Enrolment calls, by answer; refused: malformed, forged or too many.",
    ["answer"],
)

_PK_BYTES: Final = 64


async def enroll(context: Context, request: EnrollRequest, address: str) -> EnrollAnswer:
    """Answer one enrolment call.

    Args:
        context: of the process.
        request: as it came.
        address: who sent it, as far as the edge believes it.

    Raises:
        BadMac: not the MAC of a station.
        BadMessage: a key or the signature does not have the form.
        BadSignature: not made by who holds the key.
        TooManyEnrolments: of this box, or refused ones of this address.
        EnrolmentsFull: too many unregistered boxes.
    """
    desk, source = desk_of(context), network(address)
    try:
        if wait := desk.refused.wait(source, monotonic()):
            raise TooManyEnrolments("refused", retry_after=wait)
        caller = _proved(request, source)
        key = f"{caller.mac}/{caller.pk}"
        if not desk.calls.hit(key, now := monotonic()):
            raise TooManyEnrolments(f"mac {caller.mac}", retry_after=desk.calls.wait(key, now))
        given = await _answer(context, desk, caller, request)
    except DomainError as error:
        if error.kind is not Kind.UNAVAILABLE:
            desk.refused.hit(source, monotonic())
        ENROLMENTS.labels("refused").inc()
        raise
    if given.status == "mac_conflict":
        desk.refused.hit(source, monotonic())
    ENROLMENTS.labels(given.status).inc()
    return given


def _proved(request: EnrollRequest, source: str) -> Caller:
    """Who calls, after checking that it holds the key it shows."""
    mac = mac12(request.mac)
    try:
        raw = base64.b64decode(request.pk, validate=True)
    except ValueError:
        raise BadMessage("malformed key") from None
    if len(raw) != _PK_BYTES:
        raise BadMessage("a key of 64 bytes is wanted")
    wire.check(request.pk, wire.REQUEST, request.model_dump(mode="json"), request.sig)
    # Base64 writes the same key in several ways; it is compared as text from here on.
    pk = base64.b64encode(raw).decode()
    return Caller(mac, pk, printable(request.model), printable(request.fw), source)


async def _answer(
    context: Context, desk: Desk, caller: Caller, request: EnrollRequest
) -> EnrollAnswer:
    device = await Device.get_or_none(mac=caller.mac)
    if device is None or lapsed(device, context):
        if await _owes_wipe(context, caller, request.held):
            return answer(context, request.nonce, "unbound")
        code = await pending.seen(context, desk, caller)
        return answer(context, request.nonce, "unregistered", user_code=code)
    if device.status is Status.AWAITING:
        if request.commit is None:
            raise BadMessage("a station that is awaited needs a `commit`")
        if request.reveal is not None:  # to an earlier registration: it binds nobody any more
            return answer(context, request.nonce, "unregistered")
        if not await _first_contact(context, device, caller, request.commit):
            return await _answer(context, desk, caller, request)  # it changed: look again
        device = await Device.get(id=device.id)
    if device.public_keys != caller.pk:
        return await _stranger(context, desk, device, caller, request)
    if device.status is Status.CONFIRM:
        number = await _compared(context, device, request)
        return answer(context, request.nonce, "confirm", share=device.nonce, number=number)
    if device.status is not Status.ACTIVE or await _is_behind(context, caller, request):
        return answer(context, request.nonce, "suspended")
    sealed = sealed_registration(context, device, broker_address(context))
    return answer(context, request.nonce, "registered", sealed=sealed)


def lapsed(device: Device, context: Context) -> bool:
    """Whether nobody came, or nobody confirmed, in time: the row is as good as gone."""
    return (
        device.status in (Status.AWAITING, Status.CONFIRM)
        and device.expires_at is not None
        and device.expires_at <= context.clock()
    )


async def _compared(context: Context, device: Device, request: EnrollRequest) -> str | None:
    """The number to compare, for a box that has revealed the very share it was bound to."""
    revealed = request.reveal
    if revealed is None or wire.commitment(revealed) != device.commitment:
        return None
    if not device.revealed:
        await Device.filter(id=device.id, status=Status.CONFIRM, nonce=device.nonce).update(
            revealed=revealed
        )
        device.revealed = revealed
    return number_of(context, device)


async def _first_contact(context: Context, device: Device, caller: Caller, commit: str) -> bool:
    """The awaited MAC shows itself: its key is kept, and an admin must compare the number.

    Our share of the number is chosen now that the box is bound to its own, and never again.
    """
    async with in_transaction():
        taken = await Device.filter(id=device.id, mac=caller.mac, status=Status.AWAITING).update(
            status=Status.CONFIRM,
            public_keys=caller.pk,
            nonce=secrets.token_hex(16),
            commitment=commit,
            revealed="",
            model=caller.model,
            fw=caller.fw,
            version=F("version") + 1,
        )
        if taken:
            await audit.append(
                actor=f"device/{caller.mac}",
                action="device.show",
                object=f"device/{device.id}",
                community_id=device.community_id,
                clock=context.clock,
                key=wire.fingerprint(caller.pk),
            )
    return bool(taken)


async def _stranger(
    context: Context, desk: Desk, device: Device, caller: Caller, request: EnrollRequest
) -> EnrollAnswer:
    """A box with another key than the registered one: perhaps the one that hung here before."""
    if await _owes_wipe(context, caller, request.held):
        return answer(context, request.nonce, "unbound")
    pending.count_stranger(desk, caller.mac)
    await alarms.conflict(context, device, wire.fingerprint(caller.pk))
    return answer(context, request.nonce, "mac_conflict")


async def _owes_wipe(context: Context, caller: Caller, held: int | None) -> bool:
    """Whether this box was unbound and has not shown yet that it wiped itself.

    A box that says what it `held` is told until it holds nothing. One that does not say is
    told once, and believed when it calls again.
    """
    unbound = Device.filter(
        last_mac=caller.mac,
        status=Status.UNBOUND,
        public_keys=caller.pk,
        confirmed_wipe_at__isnull=True,
    )
    told = await unbound.values_list("wipe_told_at", flat=True)
    if not told:
        return False
    if held == 0 or (held is None and None not in told):
        await unbound.update(confirmed_wipe_at=context.clock())
        log.info("device.wipe.confirmed", device=caller.mac)
        return False
    if None in told:
        await unbound.filter(wipe_told_at__isnull=True).update(wipe_told_at=context.clock())
    return True


async def _is_behind(context: Context, caller: Caller, request: EnrollRequest) -> bool:
    """Whether this box was started less often than its twin; if so, both are shut out."""
    if request.boot == 0:
        return False
    last = await DeviceSession.get_or_none(mac=caller.mac)
    skew, now = context.settings.broker.clock_skew, context.clock()
    if last is None or not alarms.enrolled_behind(
        last.boot, last.since, request.boot, request.ts, now=now, skew=skew
    ):
        return False
    await quarantine(context, caller.mac, f"boot {request.boot} after {last.boot}")
    return True
