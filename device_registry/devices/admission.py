"""May this opening be sent? Asked in the transaction that sends it (R8)."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

from device_registry.access import grants
from device_registry.devices.models import Device
from device_registry.devices.states import Status
from foundation import sql
from foundation.errors import DomainError, Kind
from foundation.settings import Devices


class DoorNotFound(DomainError):
    """There is no such door, or this person has nothing to do with it: the same answer."""

    kind, code, title = Kind.NOT_FOUND, "door-not-found", "No such door"
    title_zh = "找不到该门"


class TooManyOpens(DomainError):
    """So many attempts were refused lately that this one is not even written down."""

    kind, code, title = Kind.TOO_MANY, "too-many-opens", "Too many attempts to open"
    title_zh = "开门操作过于频繁，请稍后再试"


class BadOpening(DomainError):
    """What was asked for cannot be sent to any station."""

    kind, code, title = Kind.INVALID, "bad-opening", "Not a possible opening"
    title_zh = "开门请求不正确"


class Refusal(StrEnum):
    """Why we refuse before anything is sent: the `code` of the command.

    Of a grant: `Grant.why_not`. Of a station: its status.
    """

    NO_GRANT = "no_grant"  # at this place, but not in the name of this house
    LIMIT_PERSON = "limit_person"
    LIMIT_DOOR = "limit_door"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Somebody wants a door open."""

    device_id: UUID
    by_id: UUID
    staff_of: Collection[UUID] | None = ()
    """The communities whose doors this person opens as staff, in nobody's name; None: all."""
    house_id: UUID | None = None
    """In whose name; a resident with one house there need not say it. Staff who live there
    too open as residents by naming their house."""
    request_key: str | None = None
    """The caller's name for this request: the same again is the same opening."""
    address: str = ""
    app: str = ""
    session: str = ""
    """Of the sign-in, for the audit."""
    reason: str = ""
    door: int = 1

    def __post_init__(self) -> None:
        """Check what people typed.

        Raises:
            BadOpening: too long, or it holds the character NUL.
        """
        for text, most in ((self.reason, 120), (self.request_key or "", 80)):
            if len(text) > most or "\0" in text:
                raise BadOpening(f"a text of more than {most} characters, or with U+0000")
        if not 0 <= self.door <= 255:
            raise BadOpening(f"door {self.door}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`code` is empty when the command may be sent. `by_kind`: in which role it is asked."""

    code: str
    by_kind: Literal["resident", "admin"]
    house_id: UUID | None = None


WINDOW: Final = timedelta(minutes=1)

# Refusals of ours do not count against the limits: who goes on pressing is let in again as
# soon as the window has passed.
_COUNTS: Final = """
SELECT
    (SELECT count(*) FROM registry_open_command
        WHERE by_id = ? AND at > ? AND NOT (state = 'refused' AND sess = '')) AS by_person,
    (SELECT count(*) FROM registry_open_command
        WHERE by_id = ? AND at > ? AND state = 'refused' AND sess = '') AS refused,
    (SELECT count(*) FROM registry_open_command
        WHERE device_id = ? AND at > ? AND NOT (state = 'refused' AND sess = '')) AS at_door
"""


async def judge(opening: Opening, device: Device, now: datetime, limits: Devices) -> Verdict:
    """Whether `opening` may be sent to `device`. Two statements; one for staff.

    Raises:
        DoorNotFound: not a door of this person; nothing is written down of it.
        TooManyOpens: refused so often in the last minute that it says no more.
    """
    verdict = await _right(opening, device, now)
    code = verdict.code
    if not code and device.status is not Status.ACTIVE:
        code = device.status.value
    since = now - WINDOW
    who = (opening.by_id, since)
    counts = (await sql.fetch(_COUNTS, *who, *who, device.id, since))[0]
    if not code and counts["by_person"] >= limits.opens_per_person:
        code = Refusal.LIMIT_PERSON
    if not code and counts["at_door"] >= limits.opens_per_door:
        code = Refusal.LIMIT_DOOR
    if code and counts["refused"] >= limits.opens_per_person:
        raise TooManyOpens(retry_after=int(WINDOW.total_seconds()))
    return replace(verdict, code=code)


async def _right(opening: Opening, device: Device, now: datetime) -> Verdict:
    if device.status is Status.UNBOUND:
        raise DoorNotFound(f"door {device.id}")
    as_staff = opening.staff_of is None or device.community_id in opening.staff_of
    if as_staff and opening.house_id is None:
        return Verdict("", "admin")
    held = await grants.remote(opening.by_id, device.place_id)
    if not held and not as_staff:
        raise DoorNotFound(f"door {device.id}")
    if opening.house_id is not None:
        held = [grant for grant in held if grant.house_id == opening.house_id]
        if not held:  # and not a word of it to those who live there
            return Verdict(Refusal.NO_GRANT, "resident")
    # A live one, if there is any; of several always the same.
    best = min(held, key=lambda grant: (bool(grant.why_not(now)), str(grant.house_id)))
    return Verdict(best.why_not(now), "resident", best.house_id)
