"""Nothing is forgotten before the platform has it, and no number is used twice."""

from itertools import pairwise

import pytest

from device_emulator import inputs as at
from device_emulator.config import Config
from foundation.wire.events import BATCH, EventBatch
from tests.device_emulator.bench import MAC, Bench


def _batches(bench: Bench) -> list[EventBatch]:
    return [EventBatch.parse(it.payload) for it in bench.sent if it.topic.endswith("/evt")]


def _fill(bench: Bench, events: int) -> None:
    for number in range(events):
        bench.do(at.Presented("card", f"{number:08X}"))


def test_it_is_kept_until_the_platform_has_it() -> None:
    bench = Bench()
    assert bench.types() == ["power.boot", "net.up"]
    bench.advance(30_000)
    assert len(_batches(bench)) > 2  # again and again
    bench.ack()
    assert bench.types() == []
    before = len(_batches(bench))
    bench.advance(300_000)
    assert len(_batches(bench)) == before


def test_the_wait_for_an_acknowledgement_grows_to_a_minute() -> None:
    bench = Bench(Config(t_connecting=1))
    bench.sent.clear()
    times, seen = [], 0
    for _ in range(300):
        bench.advance(1000)
        if len(_batches(bench)) > seen:
            seen = len(_batches(bench))
            times.append(bench.now)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[0] < gaps[1] < gaps[2]
    assert 47_000 <= gaps[-1] <= 73_000


@pytest.mark.parametrize("spoil", ["key", "station", "body"])
def test_an_acknowledgement_that_is_not_the_platforms(spoil: str) -> None:
    bench = Bench()
    good = bench.toy.evtack(MAC, 2)
    if spoil == "key":
        bad = bench.toy.evtack(MAC, 2, key=b"x" * 32)
    elif spoil == "station":
        other = type(MAC)("02a1b2c30002")
        bench.toy.known[other] = bench.toy.known[MAC]
        bad = bench.toy.evtack(other, 2)
    else:
        bad = good.replace(b'"upto":2', b'"upto":1')
    bench.hear("evtack", bad)
    assert len(bench.held()) == 2
    assert bench.station.board.counts["message_bad"] == 1
    bench.hear("evtack", good, retain=True)
    assert len(bench.held()) == 2
    bench.hear("evtack", good)
    assert bench.held() == []


def test_batches_of_a_hundred_oldest_first_one_at_a_time() -> None:
    bench = Bench()
    bench.cut_line()
    _fill(bench, 250)
    bench.sent.clear()
    bench.advance(2000)
    assert [len(batch.events) for batch in _batches(bench)] == [BATCH]
    sent = 0
    while bench.held():
        bench.ack()
        sent += 1
    sizes = [len(batch.events) for batch in _batches(bench)]
    assert sizes[:3] == [100, 100, len(sizes) and sizes[2]]
    seqs = [event.seq for batch in _batches(bench) for event in batch.events]
    assert seqs == sorted(set(seqs))
    assert all(batch.prev == 0 for batch in _batches(bench))


def test_no_more_is_forgotten_than_was_sent() -> None:
    bench = Bench()
    sent = bench.station.journal.seq
    _fill(bench, 5)  # one batch is on its way already
    held = bench.held()
    bench.hear("evtack", bench.toy.evtack(MAC, 10_000))
    assert bench.held() == [event for event in held if event.seq > sent]


def test_an_older_acknowledgement_changes_nothing() -> None:
    bench = Bench()
    bench.ack()
    _fill(bench, 3)
    held = bench.held()
    bench.hear("evtack", bench.toy.evtack(MAC, 1))
    assert bench.held() == held


def test_numbers_go_on_after_a_power_cut_a_wipe_and_a_roll_back() -> None:
    bench = Bench()
    bench.snapshot()
    seen: set[int] = set()
    for upset in (bench.power_cycle, bench.wipe, bench.roll_back, bench.power_cycle):
        _fill(bench, 4)
        bench.do(at.Tamper(on=True))
        new = {event.seq for event in bench.held()} - seen
        assert not seen or min(new) > max(seen), upset
        seen |= new
        upset()


def test_what_a_roll_back_took_away_is_named() -> None:
    bench = Bench()
    bench.ack()
    bench.snapshot()
    bench.cut_line()
    lost = bench.station.journal.seq
    bench.do(at.Tamper(on=True))
    bench.do(at.Tamper(on=False))
    bench.roll_back()
    gap = next(event for event in bench.held() if event.type == "gap")
    assert gap.lost == (lost, lost + 2)  # the end of the line was an event too
    assert gap.reason == "flash"


def test_what_was_acknowledged_does_not_come_back_with_a_roll_back() -> None:
    bench = Bench()
    bench.snapshot()
    bench.ack()
    bench.roll_back()
    assert bench.types() == ["power.boot"]


def test_a_copy_of_the_whole_board_uses_numbers_again() -> None:
    """That is how the platform finds a clone."""
    bench = Bench()
    bench.snapshot()
    boot, seq = bench.station.board.boot, bench.station.journal.seq
    bench.power_cycle()
    bench.roll_back(counters=True)
    assert bench.station.board.boot == boot + 1
    assert bench.station.journal.seq == seq + 1


def test_a_full_journal_drops_the_oldest_that_are_no_alarms() -> None:
    bench = Bench(Config(journal_rows=50))
    bench.ack()
    bench.cut_line()
    bench.do(at.Tamper(on=True))
    _fill(bench, 200)
    held = bench.held()
    assert len(held) <= 50
    assert held[0].type == "tamper"  # the oldest of all, but an alarm
    assert [event.type for event in held].count("journal_90") == 1
    gaps = [event for event in held if event.type == "gap"]
    assert gaps
    assert all(gap.lost and gap.lost[0] <= gap.lost[1] < gap.seq for gap in gaps)
    kept = {event.seq for event in held}
    told = {seq for gap in gaps if gap.lost for seq in range(gap.lost[0], gap.lost[1] + 1)}
    everything = set(range(held[0].seq, bench.station.journal.seq + 1))
    assert everything <= kept | told


def test_a_journal_of_alarms_only_still_has_a_bound() -> None:
    bench = Bench(Config(journal_rows=20))
    bench.cut_line()
    for number in range(300):
        bench.do(at.Tamper(on=number % 2 == 0))
    assert len(bench.held()) <= 20
    assert len(bench.station.journal) <= 20


def test_the_flash_holds_what_the_station_remembers() -> None:
    bench = Bench(Config(journal_rows=30))
    bench.cut_line()
    _fill(bench, 100)
    bench.advance(3000)
    bench.command()
    assert bench.held() == list(bench.station.journal._rows)
    bench.power_cycle()
    assert bench.held() == list(bench.station.journal._rows)


def test_an_intent_waits_until_it_is_known_how_it_went() -> None:
    bench = Bench()
    bench.ack()
    bench.cut_after = 2  # writes, pulse; the lock's answer is lost with the power
    bench.command()
    assert len(bench.pulses) == 1
    bench.advance(2000)
    opened = next(event for event in bench.events() if event.type == "remote.open")
    assert (opened.result, opened.reason) == ("unknown", "power_lost")


def test_a_clock_that_was_never_set_is_said_to_be() -> None:
    bench = Bench(registered=False)
    first = bench.held()[0]
    assert first.clk == "untrusted"
    bench.advance(1000)
    bench.do(at.Tamper(on=True))
    assert bench.held()[-1].clk == "ok"
