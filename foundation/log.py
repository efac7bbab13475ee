"""Logging: one JSON object a line in production, coloured lines on a terminal."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

# Names of fields whose value must never be written, whoever logs it.
_SECRET: Final = re.compile(
    r"secret|password|passwd|token|authorization|cookie|api_?key|id_no|phone|pin\b|otp|template|sdp",
    re.IGNORECASE,
)


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what must not be written. The last line of defence: do not log it at all."""
    for key in event:
        if _SECRET.search(key):
            event[key] = "***"
    return event


def configure(*, json: bool | None = None, level: str = "info") -> None:
    """Set up structlog for the process. Called by entry points only."""
    if json is None:
        json = not sys.stderr.isatty()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s %(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            redact,
            structlog.processors.dict_tracebacks if json else structlog.dev.set_exc_info,
            structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
