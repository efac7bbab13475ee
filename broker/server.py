"""The open lane: amqtt, for every client that is no station. The only module that imports it.

What of amqtt is overridden here, and why: `docs/decisions/0003-open-lane.md`. Written
against 0.12.1, private methods included, and pinned to it.
"""

import asyncio
import logging
import secrets
import ssl
from dataclasses import dataclass, replace
from typing import Final

import structlog
from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action as AmqttAction
from amqtt.mqtt.pingreq import PingReqPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.pubrel import PubrelPacket
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from broker import codec
from broker.authority import Action
from broker.lane import Lane
from broker.open_client import PUBCOMP, PUBREC, Client, Tickets
from broker.open_lane import ServiceLane
from broker.open_router import Router, allowed
from foundation.runner import Context

log = structlog.get_logger()

LISTENER: Final = "default"
_CLIENT: Final = "linli.client"


class TicketDoor(BaseAuthPlugin):
    """Lets in who has a ticket, and nobody else: passwords were the gate's business."""

    @dataclass
    class Config:
        """Filled in by `OpenBroker`."""

        tickets: Tickets

    async def authenticate(self, *, session: Session) -> bool:
        """True once for every ticket."""
        client = self.config.tickets.take(session.password)
        session.password = None
        session.attributes[_CLIENT] = client
        return client is not None


class TopicGuard(BaseTopicPlugin):
    """Asks the authority, for amqtt's own publish, subscribe and receive."""

    @dataclass
    class Config:
        """Nothing to configure."""

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: AmqttAction | None = None,
    ) -> bool:
        """True when the authority allows it."""
        client = client_of(session)
        if client is None or topic is None or action is None:
            return False
        return allowed(client, Action(action.value), topic)


def client_of(session: Session | None) -> Client | None:
    """The connection behind a session of amqtt."""
    client = session.attributes.get(_CLIENT) if session is not None else None
    return client if isinstance(client, Client) else None


class PacketReader(ReaderAdapter):
    """Gives amqtt one packet at a time: the next when it has dealt with the last.

    amqtt starts a task for every packet and cancels those under way when the connection
    ends, which loses what a client said last. Here nothing is under way by then.
    """

    def __init__(self, client: Client, connect: bytes) -> None:
        self.client = client
        self._packet = connect
        self._at = 0
        self._dealt = asyncio.Event()
        self._dealt.set()

    def dealt(self) -> None:
        """The packet last given is done with."""
        self._dealt.set()

    async def read(self, n: int = -1) -> bytes:
        """Exactly `n` bytes of the packet in hand, or of the next one.

        Raises:
            asyncio.IncompleteReadError: the client is gone.
        """
        if self._at == len(self._packet):
            await self._dealt.wait()
            self._packet, self._at = await self.client.packet(), 0
            self._dealt.clear()
        if n < 0 or len(self._packet) - self._at < n or not self._packet:
            raise asyncio.IncompleteReadError(b"", n)
        self._at += n
        return self._packet[self._at - n : self._at]

    def feed_eof(self) -> None:
        """Nothing to do: `Client` knows."""


