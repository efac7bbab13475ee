"""One live view: what it may see of what happens."""

from business_api.actors import Actor
from business_api.devices.live_changes import Change, Scope
from business_api.streams import Stream


class Watcher(Stream[Change]):
    """Offered to by `live_feed`, emptied by `live`."""

    def __init__(self, actor: Actor, scope: Scope) -> None:
        super().__init__(actor)
        self.scope = scope

    def offer(self, change: Change) -> None:
        """Queue what of `change` this stream may see; one too many ends it."""
        mine = change.within(self.scope)
        if mine is not None:
            self.put(mine)
