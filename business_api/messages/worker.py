"""Routes what people are told and brings it out, one loop a channel: none waits for another."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from prometheus_client import Gauge
from tortoise.functions import Count

from business_api.messages import deliveries, letters
from business_api.messages.channels import Port, Report, put_off
from business_api.messages.models import Channel, Delivery, DeliveryState, Message
from business_api.messages.routing import OUT, route
from business_api.messages.tell import TOPIC
from foundation import conditions
from foundation.backoff import pause
from foundation.outage import Outage
from foundation.runner import Context
from foundation.wake import first_of

log = structlog.get_logger()

UNROUTED = Gauge("messages_unrouted", "Messages that nobody has routed yet.")
WAITING = Gauge("messages_waiting", "Deliveries not made yet, by channel.", ["channel"])
DEAD = Gauge("messages_dead", "Deliveries given up, by channel.", ["channel"])

DOWN: Final = "message_channel_down"
"""The condition: nothing goes out through a channel."""

_MEASURED: Final = timedelta(seconds=15)
_FIRST_PAUSE: Final = timedelta(seconds=2)
_LONGEST_PAUSE: Final = timedelta(minutes=5)
_TURNS: Final = 8
"""Letters in a batch for each that goes out at once."""


class Postman:
    """A service: everything that happens after `tell`."""

    name = "messages"

    def __init__(self, context: Context, channels: Sequence[Port]) -> None:
        self._context = context
        self._settings = context.settings.messages
        self._channels = channels

    async def start(self) -> None:
        """Nothing is needed before `run`."""

    async def close(self) -> None:
        """Nothing is left after `run`."""

    async def run(self, stop: asyncio.Event) -> None:
        """Route and deliver until `stop`; what is in flight is finished."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._route(stop), name="messages routing")
            group.create_task(self._measure(stop), name="messages measuring")
            for port in self._channels:
                group.create_task(self._bring(port, stop), name=f"messages {port.channel}")

    async def _route(self, stop: asyncio.Event) -> None:
        outage = Outage("messages routing")
        with self._context.wake.listen(TOPIC) as kick:
            while not stop.is_set():
                kick.clear()
                routed = 0
                with outage.bridged():
                    routed = await route(self._context)
                if not routed:
                    await first_of(kick, stop, within=self._settings.period)

    async def _bring(self, port: Port, stop: asyncio.Event) -> None:
        outage, downs = Outage(f"messages {port.channel}"), 0
        with self._context.wake.listen(OUT) as kick:
            while not stop.is_set():
                kick.clear()
                found: Report | None = None
                with outage.bridged():
                    found = await self._round(port, pause_of(downs + 1))
                if found is None:
                    await first_of(kick, stop, within=self._settings.period)
                elif found.down:
                    downs += 1
                    await first_of(stop, within=pause_of(downs))
                else:
                    downs = 0

    async def _round(self, port: Port, rest: timedelta) -> Report | None:
        """One batch; None when nothing is due. `rest`: for what a broken channel leaves."""
        context, room = self._context, self._settings.width * _TURNS
        batch = await deliveries.claim(context, port.channel, room)
        if not batch:
            return None
        ready, outcomes = await letters.prepare(context, batch)
        report = await port.send(ready) if ready else Report()
        untried = {letter.id: put_off("untried", rest) for letter in ready}
        await deliveries.settle(context, port.channel, batch, untried | outcomes | report.outcomes)
        await self._tell_state(port.channel, report)
        return report

    async def _tell_state(self, channel: Channel, report: Report) -> None:
        subject = f"channel/{channel}"
        if report.down:
            if await conditions.report(DOWN, subject, report.down, clock=self._context.clock):
                log.warning("message.channel.lost", channel=channel.value, error=report.down)
        elif report.outcomes and await conditions.clear(DOWN, subject, clock=self._context.clock):
            log.info("message.channel.back", channel=channel.value)

    async def _measure(self, stop: asyncio.Event) -> None:
        outage = Outage("messages measuring")
        while not stop.is_set():
            with outage.bridged():
                await measure()
            await first_of(stop, within=_MEASURED)


def pause_of(downs: int) -> timedelta:
    """How long a channel rests after it was found down so many times in a row."""
    return pause(downs, first=_FIRST_PAUSE, most=_LONGEST_PAUSE)


async def measure() -> None:
    """Set the gauges. Two statements, along indexes."""
    UNROUTED.set(await Message.filter(round=None).count())
    open_ = [DeliveryState.WAITING, DeliveryState.FAILED, DeliveryState.DEAD]
    rows = (
        await Delivery.filter(state__in=open_)
        .annotate(number=Count("id"))
        .group_by("state", "channel")
        .values_list("state", "channel", "number")
    )
    for channel in Channel:
        mine = {state: number for state, of, number in rows if of == channel}
        dead = mine.pop(DeliveryState.DEAD, 0)
        WAITING.labels(channel.value).set(sum(mine.values()))
        DEAD.labels(channel.value).set(dead)
