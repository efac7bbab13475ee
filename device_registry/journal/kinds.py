"""Which events are openings: what they say in 开门记录, and how the door was asked."""

from typing import Final

GRANTED: Final = "granted"
DENIED: Final = "denied"
EXECUTED: Final = "executed"
REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"

OPENINGS: Final = {
    "access.granted": GRANTED,
    "access.denied": DENIED,
    "exit_button": GRANTED,
    "call.sip_open": EXECUTED,
    "remote.open": EXECUTED,
    "remote.refused": REFUSED,
}
"""Type -> outcome. Denied and unknown attempts too: a caretaker asks about them first."""

METHODS: Final = {
    "exit_button": "button",
    "call.sip_open": "call",
    "remote.open": "remote",
    "remote.refused": "remote",
}
"""Type -> method; of `access.*` the kind of the credential is the method."""

FAMILIES: Final = frozenset(
    {
        "access", "acl", "admin", "call", "cfg", "clock", "door", "duress", "exit_button",
        "fire_input", "fw", "gap", "journal_90", "media", "mode", "net", "pin", "power",
        "remote", "tamper", "tamper_clear",
    }
)  # fmt: skip
"""What the first word of a type may be, as a label of a metric."""


def family(type_: str) -> str:
    """The label of an event's type: from a closed set, whatever a station sends."""
    first = type_.partition(".")[0]
    return first if first in FAMILIES else "other"
