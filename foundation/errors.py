"""Errors a caller can act on. No transport words here: edges translate `kind`."""

from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """What the caller can do about it; HTTP, MQTT and SIP edges each map it once."""

    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    STALE = "stale"  # the caller changed an old version: read again (HTTP 412)
    FORBIDDEN = "forbidden"
    UNAUTHENTICATED = "unauthenticated"
    INVALID = "invalid"
    TOO_MANY = "too_many"  # try later; facts may hold retry_after seconds
    UNAVAILABLE = "unavailable"


class DomainError(Exception):
    """Base of every expected error. Anything else is a bug and surfaces as 500.

    `facts` are machine-readable members of the problem document: never secrets,
    never personal data.
    """

    kind: ClassVar[Kind]
    code: ClassVar[str]
    title: ClassVar[str]
    title_zh: ClassVar[str]

    def __init__(self, detail: str = "", **facts: str | int | bool | list[str]) -> None:
        super().__init__(detail)
        self.facts = facts
