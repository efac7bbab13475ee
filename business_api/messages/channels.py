"""The port that every way out stands behind, and what becomes of a delivery."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import structlog

from business_api.language import Language
from business_api.messages.models import Channel, DeliveryState
from foundation.settings_outside import Messages

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Letter:
    """One delivery, ready to go out. `id` is the delivery's, `target` the channel's own."""

    id: UUID
    message_id: UUID
    account_id: UUID
    target: str
    kind: str
    params: Mapping[str, str]
    language: Language
    title: str
    body: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery.

    `error` is a code of a closed set, without personal data. `after`: not before that time
    has passed, if it is to be tried again.
    """

    state: DeliveryState
    error: str = ""
    after: timedelta | None = None


SENT = Outcome(DeliveryState.SENT)


def failed(error: str, after: timedelta | None = None) -> Outcome:
    """Not this time."""
    return Outcome(DeliveryState.FAILED, error, after)


def skipped(error: str) -> Outcome:
    """Not wanted or not possible any more, and nobody's fault."""
    return Outcome(DeliveryState.SKIPPED, error)


def dead(error: str) -> Outcome:
    """It would fail every time."""
    return Outcome(DeliveryState.DEAD, error)


def put_off(error: str, after: timedelta) -> Outcome:
    """Not tried now; the try does not count."""
    return Outcome(DeliveryState.WAITING, error, after)


@dataclass(slots=True)
class Report:
    """What became of a batch. `down`: why the channel as a whole is to rest for a while.

    What has no outcome was not tried.
    """

    outcomes: dict[UUID, Outcome] = field(default_factory=dict)
    down: str = ""


class ChannelDown(Exception):
    """Nothing can go out through the channel now, whatever it is. `str` is a code."""


class Port(Protocol):
    """A channel."""

    @property
    def channel(self) -> Channel:
        """Which one."""
        ...

    async def send(self, batch: Sequence[Letter]) -> Report:
        """Bring letters to where they go. May be asked again for one that had gone out."""
        ...


def _where(error: Exception) -> list[str]:
    return [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]


async def each(
    batch: Sequence[Letter],
    send: Callable[[Letter], Awaitable[Outcome]],
    settings: Messages,
    *,
    timeout: timedelta | None = None,
) -> Report:
    """Send letters one by one, some at once.

    None is begun any more once one says `ChannelDown`, or half of the lease is over.

    Args:
        batch: the letters.
        send: brings one where it goes.
        settings: how many at once, and for how long.
        timeout: of one letter; None: that of the settings.
    """
    report, waiting = Report(), iter(batch)
    limit = (timeout or settings.timeout).total_seconds()
    clock = asyncio.get_running_loop().time
    until = clock() + settings.lease.total_seconds() / 2

    async def work() -> None:
        for letter in waiting:
            try:
                async with asyncio.timeout(limit):
                    report.outcomes[letter.id] = await send(letter)
            except TimeoutError:
                report.outcomes[letter.id] = failed("timeout")
            except ChannelDown as error:
                report.down = str(error)
            except Exception as error:  # noqa: BLE001  (the next letter is not to blame)
                # Its text may hold an address or a name: where it broke must do.
                log.error(  # noqa: TRY400
                    "message.delivery.broke",
                    kind=letter.kind,
                    error=type(error).__name__,
                    where=_where(error),
                )
                report.outcomes[letter.id] = failed("internal")
            if report.down or clock() > until:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(min(settings.width, len(batch))):
            group.create_task(work(), name="message delivery")
    return report
