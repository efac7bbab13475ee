"""Why the gate says no: a closed set, and the return code that goes with each."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker import codec


class Reason(StrEnum):
    """A label of `broker_refusals_total`."""

    MALFORMED = "malformed"  # not MQTT, or longer than a CONNECT may be
    TIMEOUT = "timeout"  # no whole CONNECT in time
    CROWDED = "crowded"  # the oldest of too many sockets without a CONNECT
    VERSION = "version"  # another MQTT
    CLIENT_ID = "client_id"  # characters that have no place in an id
    FORM = "form"  # a station that wants a session kept, or no keep-alive
    WILL = "will"  # a will on somebody else's topic, or a retained one
    NO_PASSWORD = "no_password"  # noqa: S105 - a reason, not a password
    UNKNOWN = "unknown"  # no such station or account, or not let in now
    WRONG = "wrong"  # another secret made this password
    SKEWED = "skewed"  # the right secret at another time: its clock is wrong
    REPLAYED = "replayed"  # the right password for the second time
    RATE = "rate"  # the right station too often
    BANNED = "banned"  # it came and went too often
    FULL = "full"  # no room for more
    UNAVAILABLE = "unavailable"  # our own database does not answer


CODES: Final = {
    Reason.VERSION: codec.BAD_PROTOCOL,
    Reason.CLIENT_ID: codec.BAD_CLIENT_ID,
    Reason.FORM: codec.NOT_AUTHORISED,
    Reason.WILL: codec.NOT_AUTHORISED,
    Reason.NO_PASSWORD: codec.BAD_CREDENTIALS,
    Reason.UNKNOWN: codec.NOT_AUTHORISED,
    Reason.WRONG: codec.NOT_AUTHORISED,
    Reason.SKEWED: codec.BAD_CREDENTIALS,
    Reason.REPLAYED: codec.BAD_CREDENTIALS,
    Reason.RATE: codec.UNAVAILABLE,
    Reason.BANNED: codec.UNAVAILABLE,
    Reason.FULL: codec.UNAVAILABLE,
    Reason.UNAVAILABLE: codec.UNAVAILABLE,
}
"""Reasons without a code are closed without an answer. 3 means: come again later.

Unknown and wrong look alike from outside (5). Only who holds the secret can be answered 4:
it had the right key, so its clock is wrong (ask for the time) or it repeated itself.
"""

BLAMELESS: Final = frozenset({Reason.CROWDED, Reason.FULL, Reason.UNAVAILABLE})
"""Not the fault of an address: not counted against it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no, and why."""

    reason: Reason

    @property
    def code(self) -> int | None:
        """The CONNACK return code; None: close without a word."""
        return CODES.get(self.reason)
