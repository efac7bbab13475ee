"""Nobody is missed, and in the app nobody is told twice, whatever is killed meanwhile."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tortoise.functions import Count

from business_api.messages.models import Delivery, DeliveryState, Message
from foundation.settings import Database
from tests.business_api.conftest import Api
from tests.business_api.messages import postman
from tests.business_api.messages.desk import people, told
from tests.support.until import until

RECIPIENTS = 20_000
ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def at_work(
    database: Database, folder: Path, book: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.business_api.messages.postman", str(folder), str(book)),
        cwd=ROOT,
        env=os.environ
        | {
            "LINLI_DATABASE__URL": database.url.get_secret_value(),
            "LINLI_DATABASE__SQLITE_SYNCHRONOUS": database.sqlite_synchronous,
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def lines(book: Path) -> list[str]:
    return book.read_text().split("\n")[:-1] if book.exists() else []


@pytest.mark.timeout(240)
async def test_everybody_is_told_though_the_worker_is_killed_again_and_again(
    api: Api, database: Database, tmp_path: Path
):
    everybody, book = await people(RECIPIENTS), tmp_path / "book"
    assert await told(api.context, everybody) == RECIPIENTS

    async def routing() -> bool:
        return await Message.filter(round__not_isnull=True).count() > RECIPIENTS // 10

    async with at_work(database, tmp_path, book) as first:
        await until(routing, 60)
        first.kill()
    unrouted = await Message.filter(round=None).count()
    for share in (5, 2):
        async with at_work(database, tmp_path, book) as next_:
            await until(lambda share=share: len(lines(book)) > RECIPIENTS // share, 60)
            next_.kill()
    written = len(lines(book))
    assert await told(api.context, everybody) == 0  # whoever tells it once more

    async with at_work(database, tmp_path, book):
        await until(lambda: all_settled(RECIPIENTS), 120)

    assert 0 < unrouted < RECIPIENTS
    assert RECIPIENTS // 2 < written < RECIPIENTS
    assert await Message.all().count() == RECIPIENTS
    assert await Message.filter(round=None).count() == 0
    assert set(await Message.all().values_list("account_id", flat=True)) == set(everybody)
    assert await Delivery.filter(state=DeliveryState.SENT).count() == RECIPIENTS
    twice = await Delivery.annotate(n=Count("id")).group_by("message_id").filter(n__gt=1).count()
    assert twice == 0
    outside = Counter(lines(book))
    assert outside.keys() == {str(one) for one in everybody}
    # What a dead process had sent and not written down goes out again: a batch each, at most.
    assert sum(outside.values()) - RECIPIENTS <= 3 * 8 * postman.WIDTH


async def all_settled(count: int) -> bool:
    return await Delivery.filter(next_try=None).count() == count
