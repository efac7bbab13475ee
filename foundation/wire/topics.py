"""The topic grammar `v1/{mac12}/{up|dn}/{s|c}/{name}`. Built and parsed only here.

`up` is from the station, `dn` to it. Class `s` is state, QoS 1: a station converges to it
however late. Class `c` is live commands, QoS 0: never stored, never late.
"""

import re
from typing import Final, Literal, NamedTuple

from foundation.errors import DomainError, Kind
from foundation.ids import Mac

Way = Literal["up", "dn"]
Lane = Literal["s", "c"]

_MAC: Final = re.compile(r"[0-9a-f]{12}")
_NAME: Final = re.compile(r"[a-z0-9_]{1,32}")


class BadTopic(DomainError):
    """The text is not a topic of ours."""

    kind, code, title = Kind.INVALID, "bad-topic", "Not a device topic"
    title_zh = "不是设备主题"


class BadMac(DomainError):
    """The text is not the MAC of a station."""

    kind, code, title = Kind.INVALID, "bad-mac", "Not a station's MAC address"
    title_zh = "MAC 地址不正确"


class Topic(NamedTuple):
    """One topic of one station."""

    mac: Mac
    way: Way
    lane: Lane
    name: str

    def __str__(self) -> str:
        return f"v1/{self.mac}/{self.way}/{self.lane}/{self.name}"


def parse(text: str) -> Topic:
    """Take a topic apart.

    Raises:
        BadTopic: not one of ours.
    """
    match text.split("/"):
        case ["v1", mac, ("up" | "dn") as way, ("s" | "c") as lane, name] if _MAC.fullmatch(
            mac
        ) and _NAME.fullmatch(name):
            return Topic(Mac(mac), way, lane, name)
    raise BadTopic(f"not a device topic: {text[:80]!r}")


def up(mac: Mac, name: str) -> str:
    """The topic on which station `mac` says `name`."""
    return f"v1/{mac}/up/s/{name}"


def down(mac: Mac, name: str) -> str:
    """The state topic on which station `mac` is told `name` (QoS 1)."""
    return f"v1/{mac}/dn/s/{name}"


def command(mac: Mac) -> str:
    """The only topic that opens a door (QoS 0, never retained, never queued)."""
    return f"v1/{mac}/dn/c/cmd"


def filters(mac: Mac) -> tuple[tuple[str, int], tuple[str, int]]:
    """The two subscriptions of a station, each with its QoS: state, commands."""
    return (f"v1/{mac}/dn/s/#", 1), (f"v1/{mac}/dn/c/#", 0)


def will(mac: Mac) -> str:
    """The only topic a station's will may name."""
    return up(mac, "lwt")


def mac12(text: str) -> Mac:
    """Normalise a MAC as people type it: any case, with `:`, `-`, `.` or nothing between.

    Raises:
        BadMac: not 48 bits of hex, a multicast address, all zeros or all ones.
    """
    mac = re.sub(r"[\s:.\-]", "", text).lower()
    if not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1 or int(mac, 16) == 0:
        raise BadMac("a MAC address has 12 hex digits, e.g. 00:1A:2B:3C:4D:5E")
    return Mac(mac)


def is_local(mac: Mac) -> bool:
    """Whether `mac` is locally administered: made up, as emulators' are; worth a warning."""
    return bool(int(mac[:2], 16) & 2)
