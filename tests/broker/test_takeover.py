"""Two connections with one name: the newer is right, and the older cannot harm it."""

import asyncio

from device_registry.link import Delivery
from foundation.wire import topics
from tests.attacks.raw import PUBACK, Will, publish
from tests.broker.conftest import MakeLab
from tests.broker.lab import MAC, OTHER, Lab
from tests.support.until import until


async def test_the_newer_takes_over_at_once(lab: Lab) -> None:
    old = await lab.online()
    new = await lab.online()
    await until(lambda: old.closed)
    assert await lab.link.send(MAC, topics.command(MAC), b"open", qos=0) is Delivery.SENT
    await until(lambda: [m.payload for m in new.heard] == [b"open"])
    assert not old.heard
    assert lab.reasons() == ["up", "taken_over", "up"]
    began = [change.epoch for change in lab.changes if change.up]
    assert lab.changes[1].epoch == began[0] < began[1]


async def test_the_late_end_of_the_older_is_not_told(lab: Lab) -> None:
    old = await lab.online(will=Will(topics.will(MAC), b"gone"))
    new = await lab.online()
    old.reset()
    await old.close()
    assert await new.alive()
    assert lab.reasons() == ["up", "taken_over", "up"]
    assert not lab.heard["lwt"]
    assert len(lab.lane) == 1


async def test_an_acknowledgement_due_to_the_older_does_not_go_to_the_newer(lab: Lab) -> None:
    lab.gates["evt"] = asyncio.Event()
    old = await lab.online()
    await old.send(publish(topics.up(MAC, "evt"), b"1", qos=1, pid=5))
    assert await old.alive()
    new = await lab.online()
    await new.send(publish(topics.up(MAC, "evt"), b"2", qos=1, pid=6))
    assert await new.alive()
    lab.gates["evt"].set()
    assert await new.answer(PUBACK) == b"\x00\x06"
    assert not any(kind == PUBACK for kind, _ in new.packets)
    assert [heard.epoch for heard in lab.heard["evt"]] == sorted(
        change.epoch for change in lab.changes if change.up
    )


async def test_too_many_take_overs_look_like_a_clone(make_lab: MakeLab) -> None:
    async with make_lab(takeover_limit=3, connect_rate=100) as lab:
        for _ in range(4):
            await lab.online()
        assert not lab.cloned  # 3 take-overs
        await lab.online()
        assert lab.cloned == [MAC]


async def test_coming_back_after_a_goodbye_is_no_take_over(make_lab: MakeLab) -> None:
    async with make_lab(takeover_limit=1, connect_rate=100, flap_limit=100) as lab:
        for n in range(4):
            wire = await lab.online()
            await wire.close()
            await until(lambda n=n: len(lab.changes) == 2 * n + 2)
        assert not lab.cloned


async def test_two_storms_do_not_mix(make_lab: MakeLab) -> None:
    async with make_lab(takeover_limit=1000, connect_rate=1000, flap_limit=1000) as lab:
        await asyncio.gather(*(lab.login(mac) for _ in range(25) for mac in (MAC, OTHER)))
        await until(lambda: len(lab.changes) == 2 * 49)
        for mac in (MAC, OTHER):
            reasons = lab.reasons(mac)
            assert reasons == ["up", *["taken_over", "up"] * 24]
            live = lab.lane.session(mac)
            assert live is not None
            assert live.epoch == max(c.epoch for c in lab.changes if c.mac == mac)
