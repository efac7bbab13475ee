"""Logging: one JSON object a line in production, coloured lines on a terminal."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import structlog
from structlog.tracebacks import ExceptionDictTransformer

# Names of fields whose value must never be written, whoever logs it.
_SECRET: Final = re.compile(
    r"secret|password|passwd|token|authorization|cookie|api_?key|id_no|phone|pin\b|otp|template|sdp",
    re.IGNORECASE,
)

# Both print tracebacks without the values of variables: those may be anything.
_JSON: Final = (
    structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    structlog.processors.JSONRenderer(ensure_ascii=False),
)
_CONSOLE: Final = (
    structlog.dev.set_exc_info,
    structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
)


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what must not be written. The last line of defence: do not log it at all."""
    for key, value in event.items():
        if key != "exc_info":  # a tuple that stays one
            event[key] = "***" if _SECRET.search(key) else _inner(value)
    return event


def _inner(value: Any) -> Any:
    """`value` with the same names replaced inside of it; a copy when it holds any mapping."""
    if isinstance(value, Mapping):
        return {
            key: "***" if _SECRET.search(str(key)) else _inner(each) for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_inner(each) for each in value]
    return value


def configure(*, json: bool | None = None, level: str = "info") -> None:
    """Set up structlog for the process, and the libraries that log otherwise.

    Called by entry points only.
    """
    if json is None:
        json = not sys.stderr.isatty()
    own = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        redact,
    )
    output = _JSON if json else _CONSOLE
    structlog.configure(
        processors=[*own, *output],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *own],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *output],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[libraries], force=True)
