"""The form of a CONNECT: what can be said of it without knowing any secret."""

import re
from typing import Final

from broker import codec
from broker.authority import Action, Platform, ServiceAccount, may
from broker.refusals import Reason, Refusal
from foundation.ids import Mac
from foundation.settings import Broker
from foundation.wire import topics

LONGEST_ID: Final = 128
"""Characters of a client id or user name."""

_MAC: Final = re.compile(r"[0-9a-f]{12}")
# Levels and wildcards of topics, and control characters (C0, DEL, C1).
_FORBIDDEN: Final = re.compile(r"[+#/\x00-\x1f\x7f-\x9f]")


def is_station(client_id: str) -> bool:
    """Whether this id belongs to a station: 12 lower-case hex digits. All others do not."""
    return _MAC.fullmatch(client_id) is not None


def client_id(connect: codec.Connect) -> Refusal | None:
    """Refuse ids that could be mistaken for something else.

    An empty id is a wish for any, and only of who wants no session kept [MQTT-3.1.3-8].
    A MAC written otherwise than a station writes it is a mistake to be told of.
    """
    given = connect.client_id
    for name in (given, connect.username or ""):
        if len(name) > LONGEST_ID or _FORBIDDEN.search(name) is not None:
            return Refusal(Reason.CLIENT_ID)
    if not given and not connect.clean:
        return Refusal(Reason.CLIENT_ID)
    try:
        odd_mac = topics.mac12(given) != given
    except topics.BadMac:
        odd_mac = False
    return Refusal(Reason.CLIENT_ID) if odd_mac else None


def station(connect: codec.Connect, settings: Broker) -> Refusal | None:
    """Refuse a station's CONNECT that asks for what no station may have (REG/1, step 5)."""
    if not connect.username or not connect.password:
        return Refusal(Reason.NO_PASSWORD)
    if not connect.clean:
        return Refusal(Reason.FORM)
    if not settings.keepalive_min <= connect.keepalive <= settings.keepalive_max:
        return Refusal(Reason.FORM)
    will = connect.will
    if will is not None and (will.retain or will.topic != topics.will(Mac(connect.client_id))):
        return Refusal(Reason.WILL)
    return None


def will_of(connect: codec.Connect, principal: ServiceAccount | Platform) -> Refusal | None:
    """Refuse a will on a topic that its sender might not publish on."""
    if connect.will is not None and not may(principal, Action.PUBLISH, connect.will.topic):
        return Refusal(Reason.WILL)
    return None
