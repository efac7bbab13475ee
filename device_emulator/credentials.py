"""What may be said about who comes in: credentials, and the mode that overlays them."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Mode(StrEnum):
    """What overlays every state of the station."""

    NORMAL = "normal"
    LOCKDOWN = "lockdown"
    EVAC = "evac"


CredentialKind = Literal["card", "fp", "pin"]


@dataclass(frozen=True, slots=True)
class Credential:
    """One card, finger or PIN that a station knows. Times in Unix milliseconds."""

    kind: CredentialKind
    value: str = field(repr=False)
    """A card's UID in upper-case hex, a finger's id, or the PIN's digits."""
    cid: str = ""
    house: str | None = None
    not_before: int | None = None
    not_after: int | None = None
    flag: Literal["", "emergency", "admin"] = ""
