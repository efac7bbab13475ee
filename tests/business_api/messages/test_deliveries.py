import asyncio
from datetime import timedelta

import pytest

from business_api.accounts.models import Account
from business_api.messages import deliveries, letters, worker
from business_api.messages.channels import ChannelDown, dead, each, failed, skipped
from business_api.messages.deliveries import claim, settle
from business_api.messages.models import (
    Channel,
    Delivery,
    DeliveryState,
    Message,
    MessagePreference,
    QuietHours,
)
from business_api.messages.routing import OUT, route
from foundation import conditions
from foundation.metrics import exposition
from foundation.settings_outside import Messages
from tests.business_api.conftest import Api
from tests.business_api.messages.desk import KIND, Desk, change, people, posting, told
from tests.support.outage import outage
from tests.support.until import until


async def settled(count: int) -> bool:
    return await Delivery.filter(next_try=None).count() == count


async def test_a_kick_brings_it_out(api: Api):
    desk, [one] = Desk(), await people(1)
    change(api.context, period=timedelta(hours=1))
    async with posting(api.context, desk):
        await until(lambda: api.context.wake._waiting)
        await told(api.context, [one])
        await until(lambda: settled(1))
    [letter] = desk.letters
    assert (letter.title, letter.body) == ("房屋认证已通过", "您对1号楼 0101的认证已通过审核。")
    row = await Delivery.get()
    assert (row.state, row.attempts, row.sent_at is not None) == (DeliveryState.SENT, 1, True)


async def test_who_fails_is_tried_again_with_pauses_and_given_up(api: Api):
    desk, some = Desk(answer=lambda _: failed("provider")), await people(3)
    await told(api.context, some)
    attempts = api.context.settings.messages.attempts

    async def move_on() -> bool:
        rows = await Delivery.all()
        if rows and all(row.state is DeliveryState.FAILED and row.lease is None for row in rows):
            last = max(row.next_try for row in rows)
            api.time.ahead += max(timedelta(), last - api.time())
            api.context.wake.kick(OUT)
        return bool(rows) and all(row.state is DeliveryState.DEAD for row in rows)

    async with posting(api.context, desk):
        await until(move_on, 60)
    assert len(desk.letters) == 3 * attempts
    assert api.time.ahead > timedelta(minutes=20)
    [trouble] = await conditions.current(None, [deliveries.GIVEN_UP])
    assert trouble.subject == "channel/sms"
    letters_, total = await deliveries.dead(2)
    assert ([row.message.kind for row in letters_], total) == ([KIND] * 2, 3)
    assert {row.error for row in letters_} == {"attempts"}
    await worker.measure()
    assert b'messages_dead{channel="sms"} 3.0' in exposition()

    desk.answer = lambda _: failed("provider") if _.account_id == some[0] else skipped("number")
    assert await deliveries.revive(api.context, Channel.SMS) == 3
    assert await conditions.current(None, [deliveries.GIVEN_UP]) == []
    async with posting(api.context, desk):
        await until(lambda: settled(2))


async def test_a_refusal_for_good_is_tried_once_and_no_trouble_of_ours(api: Api):
    desk = Desk(answer=lambda _: dead("number"))
    await told(api.context, await people(1))
    async with posting(api.context, desk):
        await until(lambda: settled(1))
    assert len(desk.letters) == 1
    assert await conditions.current(None) == []


async def test_a_broken_channel_rests_and_no_try_counts(api: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker, "_FIRST_PAUSE", timedelta(milliseconds=20))
    monkeypatch.setattr(worker, "_LONGEST_PAUSE", timedelta(milliseconds=50))
    desk = Desk(down="token")
    await told(api.context, await people(100))
    async with posting(api.context, desk):
        [trouble] = await until(lambda: conditions.current(None))
        assert (trouble.kind, trouble.subject) == (worker.DOWN, "channel/sms")
        desk.down = ""
        await until(lambda: settled(100))
    assert await conditions.current(None) == []
    assert {row.attempts for row in await Delivery.all()} == {1}


async def test_a_dead_process_keeps_nothing_to_itself(api: Api):
    some = await people(5)
    await told(api.context, some)
    await route(api.context)
    gone = await claim(api.context, Channel.SMS, 10)
    assert len(gone) == 5
    assert await claim(api.context, Channel.SMS, 10) == []
    api.time.ahead += api.context.settings.messages.lease + timedelta(seconds=1)
    again = await claim(api.context, Channel.SMS, 10)
    assert {row.id for row in again} == {row.id for row in gone}
    # The first one was only slow: what it says now is late.
    await settle(api.context, Channel.SMS, gone, {row.id: dead("number") for row in gone})
    assert await Delivery.filter(state=DeliveryState.DEAD).count() == 0


async def test_what_kills_each_process_is_given_up(api: Api):
    await told(api.context, await people(1))
    await route(api.context)
    await Delivery.all().update(attempts=api.context.settings.messages.attempts)
    batch = await claim(api.context, Channel.SMS, 10)
    ready, outcomes = await letters.prepare(api.context, batch)
    assert ready == []
    assert [outcome.error for outcome in outcomes.values()] == ["crashed"]


