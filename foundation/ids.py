"""Identifiers. Time-ordered, so primary keys insert at the end of the index."""

import os
import time
from typing import Final, NewType
from uuid import UUID

Mac = NewType("Mac", str)
"""12 lower-case hex digits; see `foundation.wire.topics.mac12`."""

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> UUID:
    """A UUIDv7: 48 bits of Unix milliseconds, then random bits (RFC 9562, section 5.7)."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def new_ulid() -> str:
    """A ULID: 26 Crockford base32 characters, 48 bits of milliseconds and 80 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -5, -5))
