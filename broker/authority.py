"""Who may touch which topic: one pure decision for both lanes and for external engines."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from foundation.ids import Mac
from foundation.wire import topics

LINK = "link/"
"""Topics by which another process of the platform speaks through this broker."""


class Action(StrEnum):
    """What somebody wants to do with a topic (a filter, for `SUBSCRIBE`)."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"
    RECEIVE = "receive"


@dataclass(frozen=True, slots=True)
class Device:
    """A registered station, logged in with version `secret_ver` of its secret."""

    mac: Mac
    device_id: UUID
    comm_code: str
    secret_ver: int


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A client of the open lane. `publish` and `subscribe` are topic filters."""

    name: str
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Platform:
    """The platform itself, from another process."""

    name: str = "platform"


Principal = Device | ServiceAccount | Platform


def may(principal: Principal, action: Action, topic: str) -> bool:
    """Whether `principal` may do `action` on `topic`. Pure; everything not allowed is denied.

    A station says things under `v1/{its mac}/up/s/`, subscribes to its own two filters and
    receives what they match. A service account does what its filters cover, but never
    publishes under `v1/` or `link/`: nobody speaks for a station, or to one, but the platform.
    `$` topics are matched by no wildcard, as the standard says.
    """
    if not topic or len(topic) > 1024 or "\0" in topic:
        return False
    if action is not Action.SUBSCRIBE and ("+" in topic or "#" in topic):
        return False
    match principal:
        case Device(mac=mac):
            return _device_may(mac, action, topic)
        case ServiceAccount(publish=publish, subscribe=subscribe):
            if action is Action.PUBLISH:
                own = not topic.startswith(("v1/", LINK, "$"))
                return own and any(covers(scope, topic) for scope in publish)
            hidden = topic.startswith(LINK)
            return not hidden and any(covers(scope, topic) for scope in subscribe)
        case Platform():
            return True


def _device_may(mac: Mac, action: Action, topic: str) -> bool:
    match action:
        case Action.PUBLISH:
            try:
                parsed = topics.parse(topic)
            except topics.BadTopic:
                return False
            return parsed.mac == mac and parsed.way == "up" and parsed.lane == "s"
        case Action.SUBSCRIBE:
            return any(topic == own for own, _ in topics.filters(mac))
        case Action.RECEIVE:
            return any(covers(own, topic) for own, _ in topics.filters(mac))


def covers(scope: str, wanted: str) -> bool:
    """Whether filter `scope` matches all that `wanted`, a topic or a filter, matches.

    A malformed filter covers nothing and is covered by nothing.
    """
    if not (well_formed(scope) and well_formed(wanted)):
        return False
    if wanted.startswith("$") and scope[0] in "+#":
        return False  # [MQTT-4.7.2-1]
    want = wanted.split("/")
    for index, level in enumerate(scope.split("/")):
        if level == "#":
            return True
        if index >= len(want) or want[index] == "#":
            return False
        if level != "+" and level != want[index]:
            return False
    return len(want) == len(scope.split("/"))


def well_formed(topic_filter: str) -> bool:
    """Whether wildcards stand alone in their level and `#` is last [MQTT-4.7.1-2, -3]."""
    levels = topic_filter.split("/")
    return bool(topic_filter) and all(
        ("+" not in level and "#" not in level)
        or level == "+"
        or (level == "#" and index == len(levels) - 1)
        for index, level in enumerate(levels)
    )
