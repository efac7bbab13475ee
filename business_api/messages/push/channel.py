"""Messages to browsers, through whichever push service each of them uses."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import httpcore
import structlog

from business_api.accounts import sessions
from business_api.messages.channels import (
    SENT,
    Letter,
    Outcome,
    Report,
    dead,
    each,
    failed,
    skipped,
)
from business_api.messages.models import Channel, DeliveryState
from business_api.messages.push import encryption, endpoints, subscriptions
from business_api.messages.push.endpoints import BadEndpoint
from business_api.messages.push.subscriptions import Browser
from business_api.messages.push.vapid import Vapid
from foundation.runner import Context

log = structlog.get_logger()

GONE: Final = "gone"

_KEPT: Final = timedelta(days=1)
"""By the push service, for a browser that is not running."""
_LONGEST_PAUSE: Final = timedelta(hours=1)
_ANSWER: Final = 4096
"""Bytes of an answer that are read before the connection is closed."""


class PushChannel:
    """Encrypts, signs and posts."""

    channel = Channel.WEB_PUSH

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings = context.settings.messages
        self._vapid = Vapid(context)
        self._pool = endpoints.pool(self._settings.push_networks, self._settings.width)

    async def send(self, batch: Sequence[Letter]) -> Report:
        """See `Port`. A browser that is gone, or signed out, is forgotten. Five statements."""
        browsers = await subscriptions.opened(self._context, {each.target for each in batch})
        live = await sessions.alive_among(
            {browser.session_id for browser in browsers.values()}, self._context.clock()
        )

        async def one(letter: Letter) -> Outcome:
            browser = browsers.get(letter.target)
            if browser is None or browser.account_id != letter.account_id:
                return skipped(GONE)
            if browser.session_id not in live:
                return skipped("signed_out")
            return await self._push(letter, browser)

        report = await each(batch, one, self._settings)
        await self._note(batch, report, browsers)
        return report

    async def _note(
        self, batch: Sequence[Letter], report: Report, browsers: dict[str, Browser]
    ) -> None:
        """Keep what the outcomes tell about the browsers."""
        by_state: dict[DeliveryState, set[Browser]] = {state: set() for state in DeliveryState}
        for letter in batch:
            outcome, browser = report.outcomes.get(letter.id), browsers.get(letter.target)
            if outcome is not None and browser is not None:
                by_state[outcome.state].add(browser)
        await subscriptions.forget([browser.id for browser in by_state[DeliveryState.SKIPPED]])
        good = {browser.id for browser in by_state[DeliveryState.SENT]}
        bad = {
            browser.id for browser in by_state[DeliveryState.FAILED] | by_state[DeliveryState.DEAD]
        }
        await subscriptions.note(good, bad - good)

    async def _push(self, letter: Letter, browser: Browser) -> Outcome:
        try:
            where = endpoints.read(browser.endpoint, self._settings.push_networks)
            body = encryption.encrypt(content(letter), browser.key, browser.secret)
        except (BadEndpoint, ValueError):
            return dead("subscription")
        headers = {
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Content-Length": str(len(body)),
            "TTL": str(int(_KEPT.total_seconds())),
            "Urgency": "high" if letter.urgent else "normal",
            # The same message again takes the place of one that waits (RFC 8030, 5.4).
            "Topic": letter.message_id.hex,
            "Authorization": self._vapid.authorization(where.origin, self._context.clock()),
        }
        seconds = self._settings.timeout.total_seconds()
        limits = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
        try:
            async with self._pool.stream(
                "POST",
                where.url,
                headers=list(headers.items()),
                content=body,
                extensions={"timeout": limits},
            ) as answer:
                await _drain(answer)
        except (*_UNREACHABLE, UnicodeError) as error:
            log.info("push.service.unreachable", host=where.host, error=type(error).__name__)
            return failed("unreachable")
        return _meaning(answer)


_UNREACHABLE: Final = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    OSError,
)


def content(letter: Letter) -> bytes:
    """What the service worker of the app gets: JSON, short enough for one record."""
    shown = {"id": str(letter.message_id), "kind": letter.kind, "title": letter.title}
    body = letter.body
    while True:
        raw = json.dumps(shown | {"body": body}, ensure_ascii=False).encode()
        if len(raw) <= encryption.LONGEST or not body:
            return raw
        body = body[: len(body) // 2]


async def _drain(answer: httpcore.Response) -> None:
    """Read a little of the answer, so that the connection can serve again."""
    size = 0
    async for part in answer.aiter_stream():
        size += len(part)
        if size > _ANSWER:
            return


def _meaning(answer: httpcore.Response) -> Outcome:
    """What the push service said (RFC 8030, sections 5 and 7)."""
    match answer.status:
        case 200 | 201 | 202 | 204:
            return SENT
        case 404 | 410:
            return skipped(GONE)
        case 413:
            return dead("too_large")
        case 401 | 403 | 408 | 425 | 429:
            return failed("refused", _retry_after(answer))
        case status if status >= 500:
            return failed("service", _retry_after(answer))
        case _:
            return dead("refused")


def _retry_after(answer: httpcore.Response) -> timedelta | None:
    """Seconds that the service asks for; None: as long as we find right."""
    for name, value in answer.headers:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < 8:
            return min(timedelta(seconds=max(1, int(value))), _LONGEST_PAUSE)
    return None
