"""The plug is pulled after every single step of what a station does."""

from collections.abc import Callable

import pytest

from device_emulator import effects as fx
from device_emulator import inputs as at
from foundation.wire.command import Code
from tests.device_emulator.bench import MAC, Bench


def _open(bench: Bench) -> None:
    payload = bench.toy.command(MAC, bench.sess, ctr=1, exp_up=bench.uptime + 15_000)
    bench.hear("cmd", payload)
    bench.cut_after = None
    bench.hear("cmd", payload)  # whoever recorded it plays it again, at once and later
    bench.advance(3000)
    bench.hear("cmd", payload)


def _card(bench: Bench) -> None:
    bench.do(at.Presented("card", "04A1B2C3"))


def _pin(bench: Bench) -> None:
    bench.keys("*1234*")


def _fire(bench: Bench) -> None:
    bench.do(at.Fire())
    bench.do(at.Fire(on=False))


def _settings(bench: Bench) -> None:
    bench.keys("###123456*392*")


def _wrong_pins(bench: Bench) -> None:
    for _ in range(5):
        bench.keys("*9*#")


def _ack(bench: Bench) -> None:
    bench.ack()


STORIES = [_open, _card, _pin, _fire, _settings, _wrong_pins, _ack]


def _bench() -> Bench:
    bench = Bench()
    bench.learn("card", "04A1B2C3")
    bench.learn("pin", "1234")
    return bench


def _steps(story: Callable[[Bench], None]) -> int:
    """How many places there are to pull the plug."""
    bench = _bench()
    bench.cut_after = many = 10_000
    story(bench)
    return many - (bench.cut_after or 0) if bench.cut_after is not None else 12


@pytest.mark.parametrize("story", STORIES)
def test_whatever_is_cut_off_the_station_is_itself_again(story: Callable[[Bench], None]) -> None:
    for place in range(_steps(story) + 1):
        bench = _bench()
        before = bench.station.journal.seq
        bench.cut_after = place
        story(bench)
        bench.cut_after = None
        bench.advance(90_000)
        assert bench.state in {"IDLE", "ADS", "LOCKOUT"}, place
        assert bench.station.uplink.online, place
        assert not bench.relays[1].on, place
        assert all(until - since <= 30_000 for since, until in bench.relays[1].spans), place
        seqs = [event.seq for event in bench.held()]
        assert seqs == sorted(set(seqs)), place
        assert bench.station.journal.seq >= max([before, *seqs]), place
        assert bench.held() == list(bench.station.journal._rows), place


def _restarted(bench: Bench) -> None:
    bench.keys("###123456*2*")


@pytest.mark.parametrize("start", [Bench.power_cycle, Bench.wipe, Bench.roll_back, _restarted])
def test_a_start_that_is_cut_off_is_made_again(start: Callable[[Bench], None]) -> None:
    cut = 0
    for place in range(20):
        bench = _bench()
        bench.snapshot()
        lives = bench.lives
        bench.cut_after = place
        start(bench)
        cut += bench.cut_after is None
        assert bench.lives > lives, place
        bench.cut_after, bench.toy.known[MAC].pk = None, ""  # after a wipe its keys are others
        bench.advance(90_000)
        assert bench.state in {"IDLE", "ADS"}, place
        assert bench.station.uplink.online, place
        assert bench.held() == list(bench.station.journal._rows), place
    assert cut


def test_nothing_of_a_life_is_done_in_the_next() -> None:
    bench = _bench()
    told = len(bench.sent)
    bench.station.journal.add("admin.reboot")
    step = bench.station.step(bench.now, at.Tick())
    bench._run(fx.Step((), (fx.Reboot(), fx.Hold(1), *step.effects)))
    assert not bench.relays[1].on
    assert len(bench.sent) == told


def test_a_command_opens_once_at_most_wherever_the_plug_is_pulled() -> None:
    seen = set()
    for place in range(12):
        bench = _bench()
        bench.cut_after = place
        _open(bench)
        assert len(bench.pulses) <= 1
        seen.add(len(bench.pulses))
        bench.advance(60_000)
        told = {event.seq: event for event in bench.events() if event.cmd_id}
        if bench.pulses:
            # It opened, so the journal must not say that it did not.
            opened = [it for it in told.values() if it.type == "remote.open"]
            assert [event.result for event in opened] in (["ok"], ["unknown"]), place
        assert all(result.code is not Code.OK or bench.pulses for result in bench.results()), place
    assert seen == {0, 1}


def test_what_was_opened_is_in_the_journal_before_the_relay_moves() -> None:
    for story in (_card, _pin, _open):
        for place in range(12):
            bench = _bench()
            bench.cut_after = place
            story(bench)
            bench.cut_after = None
            if bench.pulses:
                assert {"access.granted", "remote.open"} & set(bench.types()), (story, place)


def test_a_relay_is_secure_after_a_power_cut_unless_there_is_a_fire() -> None:
    bench = _bench()
    bench.command(hold=30)
    bench.advance(1000)
    bench.power_cycle(off_ms=500)
    assert not bench.relays[1].on
    bench.do(at.Fire())
    assert bench.relays[1].on
    bench.advance(100_000)
    assert bench.relays[1].on  # for as long as it burns
    bench.power_cycle(off_ms=500)
    assert bench.relays[1].on
    bench.do(at.Fire(on=False))
    assert not bench.relays[1].on
