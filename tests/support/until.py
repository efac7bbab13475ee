"""Waiting for something to become true, with a deadline, instead of sleeping and hoping."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(check: Callable[[], T | Awaitable[T]], within: float = 10.0) -> T:
    """Wait for `check` to give something true and return it; fail after `within` seconds."""
    last: object = None
    try:
        async with asyncio.timeout(within):
            while True:
                found = check()
                last = await found if inspect.isawaitable(found) else found
                if last:
                    return last  # type: ignore[return-value]
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {within} s; last seen: {last!r}") from None