class ClientWriter(WriterAdapter):
    """What amqtt writes goes out within the client's bounds."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def write(self, data: bytes) -> None:
        """Never waits."""
        self._client.send(data)

    async def drain(self) -> None:
        """Never waits either: over its bound a client is cut."""

    def get_peer_info(self) -> tuple[str, int]:
        """Address and port."""
        return self._client.peer

    def get_ssl_info(self) -> ssl.SSLObject | None:
        """Not needed behind the gate."""
        return None

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()


class OpenHandler(BrokerProtocolHandler):
    """One session's protocol: publishing, in and out, is ours; the rest is amqtt's."""

    def __init__(self, broker: "OpenBroker", packets: PacketReader) -> None:
        super().__init__(broker.plugins_manager)
        self._router = broker.router
        self._packets = packets
        self._client = packets.client

    async def handle_publish(self, publish_packet: PublishPacket) -> None:
        """Take a message in: acknowledged when every subscriber's queue has it.

        Who says what it may not say is cut off: an acknowledgement would be a lie.
        """
        topic, payload = publish_packet.topic_name or "", publish_packet.data or b""
        qos, packet_id = publish_packet.qos or 0, publish_packet.packet_id or 0
        if qos < 2 or self._client.is_new(packet_id):
            retain = publish_packet.retain_flag
            if not self._router.publish(self._client, topic, payload, qos, retain=retain):
                self._client.end("forbidden")
        if qos:
            self._answer(codec.PUBACK if qos == 1 else PUBREC, packet_id)
        self._packets.dealt()

    async def handle_pubrel(self, pubrel: PubrelPacket) -> None:
        """End a message of QoS 2."""
        self._client.released(pubrel.packet_id)
        self._answer(PUBCOMP, pubrel.packet_id)
        self._packets.dealt()

    async def handle_puback(self, puback: PubackPacket) -> None:
        """Open the window for the next."""
        self._client.acknowledged(puback.packet_id)
        self._packets.dealt()

    async def handle_pingreq(self, pingreq: PingReqPacket) -> None:
        """Answer."""
        await super().handle_pingreq(pingreq)
        self._packets.dealt()

    async def mqtt_acknowledge_subscription(self, packet_id: int, return_codes: list[int]) -> None:
        """Answer a SUBSCRIBE, in the order they came."""
        await super().mqtt_acknowledge_subscription(packet_id, return_codes)
        self._packets.dealt()

    async def mqtt_acknowledge_unsubscription(self, packet_id: int) -> None:
        """Answer an UNSUBSCRIBE, in the order they came."""
        await super().mqtt_acknowledge_unsubscription(packet_id)
        self._packets.dealt()

    def _answer(self, kind: int, packet_id: int) -> None:
        self._client.send(codec.packet(kind << 4, packet_id.to_bytes(2, "big")))


class OpenBroker(Broker):
    """amqtt without listeners, queues and stored sessions."""

    def __init__(self, router: Router) -> None:
        # It calls every refused or broken client a warning; we count and log those ourselves.
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        self._tickets = Tickets()
        super().__init__(
            {
                "listeners": {LISTENER: {"type": "external"}},
                "plugins": {
                    f"{__name__}.{TicketDoor.__name__}": {"tickets": self._tickets},
                    f"{__name__}.{TopicGuard.__name__}": {},
                },
            }
        )
        self.router = router

    async def retain_message(
        self,
        source_session: Session | None,
        topic_name: str | None,
        data: bytes | bytearray | None,
        qos: int | None = None,
    ) -> None:
        """Nothing: the router keeps what may be kept, and gives it to who may have it."""

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        """The granted QoS, or 0x80."""
        client = client_of(session)
        return self.router.subscribe(client, *subscription) if client else codec.REFUSED

    def _del_subscription(self, a_filter: str, session: Session) -> int:
        client = client_of(session)
        return int(client is not None and self.router.unsubscribe(client, a_filter))

    async def _del_all_subscriptions(self, session: Session) -> None:
        if (client := client_of(session)) is not None:
            self.router.leave(client)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        if (client := client_of(session)) is not None:
            await self.router.send_kept(client, *subscription)

    async def _broadcast_message(
        self,
        session: Session | None,
        topic: str | None,
        data: bytes | bytearray | None,
        force_qos: int | None = None,
    ) -> None:
        """A will: the only message that does not come as a PUBLISH."""
        client = client_of(session)
        if session is None or client is None or client.clean_end:
            return
        retain, qos = bool(session.will_retain), force_qos or 0
        self.router.publish(client, topic or "", bytes(data or b""), qos, retain=retain)

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        _, session = await super()._initialize_client_session(
            reader, writer, remote_address, remote_port
        )
        if not isinstance(reader, PacketReader):
            raise TypeError("not a connection of the gate")
        return OpenHandler(self, reader), session

    async def serve(self, client: Client, connect: codec.Connect) -> None:
        """Speak MQTT with a client until it is gone, and forget it."""
        ticket = secrets.token_urlsafe(24)
        # A name used once: what amqtt does about two sessions of one name is then no matter.
        client_id = f"{connect.client_id}#{ticket[:8]}"
        replay = replace(
            connect,
            client_id=client_id,
            clean=True,
            keepalive=0,
            username=client.principal.name,
            password=ticket.encode(),
        )
        self._tickets.add(ticket, client)
        try:
            reader = PacketReader(client, replay.encode())
            await self.external_connected(reader, ClientWriter(client), LISTENER)
        except Exception:  # a fault in amqtt costs one client, never the doors
            log.exception("client.session.failed", account=client.principal.name)
        finally:
            self._tickets.take(ticket)
            self.router.leave(client)
            await self._cleanup_session(client_id)


def open_lane(context: Context, lane: Lane) -> ServiceLane:
    """The lane for everybody who is no station; it hears stations through `lane.mirror`."""
    return ServiceLane(context.settings.broker, lane, OpenBroker)
