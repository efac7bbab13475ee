"""Stations, doors and openings, as the API shows them. Times are UTC."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from business_api.schemas import In, Name, Out
from device_registry.devices.queries import Presence
from device_registry.devices.states import CommandState, Position, Status

_VISIBLE = r"^[^\x00-\x1f\x7f]*$"

MacText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=12, max_length=24, pattern=_VISIBLE)
]
"""As people type it: `00:1A:2B:3C:4D:5E`, `001a2b3c4d5e`."""
UserCode = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=16, pattern=_VISIBLE)
]
"""校验码, as the station shows it: `K7QF-2M9X`."""
PoolText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=32, pattern=_VISIBLE)
]
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class StationIn(In):
    """A station to register.

    `place_id`: the building or unit it hangs at; null for a gate. With `user_code` the box
    must be waiting and show that code, and is active at once. Without it the box is awaited
    for 72 h and has to be confirmed by its number.
    """

    name: Name
    position: Position
    place_id: UUID | None = None
    mac: MacText
    comm_code: PoolText
    reader_number: PoolText | None = None
    user_code: UserCode | None = None


class StationChangeIn(In):
    """A new name, a new position with its place, or both."""

    name: Name | None = None
    position: Position | None = None
    place_id: UUID | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.position is None and self.place_id is not None:
            raise ValueError("place_id needs its position")
        if self.name is None and self.position is None:
            raise ValueError("nothing to change")
        return self


class ConfirmIn(In):
    """The six digits that were compared."""

    number: Digits | None = None


class ReplaceIn(In):
    """The new box; `user_code` as in `StationIn`."""

    mac: MacText
    user_code: UserCode | None = None


class StationOut(Out):
    """A registered station. `since` and `reason` explain `presence`.

    `place_name` is empty when the place is gone. `expires_at` is when a station that nobody
    showed or confirmed is given up.
    """

    id: UUID
    community_id: UUID
    name: str
    position: Position
    place_id: UUID
    place_name: str
    mac: str
    status: Status
    model: str
    fw: str
    comm_code: str
    reader_number: str | None
    presence: Presence
    since: datetime | None
    reason: str
    last_heard: datetime | None
    address: str
    created_at: datetime
    expires_at: datetime | None
    version: int


class AlarmOut(Out):
    """Something wrong with a station of `community_id` now.

    `station_cloned`: two boxes seem to use its keys; it is quarantined until somebody resumes
    or replaces it. `mac_conflict`: another box enrols with its MAC; the station goes on.
    `station_id` is null when the station was given up since.
    """

    kind: str
    community_id: UUID | None
    station_id: UUID | None
    station_name: str
    mac: str
    detail: str
    message: str
    since: datetime


class ComparisonOut(Out):
    """The six digits that the screen shows too; null unless they have to be compared now."""

    number: str | None


class PresenceCounts(Out):
    """Active stations, by presence."""

    online: int
    stale: int
    offline: int


class StatusCounts(Out):
    """Registered stations, by status."""

    awaiting: int
    confirm: int
    active: int
    suspended: int
    quarantined: int


class SummaryOut(Out):
    """Stations, counted."""

    total: int
    presence: PresenceCounts
    status: StatusCounts


class SessionChangeOut(Out):
    """A session of the station began (`up`) or ended, and how."""

    at: datetime
    up: bool
    reason: str
    address: str


class DoorOut(Out):
    """A door the caller may open now, in the name of `house_id` (null for staff)."""

    id: UUID
    community_id: UUID
    name: str
    position: Position
    place_id: UUID
    place_name: str
    house_id: UUID | None
    presence: Presence
    since: datetime | None
    reason: str


class OpenIn(In):
    """`house_id` chooses among the caller's own rights, if there are several.

    Staff who live in the community open as staff, unless they name their house. `door`
    counts the doors of one station; `reason` is for the audit.
    """

    house_id: UUID | None = None
    door: int = Field(1, ge=0, le=255)
    reason: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=120, pattern=_VISIBLE)
    ] = ""


class OpenOut(Out):
    """What became of an attempt to open a door.

    `executed`: the station says that its relay was held, for `pulsed_ms`. `refused`: by the
    station or by the platform, see `code`. `offline`: it is not connected, nothing was sent
    and nothing will be. `unknown`: no answer in time; the station's journal may settle it
    later. `sent`: the answer is awaited (seen only when asked for while it is under way).
    `message` is for people, in the language of `Accept-Language`.
    """

    command_id: str
    door_id: UUID
    outcome: CommandState
    code: str
    message: str
    at: datetime
    settled_at: datetime | None
    pulsed_ms: int


class OpeningOut(Out):
    """One line of 开门记录: somebody opened a door, or tried to.

    `source` is `command` for an opening from afar, `event` for one at the door; `outcome`
    and `code` say what became of it, `settled_at` when that was known. The `id` stays: a
    line heard again replaces the earlier one.
    """

    id: str
    source: Literal["command", "event"]
    at: datetime
    community_id: UUID
    station_id: UUID
    station_name: str
    door: int
    method: str
    outcome: str
    code: str
    house_id: UUID | None
    house_name: str
    by_kind: str
    by_id: UUID | None
    by_name: str
    reason: str
    cid: str | None
    settled_at: datetime | None
