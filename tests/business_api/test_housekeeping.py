"""What is over is forgotten, in small pieces, and nothing else."""

import asyncio
from datetime import timedelta

import pytest
from tortoise.exceptions import OperationalError

from business_api import housekeeping
from business_api.accounts.models import LoginFailure, SignInSession
from foundation.runner import Context
from tests.business_api.conftest import Api, Estate, bearer
from tests.support.until import until


async def test_sessions_and_failures_are_kept_as_long_as_they_matter(
    api: Api, park: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_AT_ONCE", 2)
    ended = await api.tokens("admin")
    await api.client.post("/v1/auth/logout", headers=bearer(ended["access_token"]))
    for n in range(5):
        await api.sign_in(f"guess{n}", "wrong")
    assert await housekeeping.forget(api.context) == 0

    api.time.ahead = timedelta(minutes=15, seconds=5)
    assert await housekeeping.forget(api.context) == 5
    assert await LoginFailure.all().count() == 0

    api.time.ahead = timedelta(days=30, minutes=5)
    assert await housekeeping.forget(api.context) == 1
    assert await SignInSession.all().count() == 1  # the expired one, until it is old too
    api.time.ahead = timedelta(days=60, minutes=5)
    assert await housekeeping.forget(api.context) == 1


@pytest.mark.parametrize(
    ("why", "goes_on"), [("database is locked", True), ("no such table", False)]
)
async def test_a_database_that_is_away_does_not_end_it_but_a_bug_does(
    api: Api, monkeypatch: pytest.MonkeyPatch, why: str, goes_on: bool
) -> None:
    asked: list[str] = []

    async def forget(context: Context) -> int:
        asked.append(why)
        raise OperationalError(why)

    monkeypatch.setattr(housekeeping, "forget", forget)
    stop = asyncio.Event()
    task = asyncio.create_task(housekeeping.run(api.context, stop))
    await until(lambda: asked)
    stop.set()
    await asyncio.wait([task], timeout=5)
    assert isinstance(task.exception(), OperationalError) is not goes_on
