"""Telling 20,000 people something: the transaction of the fact, the routing, the channels.

The channel takes no time, so that what is measured is ours: claiming, making ready, settling.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tortoise.transactions import in_transaction

from benchmarks.report import OURS, Row
from business_api.accounts.models import Account
from business_api.messages import routing
from business_api.messages.channels import SENT, Letter, Report
from business_api.messages.models import Channel, Delivery, Message
from business_api.messages.tell import tell
from business_api.messages.worker import Postman
from foundation import db
from foundation.clock import utc_now
from foundation.ids import new_id
from foundation.runner import Context
from foundation.security import Keyring
from foundation.settings import Database, Settings
from tests.support import database, postgres

_RUNS = 3
_KIND = "certification.approved"
_PARAMS = {"house": "1号楼 1单元 0101", "certification_id": "x"}


class _Nowhere:
    """A channel that everything has gone out through at once."""

    channel = Channel.SMS

    async def send(self, batch: Sequence[Letter]) -> Report:
        return Report({letter.id: SENT for letter in batch})


async def telling(name: str, quick: bool) -> list[Row]:
    """Recipients a second, on both databases. Brokers have no part in it: ours alone."""
    if name != OURS:
        return []
    people = 2000 if quick else 20_000
    rows = []
    for kind in ("SQLite", "PostgreSQL"):
        async with _opened(kind) as context:
            rows += await _measured(f"tell {people} people, {kind}", context, people)
    return rows


@asynccontextmanager
async def _opened(kind: str) -> AsyncIterator[Context]:
    with tempfile.TemporaryDirectory(prefix="linli-bench-tell-") as folder:
        home = Path(folder)
        if kind == "SQLite":
            made = await database.sqlite(home, home)
            safe = made.model_copy(update={"sqlite_synchronous": "FULL"})
            async with _context(home, safe) as context:
                yield context
            return
        with postgres.server() as url:
            async with database.postgres(url) as made, _context(home, made) as context:
                yield context


@asynccontextmanager
async def _context(home: Path, made: Database) -> AsyncIterator[Context]:
    context = Context(Settings(data_dir=home, database=made), Keyring(bytes(32)))
    async with db.opened(made):
        yield context


async def _measured(scenario: str, context: Context, people: int) -> list[Row]:
    accounts = [
        Account(id=new_id(), name="x", phone_index=new_id().hex, created_at=utc_now())
        for _ in range(people)
    ]
    await Account.bulk_create(accounts, batch_size=500)
    ids = [account.id for account in accounts]
    told = []
    for run in range(_RUNS):
        began = time.perf_counter()
        async with in_transaction():
            await tell(context, _KIND, str(run), ids, _PARAMS)
        told.append(people / (time.perf_counter() - began))
    began = time.perf_counter()
    while await routing.route(context):
        pass
    routed = people * _RUNS / (time.perf_counter() - began)
    delivered = await _delivered(context, people * _RUNS)
    in_app = await Message.filter(round__not_isnull=True).count()
    return [
        Row(scenario, "in their apps", in_app, "", people * _RUNS),
        Row.of(scenario, "told in one transaction", "1/s", told),
        Row(scenario, "routed", routed, "1/s", people * _RUNS),
        Row(scenario, "delivered", delivered, "1/s", people * _RUNS),
    ]


async def _delivered(context: Context, many: int) -> float:
    stop, began = asyncio.Event(), time.perf_counter()
    working = asyncio.create_task(Postman(context, [_Nowhere()]).run(stop))
    while await Delivery.exists(next_try__not_isnull=True):
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - began
    stop.set()
    await working
    return many / seconds
