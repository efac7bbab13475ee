"""The states of stations, codes and commands: words that other packages use too."""

from enum import StrEnum


class Position(StrEnum):
    """Where a station hangs, and so whose credentials it takes (大门 / 楼栋 / 单元)."""

    GATE = "gate"  # place_id is the community
    BUILDING = "building"
    UNIT = "unit"


class Status(StrEnum):
    """Registered or how far from it (`product.md` §4: unregistered has no row here)."""

    AWAITING = "awaiting"  # an admin entered the MAC; no box has shown it yet
    CONFIRM = "confirm"  # a box has; both sides show a number
    ACTIVE = "active"
    SUSPENDED = "suspended"  # by an admin
    QUARANTINED = "quarantined"  # by us: looks cloned
    UNBOUND = "unbound"  # no longer ours; told to wipe itself when it calls


class CodeState(StrEnum):
    """Of a communication code: never to another MAC until the operator recycles it."""

    FREE = "free"
    BOUND = "bound"
    FROZEN = "frozen"
    RETIRED = "retired"


class CommandState(StrEnum):
    """Of one opening by command (R7). Only the station's answer makes it `executed`."""

    SENT = "sent"  # on its way, the answer is awaited
    EXECUTED = "executed"
    REFUSED = "refused"  # by us before sending, or by the station: see `code`
    OFFLINE = "offline"  # no live session: nothing was sent
    UNKNOWN = "unknown"  # no answer in time; the journal settles it later
