"""Boxes nobody has registered: each shows a 校验码 that only who stands before it can read."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final

from tortoise.expressions import F

from device_registry.devices.desk import Desk, desk_of
from device_registry.devices.models import PendingEnrolment
from foundation.errors import DomainError, Kind
from foundation.ids import Mac
from foundation.runner import Context
from foundation.security import same
from foundation.settings import Devices

LETTERS: Final = "ACDEFGHJKMNPQRTUVWXY234679"
"""Of each group that is read for one another at most one: 0 O, 1 I L, 2 Z, 5 S, 8 B."""


class NotSeen(DomainError):
    """No unregistered box with this MAC has called lately."""

    kind, code, title = Kind.CONFLICT, "station-not-seen", "No such box is waiting"
    title_zh = "平台尚未收到该 MAC 地址设备的注册请求，请确认设备已通电联网"


class WrongUserCode(DomainError):
    """Not what that box shows. Fact `tries_left`; 0: it shows a new one now."""

    kind, code, title = Kind.INVALID, "wrong-user-code", "The check code is wrong"
    title_zh = "校验码不正确"


class TooManyEnrolments(DomainError):
    """Too many calls. Fact `retry_after`, seconds."""

    kind, code, title = Kind.TOO_MANY, "too-many-enrolments", "Too many enrolment calls"
    title_zh = "设备注册请求过于频繁，请稍后再试"


class EnrolmentsFull(DomainError):
    """More boxes are unclaimed than the settings allow. Fact `retry_after`, seconds."""

    kind, code, title = Kind.UNAVAILABLE, "enrolments-full", "Too many unclaimed boxes"
    title_zh = "待注册设备过多，请稍后再试"


@dataclass(frozen=True, slots=True)
class Caller:
    """A box that has proved to hold `pk`. `model` and `fw` are printable."""

    mac: Mac
    pk: str
    model: str
    fw: str
    source: str
    """Whose share of the pending rows it takes."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A pending box whose code was typed right."""

    mac: Mac
    pk: str
    model: str
    fw: str
    user_code: str


def new_user_code() -> str:
    """8 random letters and digits, as `K7QF-2M9X`: 26**8, some 2 * 10**11."""
    made = "".join(secrets.choice(LETTERS) for _ in range(8))
    return f"{made[:4]}-{made[4:]}"


async def seen(context: Context, desk: Desk, caller: Caller) -> str:
    """The code that `caller` shows; the same for as long as it keeps calling.

    Two statements at most for a known box, six for a new one. A box with other keys takes
    the place of the one that waits under its MAC, so many times a minute at most.

    Raises:
        EnrolmentsFull: of its address, or altogether.
        TooManyEnrolments: too many different boxes called with this MAC.
    """
    limits, now = context.settings.devices, context.clock()
    row = await PendingEnrolment.get_or_none(mac=caller.mac)
    same_box = row is not None and row.public_keys == caller.pk
    if row is not None and same_box and row.expires_at > now and _tries_left(desk, limits, row):
        if row.expires_at - now < limits.pending_for * 0.9:  # not a write for every call
            await PendingEnrolment.filter(mac=caller.mac, public_keys=caller.pk).update(
                expires_at=now + limits.pending_for, model=caller.model, fw=caller.fw
            )
        return str(row.user_code)
    if row is not None and not same_box:
        count_stranger(desk, caller.mac)
    if row is None or row.address != caller.source:
        await _room(limits, caller.source, now)
    fresh = PendingEnrolment(
        mac=caller.mac,
        public_keys=caller.pk,
        model=caller.model,
        fw=caller.fw,
        user_code=new_user_code(),
        tries=0,
        address=caller.source,
        first_seen=now,
        expires_at=now + limits.pending_for,
    )
    await PendingEnrolment.bulk_create(
        [fresh],
        on_conflict=["mac"],
        update_fields=[
            *("public_keys", "model", "fw", "user_code"),
            *("tries", "address", "first_seen", "expires_at"),
        ],
    )
    return str(fresh.user_code)


def count_stranger(desk: Desk, mac: Mac) -> None:
    """Count a call under `mac` by another box than the one that is known.

    Raises:
        TooManyEnrolments: there were too many; this one is not counted.
    """
    if not desk.strangers.hit(mac, now := monotonic()):
        raise TooManyEnrolments(f"mac {mac}", retry_after=desk.strangers.wait(mac, now))


async def claim(context: Context, mac: Mac, user_code: str) -> Claim:
    """The box waiting under `mac`, if `user_code` is what it shows.

    A wrong try counts although this raises, in this process even inside a transaction that
    then fails. After `code_tries` of them no code is right until the box calls again and
    shows a new one.

    Raises:
        NotSeen: none is waiting.
        WrongUserCode: it shows another code.
    """
    limits, desk = context.settings.devices, desk_of(context)
    row = await PendingEnrolment.get_or_none(mac=mac, expires_at__gt=context.clock())
    if row is None:
        raise NotSeen(f"mac {mac}", mac=mac)
    guessed = _guessed(row)
    this_code = PendingEnrolment.filter(mac=mac, user_code=row.user_code)
    # Counted before it is compared: guesses sent side by side are as many as one by one.
    counted = await this_code.filter(tries__lt=limits.code_tries).update(tries=F("tries") + 1)
    if not counted or not desk.guesses.hit(guessed, monotonic()):
        raise WrongUserCode(f"mac {mac}", tries_left=0)
    if not same(_plain(user_code), _plain(row.user_code)):
        row.tries += 1
        raise WrongUserCode(f"mac {mac}", tries_left=_tries_left(desk, limits, row))
    await this_code.update(tries=0)
    desk.guesses.forget(guessed)
    return Claim(mac, row.public_keys, row.model, row.fw, row.user_code)


async def use(claimed: Claim) -> None:
    """Take the box off the list: it is registered in this transaction.

    Raises:
        WrongUserCode: in the meantime somebody else did, or another box took its place.
    """
    used = await PendingEnrolment.filter(
        mac=claimed.mac, public_keys=claimed.pk, user_code=claimed.user_code
    ).delete()
    if not used:
        raise WrongUserCode(f"mac {claimed.mac}", tries_left=0)


async def forget(mac: Mac) -> None:
    """Whoever waits under `mac` is not asked for a code any more."""
    await PendingEnrolment.filter(mac=mac).delete()


async def sweep(now: datetime) -> int:
    """Delete what has expired; how many. One statement."""
    return await PendingEnrolment.filter(expires_at__lte=now).delete()


async def _room(limits: Devices, source: str, now: datetime) -> None:
    """The bounds are approximate: calls side by side may each find the last place free."""
    wait = int(limits.pending_for.total_seconds())
    of_source = PendingEnrolment.filter(address=source, expires_at__gt=now)
    if await of_source.count() >= limits.pending_per_address:
        raise EnrolmentsFull("from this address", retry_after=wait)
    if await PendingEnrolment.all().count() < limits.pending_limit:
        return
    if not await sweep(now):
        raise EnrolmentsFull("altogether", retry_after=wait)


def _tries_left(desk: Desk, limits: Devices, row: PendingEnrolment) -> int:
    left = desk.guesses.left(_guessed(row), monotonic())
    return max(0, min(limits.code_tries - row.tries, left))


def _guessed(row: PendingEnrolment) -> str:
    return f"{row.mac}/{row.user_code}"


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").upper()
