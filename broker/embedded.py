"""`DeviceLink` when the stations' sessions are in this process."""

from broker.lane import Lane
from device_registry.link import Delivery
from foundation.ids import Mac


class EmbeddedLink:
    """Sends through the lane's own table: what it says of a session is true at that moment."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    async def send(self, mac: Mac, topic: str, payload: bytes, *, qos: int) -> Delivery:
        """See `DeviceLink.send`. Nothing is awaited between the look and the write."""
        sent = self._lane.deliver(mac, topic, payload, qos)
        return Delivery.SENT if sent else Delivery.OFFLINE

    async def kick(self, mac: Mac, reason: str) -> bool:
        """See `DeviceLink.kick`."""
        return self._lane.kick(mac, reason)
