"""Who subscribed to what in the open lane: found by topic, not by asking every filter.

amqtt keeps a list of filters and tries each on every message; with thousands of them that
is all it does (`docs/decisions/0003-open-lane.md`).
"""

from collections import defaultdict
from collections.abc import Hashable
from typing import Any, Final, Generic, TypeVar

Who = TypeVar("Who", bound=Hashable)

Node = dict[Any, Any]
"""One level of the filters; the key `_HERE` holds who subscribed to what ends here."""

_HERE: Final = None  # no level of a topic is None


class Index(Generic[Who]):
    """Subscriptions as nested dicts, one level of a filter in each."""

    def __init__(self) -> None:
        self._root: Node = {}
        self._filters: defaultdict[Who, set[str]] = defaultdict(set)

    def add(self, topic_filter: str, who: Who, qos: int) -> None:
        """Subscribe; a second time replaces the QoS [MQTT-3.8.4-3]."""
        node = self._root
        for level in topic_filter.split("/"):
            node = node.setdefault(level, {})
        node.setdefault(_HERE, {})[who] = qos
        self._filters[who].add(topic_filter)

    def remove(self, topic_filter: str, who: Who) -> bool:
        """End one subscription; False when there is none."""
        mine = self._filters.get(who)
        if mine is None or topic_filter not in mine:
            return False
        mine.remove(topic_filter)
        if not mine:
            del self._filters[who]
        path = [self._root]
        levels = topic_filter.split("/")
        for level in levels:
            path.append(path[-1][level])
        del path[-1][_HERE][who]
        if not path[-1][_HERE]:
            del path[-1][_HERE]
        for node, level in zip(reversed(path[:-1]), reversed(levels), strict=True):
            if node[level]:
                break
            del node[level]
        return True

    def drop(self, who: Who) -> None:
        """End all subscriptions of `who`; costs what they are, not what others have."""
        for topic_filter in list(self._filters.get(who, ())):
            self.remove(topic_filter, who)

    def count(self, who: Who) -> int:
        """How many subscriptions `who` has."""
        return len(self._filters.get(who, ()))

    def has(self, topic_filter: str, who: Who) -> bool:
        """Whether `who` has this subscription."""
        return topic_filter in self._filters.get(who, ())

    def match(self, topic: str) -> dict[Who, int]:
        """Who hears `topic`, each once, at the highest QoS of the subscriptions that match."""
        found: dict[Who, int] = {}
        levels = topic.split("/")
        nodes = [self._root]
        wild = not topic.startswith("$")  # [MQTT-4.7.2-1]
        for level in levels:
            below: list[Node] = []
            for node in nodes:
                if wild and (rest := node.get("#")):
                    _collect(rest, found)
                if (child := node.get(level)) is not None:
                    below.append(child)
                if wild and (child := node.get("+")) is not None:
                    below.append(child)
            nodes, wild = below, True
            if not nodes:
                return found
        for node in nodes:
            _collect(node, found)
            if rest := node.get("#"):  # `a/#` matches `a` too
                _collect(rest, found)
        return found

    def reaches(self, first: str) -> bool:
        """Whether any filter can match a topic whose first level is `first`."""
        return any(level in self._root for level in (first, "+", "#"))


def _collect(node: Node, found: dict[Any, int]) -> None:
    for who, qos in node.get(_HERE, {}).items():
        if found.get(who, -1) < qos:
            found[who] = qos
