"""Processes that are measured: started, listened to, weighed, and ended."""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_LINE = 64 * 1024 * 1024


class Died(RuntimeError):
    """A process ended, or said nothing, when it was needed."""


@asynccontextmanager
async def running_process(
    *command: str, log: Path, env: Mapping[str, str]
) -> AsyncIterator[Process]:
    """Run `command` until the block ends; its stderr goes to `log`, shown if the block fails."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=errors, env=dict(env), limit=_LINE
        )
        try:
            yield process
        except Died:
            print(f"{log.name}:\n{log.read_text(errors='replace')[-3000:]}")
            raise
        finally:
            await _ended(process)


async def line_of(process: Process, within: float) -> bytes:
    """The next line it prints.

    Raises:
        Died: it printed none.
    """
    assert process.stdout
    try:
        line = await asyncio.wait_for(process.stdout.readline(), within)
    except TimeoutError:
        raise Died(f"process {process.pid} said nothing for {within} s") from None
    if not line:
        raise Died(f"process {process.pid} ended")
    return line


async def listening(port: int) -> None:
    """Wait until somebody listens on `port` of this machine.

    Raises:
        Died: nobody does within 10 seconds.
    """
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise Died(f"nothing listens on {port}")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of `pids` together, since they began."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / _TICK
    return total


def resident_bytes(pids: Iterable[int]) -> int:
    """Resident memory of `pids` together."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in pids)


async def _ended(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 15)
    except TimeoutError:
        process.kill()
        await process.wait()
