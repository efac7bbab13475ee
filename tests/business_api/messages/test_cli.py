"""`linli messages`, as an operator runs it."""

import asyncio
from pathlib import Path

from business_api.messages.models import Channel, Delivery, DeliveryState, Lane, Message
from foundation import conditions, db
from foundation.clock import utc_now
from foundation.ids import new_id
from tests.business_api.messages.desk import KIND
from tests.support import database as databases
from tests.support.commands import environment, linli


async def test_what_was_given_up_is_listed_and_tried_once_more(tmp_path: Path):
    database = databases.at(tmp_path / "linli.sqlite3")
    env = environment(tmp_path / "data", database)
    assert (await asyncio.to_thread(linli, "migrate", env=env)).returncode == 0
    async with db.opened(database):
        account_id = new_id()
        message = await Message.create(
            account_id=account_id,
            kind=KIND,
            key="1",
            params={},
            lane=Lane.FEW,
            round=1,
            created_at=utc_now(),
        )
        await Delivery.create(
            message=message,
            account_id=account_id,
            channel=Channel.SMS,
            lane=Lane.FEW,
            state=DeliveryState.DEAD,
            attempts=10,
            error="attempts",
        )
        await conditions.report("messages_dead", "channel/sms", "1 given up at once")

        shown = await asyncio.to_thread(linli, "messages", "dead", env=env)
        assert shown.returncode == 0, shown.stderr
        assert KIND in shown.stdout
        assert "共 1 条" in shown.stdout

        for channel, number in (("wechat", 0), ("sms", 1), ("sms", 0)):
            done = await asyncio.to_thread(linli, "messages", "revive", channel, env=env)
            assert done.stdout.strip() == f"{number} deliveries are tried again."
        row = await Delivery.get()
        assert (row.state, row.attempts, row.error) == (DeliveryState.WAITING, 0, "")
        assert row.next_try is not None
        assert await conditions.current(None) == []