async def test_an_urgent_word_overtakes_a_long_queue_and_the_queue_goes_on(api: Api):
    many = await people(200)
    await told(api.context, many, key="many")
    await told(api.context, many[:2], key="few")
    await told(api.context, many[:1], key="now", kind="certification.revoked", reason="x")
    while await route(api.context):
        pass
    ids = {row.id: row.key for row in await Message.all()}
    batch = await claim(api.context, Channel.SMS, 16)
    keys = [ids[row.message_id] for row in batch]
    assert keys == ["now", "few", "few", *["many"] * 13]

    await told(api.context, many[:50], key="more", kind="certification.revoked", reason="x")
    while await route(api.context):
        pass
    ids = {row.id: row.key for row in await Message.all()}
    keys = [ids[row.message_id] for row in await claim(api.context, Channel.SMS, 16)]
    assert (keys.count("more"), keys.count("many")) == (12, 4)


async def test_what_is_not_wanted_any_more_is_not_sent(api: Api):
    muted, reader, gone, late, plain = some = await people(5)
    await told(api.context, some)
    await told(api.context, [reader], key="2", kind="certification.revoked", reason="x")
    await route(api.context)
    await MessagePreference.create(account_id=muted, group="home", channel="sms", on=False)
    await Message.filter(account_id=reader).update(read_at=api.time())
    await Message.filter(account_id=late).update(created_at=api.time() - timedelta(days=9))
    await Account.filter(id=gone).update(disabled_at=api.time())
    desk = Desk()
    async with posting(api.context, desk):
        await until(lambda: settled(6))
    assert {(letter.account_id, letter.urgent) for letter in desk.letters} == {
        (plain, False),
        (reader, True),
    }
    found = {
        row.account_id: (row.state, row.error)
        for row in await Delivery.exclude(state=DeliveryState.SENT)
    }
    assert found == {
        muted: (DeliveryState.SKIPPED, "muted"),
        reader: (DeliveryState.SKIPPED, "read"),
        gone: (DeliveryState.SKIPPED, "account"),
        late: (DeliveryState.DEAD, "late"),
    }


async def test_who_mutes_or_is_shut_out_before_gets_nothing_but_in_the_app(api: Api):
    muted, gone, mute_elsewhere = some = await people(3)
    await MessagePreference.create(account_id=muted, group="home", channel="sms", on=False)
    await MessagePreference.create(account_id=mute_elsewhere, group="work", channel="sms", on=False)
    await Account.filter(id=gone).update(disabled_at=api.time())
    await told(api.context, some)
    await route(api.context)
    assert await Delivery.all().values_list("account_id", flat=True) == [mute_elsewhere]
    assert await Message.filter(round=1).count() == 3


async def test_quiet_hours_hold_back_what_can_wait(api: Api):
    [one] = await people(1)
    now = api.time()
    minute = now.hour * 60 + now.minute
    begin, end = (minute - 60) % 1440, (minute + 120) % 1440
    await QuietHours.create(account_id=one, begin=begin, end=end, zone="UTC")
    await told(api.context, [one])
    await told(api.context, [one], key="2", kind="certification.revoked", reason="x")
    desk = Desk()
    async with posting(api.context, desk):
        await until(lambda: settled(1))
        assert [letter.kind for letter in desk.letters] == ["certification.revoked"]
        waiting = await Delivery.get(state=DeliveryState.WAITING)
        assert timedelta(hours=1) < waiting.next_try - now <= timedelta(hours=2)
        api.time.ahead = timedelta(hours=2)
        await until(lambda: settled(2))
    assert len(desk.letters) == 2


async def test_quiet_hours_that_came_between_count_too(api: Api):
    [one] = await people(1)
    await told(api.context, [one])
    await route(api.context)
    now = api.time()
    minute = now.hour * 60 + now.minute
    await QuietHours.create(
        account_id=one, begin=(minute - 1) % 1440, end=(minute + 60) % 1440, zone="UTC"
    )
    desk = Desk()
    async with posting(api.context, desk):
        await until(lambda: Delivery.filter(error="quiet").exists())
    row = await Delivery.get()
    assert (row.state, row.attempts, desk.letters) == (DeliveryState.WAITING, 0, [])


async def test_one_letter_that_breaks_or_hangs_hurts_no_other(api: Api):
    await told(api.context, await people(8))
    await route(api.context)
    ready, _ = await letters.prepare(api.context, await claim(api.context, Channel.SMS, 20))

    async def send(letter):
        number = ready.index(letter)
        if number == 1:
            raise RuntimeError("+8613800138000")
        if number == 2:
            await asyncio.Event().wait()
        return skipped("number")

    report = await each(ready, send, Messages(width=3), timeout=timedelta(seconds=0.1))
    assert [report.outcomes[letter.id].error for letter in ready] == [
        "number",
        "internal",
        "timeout",
        *["number"] * 5,
    ]

    async def cut(letter):
        if ready.index(letter) == 3:
            raise ChannelDown("token")
        return skipped("number")

    report = await each(ready, cut, Messages(width=1))
    assert (len(report.outcomes), report.down) == (3, "token")

    async def slow(letter):
        await asyncio.Event().wait()

    brief = Messages(width=2, lease=timedelta(seconds=0.1), timeout=timedelta(seconds=0.1))
    report = await each(ready, slow, brief)
    assert [outcome.error for outcome in report.outcomes.values()] == ["timeout"] * 2


async def test_a_database_that_goes_away_is_waited_for(api: Api, database):
    desk, some = Desk(), await people(50)
    async with posting(api.context, desk):
        await told(api.context, some[:25])
        await until(lambda: settled(25))
        async with outage(database):
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.3)
        await told(api.context, some, key="2")
        await until(lambda: settled(75), 20)
    assert len(desk.letters) == 75
