import asyncio
import os
import signal
from datetime import timedelta

import pytest

from foundation.runner import Context, serve
from foundation.security import Keyring
from foundation.settings import Settings

GRACE = timedelta(milliseconds=200)


class Part:
    """A service that writes down what happens to it."""

    def __init__(self, name: str, diary: list[str], *, stuck: bool = False) -> None:
        self.name = name
        self._diary = diary
        self._stuck = stuck

    async def start(self) -> None:
        self._diary.append(f"start {self.name}")

    async def run(self, stop: asyncio.Event) -> None:
        try:
            await (asyncio.Event() if self._stuck else stop).wait()
            self._diary.append(f"end {self.name}")
        except asyncio.CancelledError:
            self._diary.append(f"cut {self.name}")
            raise

    async def close(self) -> None:
        self._diary.append(f"close {self.name}")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_started_in_order_and_stopped_in_reverse_at_a_signal(signum):
    diary: list[str] = []
    started = asyncio.Event()
    parts = [Part(name, diary) for name in ("broker", "registry", "api")]
    running = asyncio.create_task(serve(parts, started=started))
    await started.wait()
    assert diary == ["start broker", "start registry", "start api"]
    diary.clear()
    os.kill(os.getpid(), signum)
    await asyncio.wait_for(running, 5)
    assert diary == [
        *("end api", "end registry", "end broker"),
        *("close api", "close registry", "close broker"),
    ]


async def test_one_that_is_stuck_is_cut_and_the_others_end_politely():
    diary: list[str] = []
    started, stop = asyncio.Event(), asyncio.Event()
    parts = [Part("a", diary), Part("b", diary, stuck=True), Part("c", diary)]
    running = asyncio.create_task(serve(parts, stop=stop, started=started, grace=GRACE))
    await started.wait()
    diary.clear()
    stop.set()
    await asyncio.wait_for(running, 5)
    assert diary == ["end c", "cut b", "end a", "close c", "close b", "close a"]


async def test_one_that_fails_takes_the_others_down():
    diary: list[str] = []

    class Failing(Part):
        async def run(self, stop: asyncio.Event) -> None:
            await asyncio.sleep(0)
            raise RuntimeError("it broke")

    parts = [Part("a", diary), Failing("b", diary), Part("c", diary)]
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(serve(parts), 5)
    assert caught.group_contains(RuntimeError, match="it broke")
    assert diary[-3:] == ["close c", "close b", "close a"]
    assert {"cut a", "cut c"} <= set(diary)


async def test_one_that_cannot_start_leaves_nothing_behind():
    diary: list[str] = []

    class Unstartable(Part):
        async def start(self) -> None:
            raise OSError("the port is taken")

    parts = [Part("a", diary), Unstartable("b", diary), Part("c", diary)]
    with pytest.raises(OSError, match="port is taken"):
        await serve(parts)
    assert diary == ["start a", "close b", "close a"]


async def test_one_that_cannot_close_does_not_keep_the_others_open():
    diary: list[str] = []
    stop = asyncio.Event()
    stop.set()

    class Sticky(Part):
        async def close(self) -> None:
            raise RuntimeError("it sticks")

    with pytest.raises(ExceptionGroup, match="closing") as caught:
        await serve([Part("a", diary), Sticky("b", diary), Part("c", diary)], stop=stop)
    assert caught.group_contains(RuntimeError, match="it sticks")
    assert diary[-2:] == ["close c", "close a"]


async def test_one_that_ends_by_itself_ends_the_rest():
    diary: list[str] = []

    class Short(Part):
        async def run(self, stop: asyncio.Event) -> None:
            return

    await asyncio.wait_for(serve([Part("a", diary), Short("b", diary)]), 5)
    assert diary[-3:] == ["end a", "close b", "close a"]


def test_a_port_nobody_offers_is_named():
    context = Context(Settings(), Keyring(bytes(32)))
    context.provide(int, 7)
    assert context.need(int) == 7
    with pytest.raises(LookupError, match="provides str"):
        context.need(str)
