"""The language of an answer: Chinese unless the caller prefers English."""

from typing import Final, Literal

from starlette.requests import HTTPConnection

Language = Literal["zh", "en"]
DEFAULT: Final[Language] = "zh"


def preferred(accept: str) -> Language:
    """The language of ours that an `Accept-Language` header (RFC 9110, 12.5.4) likes best.

    A malformed header, or one that names neither, means the default. Of two equally liked
    the one named first wins.
    """
    best: Language = DEFAULT
    best_weight = 0.0
    for item in accept[:200].split(","):
        tag, _, weight = item.partition(";")
        primary = tag.strip().lower().split("-")[0]
        liked = _weight(weight)
        if liked <= best_weight:
            continue
        if primary in {"zh", "*"}:
            best, best_weight = "zh", liked
        elif primary == "en":
            best, best_weight = "en", liked
    return best


def language_of(connection: HTTPConnection) -> Language:
    """The language to answer `connection` in."""
    return preferred(connection.headers.get("accept-language", ""))


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
