"""The `linli` command in a process of its own, as an operator runs it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from foundation.settings import Database

LINLI = (sys.executable, "-m", "foundation.cli")


def environment(data_dir: Path, database: Database | None = None, **more: str) -> Mapping[str, str]:
    """Ours without its own LINLI_… variables, with these; every port is a free one."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LINLI_")}
    env |= {
        "LINLI_DATA_DIR": str(data_dir),
        "LINLI_HTTP__PORT": "0",
        "LINLI_HTTP__TLS_PORT": "0",
        "LINLI_BROKER__PORT": "0",
        "LINLI_BROKER__TLS_PORT": "0",
        "LINLI_BROKER__WS_PORT": "0",
        "PYTHONUNBUFFERED": "1",
    }
    if database is not None:
        env["LINLI_DATABASE__URL"] = database.url.get_secret_value()
    return env | more


def linli(
    *arguments: str, env: Mapping[str, str], within: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*LINLI, *arguments], env=env, capture_output=True, text=True, timeout=within, check=False
    )


@dataclass(slots=True)
class Running:
    """A command that goes on; what it writes is in `log`."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def output(self) -> str:
        return self.log.read_text()


@contextmanager
def running(
    *command: str | Path, env: Mapping[str, str], log: Path, within: float = 20
) -> Iterator[Running]:
    """Start a command, and stop it (SIGTERM, then SIGKILL) when the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield Running(process, log)
    finally:
        process.terminate()
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
