"""Beginnings and ends of sessions, told to the device registry in order, by one worker."""

import asyncio
from collections import deque
from itertools import islice
from typing import Final

from device_registry.link import Changes, SessionChange

_BATCH: Final = 500


class Comings:
    """What has happened and was not told yet.

    Sessions begin in the order of their epochs and are told in that order, so one number
    says how far the watchers are: a message of session E waits for `told(E)`.
    """

    def __init__(self) -> None:
        self._watchers: list[Changes] = []
        self._untold: deque[SessionChange] = deque()
        self._news = asyncio.Event()
        self._last = 0
        self._told = asyncio.Condition()

    def __len__(self) -> int:
        """How many changes wait. The gate admits nobody while they are too many."""
        return len(self._untold)

    def watch(self, handler: Changes) -> None:
        """See `DeviceInbox.watch`."""
        self._watchers.append(handler)

    def note(self, change: SessionChange) -> None:
        """Something happened just now."""
        self._untold.append(change)
        self._news.set()

    async def told(self, epoch: int) -> None:
        """Wait until the beginning of session `epoch`, and all before it, were told."""
        if self._last >= epoch:
            return
        async with self._told:
            await self._told.wait_for(lambda: self._last >= epoch)

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until `stop`, and then what is left."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._news.set())
        try:
            while self._untold or not stop.is_set():
                await self._news.wait()
                if not stop.is_set():
                    self._news.clear()
                await self._tell()
        finally:
            stopping.cancel()

    async def _tell(self) -> None:
        while self._untold:
            batch = list(islice(self._untold, _BATCH))
            for watcher in self._watchers:
                await watcher(batch)
            for _ in batch:
                self._untold.popleft()
            begun = [change.epoch for change in batch if change.up]
            if begun:
                async with self._told:
                    self._last = begun[-1]
                    self._told.notify_all()
