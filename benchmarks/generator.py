"""The load generator as the scenarios use it: a process that plays stations on orders."""

import json
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.process import line_of, running_process
from benchmarks.targets import Target


class Load:
    """A running load generator."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def do(self, order: str, **arguments: Any) -> dict[str, Any]:
        """Give an order of `benchmarks.load.Fleet` and wait until it is carried out.

        Raises:
            Died: the load generator did.
        """
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": order, **arguments}).encode() + b"\n")
        done: dict[str, Any] = json.loads(await line_of(self._process, 300))
        return done


@asynccontextmanager
async def stations_of(target: Target) -> AsyncIterator[Load]:
    """The stations that `target` knows, not connected yet."""
    command = (
        *(sys.executable, "-m", "benchmarks.load"),
        *(str(target.stations_file), "127.0.0.1", str(target.mqtt_port)),
    )
    log = target.stations_file.with_name("load.log")
    async with running_process(*command, log=log, env=os.environ) as process:
        yield Load(process)
