"""The platform as a process to be measured: `python -m benchmarks.platform embedded`.

`embedded` is `linli serve`; `gmqtt HOST PORT` is the same registry and API on another broker.
Settings come from the environment, as for `linli`.
"""

import asyncio
import json
import sys
from collections.abc import Sequence

import uvloop

from benchmarks import gmqtt_ports
from broker import service as broker
from business_api import service as api
from device_registry import service as registry
from foundation import db, log, runner
from foundation.runner import Context, Service
from foundation.security import load_keyring
from foundation.settings import Settings


async def main(kind: str, address: Sequence[str]) -> None:
    """Serve until SIGTERM; one JSON line with the ports when ready."""
    settings = Settings()
    log.configure(json=True, level=settings.log_level)
    context = Context(settings, load_keyring(settings.data_dir, None))
    async with db.opened(settings.database):
        first: Service
        if kind == "embedded":
            first = broker.build(context)
        else:
            first = gmqtt_ports.build(context, address[0], int(address[1]))
        last = api.build(context)
        services = [first, registry.build(context), last]
        started = asyncio.Event()
        serving = asyncio.create_task(runner.serve(services, started=started))
        announcing = asyncio.create_task(started.wait())
        await asyncio.wait([serving, announcing], return_when=asyncio.FIRST_COMPLETED)
        if started.is_set():
            mqtt = getattr(first, "port", None) or int(address[1])
            ports = {"http": last.port, "mqtt": mqtt}  # type: ignore[attr-defined]
            print(json.dumps(ports), flush=True)
        await serving


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2:]))
