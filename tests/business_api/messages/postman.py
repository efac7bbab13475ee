"""A postman in a process of its own, to be killed: `python -m … DATA_DIR FILE`.

Its channel writes the account of every letter into FILE, one line each. The database comes
from the environment, as for `linli`.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from business_api.messages.channels import SENT, Letter, Report
from business_api.messages.models import Channel
from business_api.messages.worker import Postman
from foundation import db
from foundation.runner import Context
from foundation.security import Keyring
from foundation.settings import Settings
from foundation.settings_outside import Messages

LEASE = timedelta(seconds=2)
WIDTH = 16


class Book:
    """What leaves the platform cannot be taken back: each line is written through."""

    channel = Channel.SMS

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def send(self, batch: Sequence[Letter]) -> Report:
        for letter in batch:
            os.write(self._file, f"{letter.account_id}\n".encode())
            await asyncio.sleep(0)
        return Report({letter.id: SENT for letter in batch})


async def main(data_dir: Path, book: Path) -> None:
    settings = Settings(
        data_dir=data_dir,
        messages=Messages(lease=LEASE, width=WIDTH, batch=300, period=timedelta(seconds=0.1)),
    )
    context = Context(settings, Keyring(bytes(range(32))))
    async with db.opened(settings.database):
        await Postman(context, [Book(book)]).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
