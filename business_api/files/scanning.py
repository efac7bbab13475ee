"""The hook for a virus scanner: a command, run on every file before it is kept."""

import asyncio
import contextlib
import shlex
from pathlib import Path

from business_api.files.errors import FileRefused, ScannerAway
from foundation.settings_outside import Files


async def scan(settings: Files, file: Path) -> None:
    """Let the configured scanner look at `file`; nothing when there is none.

    Raises:
        FileRefused: it found something (exit code 1).
        ScannerAway: it could not be run, took too long, or failed. Nothing is kept unscanned.
    """
    if settings.scanner is None:
        return
    try:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(settings.scanner),
            str(file),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise ScannerAway(error.strerror or "") from None
    try:
        async with asyncio.timeout(settings.scanner_timeout.total_seconds()):
            code = await process.wait()
    except TimeoutError:
        raise ScannerAway("no answer in time") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if code == 1:
        raise FileRefused
    if code != 0:
        raise ScannerAway(f"exit code {code}")
