"""R5, check by check and in its order; R6's answers; R11's watchdog."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from device_emulator import inputs as at
from device_emulator.commands import RING
from device_emulator.config import Config
from device_emulator.credentials import Mode
from foundation.ids import Mac, new_ulid
from foundation.wire.command import Code
from tests.device_emulator.bench import MAC, Bench
from tests.device_emulator.toy import tampered

Spoil = Callable[[Bench, dict[str, Any]], None]


def _lockdown(bench: Bench, _: dict[str, Any]) -> None:
    bench.do(at.SetMode(Mode.LOCKDOWN))


def _just_opened(bench: Bench, _: dict[str, Any]) -> None:
    bench.command()
    bench.sent.clear()
    bench.pulses.clear()


def _set(**facts: Any) -> Spoil:
    return lambda _, command: command.update(facts)


def _late(bench: Bench, command: dict[str, Any]) -> None:
    command["exp_up"] = bench.uptime - 1


def _far(bench: Bench, command: dict[str, Any]) -> None:
    command["exp_up"] = bench.uptime + 15_001


ORDER: list[tuple[str, Spoil, Code | None]] = [
    ("retained", _set(retain=True), None),
    ("wrong session", _set(sess="0" * 32), Code.WRONG_SESS),
    ("wrong key", _set(key=b"x" * 32), Code.BAD_MAC),
    ("counter not above the last", _set(ctr=0), Code.REPLAY),
    ("too late", _late, Code.EXPIRED),
    ("lockdown", _lockdown, Code.LOCKDOWN),
    ("no such door", _set(door=7), Code.NO_DOOR),
    ("hold out of range", _set(hold=31), Code.NO_DOOR),
    ("too soon", _just_opened, Code.RATE),
]
"""Ways to spoil a command, in the order in which they are looked for."""


def _spoilt(*spoils: Spoil) -> Bench:
    bench = Bench()
    bench.command(door=9)  # so that there is a counter to be above of
    bench.advance(3000)
    bench.sent.clear()
    facts: dict[str, Any] = {}
    for spoil in sorted(spoils, key=lambda it: it is not _just_opened):
        spoil(bench, facts)
    bench.command(**facts)
    return bench


@pytest.mark.parametrize(("name", "spoil", "code"), ORDER, ids=[name for name, _, _ in ORDER])
def test_each_check_refuses(name: str, spoil: Spoil, code: Code | None) -> None:
    bench = _spoilt(spoil)
    assert not bench.pulses
    assert [result.code for result in bench.results()] == ([code] if code else [])
    refused = [event for event in bench.held() if event.type == "remote.refused"]
    assert len(refused) == (2 if code else 1)
    if code:
        result = bench.results()[0]
        assert (refused[-1].result, refused[-1].cmd_id) == (code.value, result.id)
        assert result.journal_seq == refused[-1].seq
        assert result.pulsed_ms == 0


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.combinations(range(len(ORDER)), 2)), ids=str
)
def test_the_earlier_check_answers(first: int, second: int) -> None:
    """Spoilt in two ways, a command is refused for the one that comes first in R5."""
    if {ORDER[first][0], ORDER[second][0]} == {"lockdown", "too soon"}:
        spoils = [_just_opened, _lockdown]
    else:
        spoils = [ORDER[first][1], ORDER[second][1]]
    bench = _spoilt(*spoils)
    code = ORDER[first][2]
    assert not bench.pulses
    assert [result.code for result in bench.results()] == ([code] if code else [])


@pytest.mark.parametrize("hold", [0, 31, 255])
def test_a_hold_out_of_range(hold: int) -> None:
    assert not _spoilt(_set(hold=hold)).pulses


def test_a_deadline_too_far_ahead() -> None:
    bench = _spoilt(_far)
    assert [result.code for result in bench.results()] == [Code.EXPIRED]
    assert bench.held()[-1].reason == "far"


@pytest.mark.parametrize("ahead", [0, 1, 15_000])
def test_a_deadline_within_reach(ahead: int) -> None:
    bench = Bench()
    bench.command(exp_up=bench.uptime + ahead)
    assert len(bench.pulses) == 1


@pytest.mark.parametrize("hold", [1, 5, 30])
def test_a_good_one_opens_for_as_long_as_it_says(hold: int) -> None:
    bench = Bench()
    bench.command(hold=hold)
    result = bench.results()[0]
    assert (result.code, result.pulsed_ms, result.sess) == (Code.OK, hold * 1000, bench.sess)
    assert bench.state == "DOOR_OPEN"
    event = next(event for event in bench.held() if event.seq == result.journal_seq)
    assert (event.type, event.cmd_id, event.hold_ms) == ("remote.open", result.id, hold * 1000)
    assert (event.kind, event.house, event.result) == ("resident", "h1", "ok")
    bench.advance(hold * 1000)
    assert bench.relays[1].spans[-1][1] - bench.relays[1].spans[-1][0] == hold * 1000


def test_the_same_again_gets_the_same_answer_and_no_pulse() -> None:
    bench = Bench()
    payload = bench.command()
    bench.advance(5000)
    bench.hear("cmd", payload)
    bench.hear("cmd", payload)
    first, *again = bench.results()
    assert again == [first, first]
    assert len(bench.pulses) == 1


def test_the_same_refused_again_is_refused_alike() -> None:
    bench = Bench()
    payload = bench.command(door=9)
    bench.hear("cmd", payload)
    first, again = bench.results()
    assert again == first


def test_the_ring_remembers_the_last_64() -> None:
    bench = Bench(Config(rate=0))
    sent = [bench.command(door=9) for _ in range(RING + 1)]
    bench.sent.clear()
    bench.hear("cmd", sent[1])
    bench.hear("cmd", sent[0])  # fallen out: the counter stands in its way now
    assert [result.code for result in bench.results()] == [Code.NO_DOOR, Code.REPLAY]


def test_the_ring_and_the_counter_are_durable_before_the_relay_moves() -> None:
    bench = Bench()
    bench.cut_after = 1  # the writes, and the plug comes out before the pulse
    bench.command()
    assert not bench.pulses
    entries = [row["entry"] for row in bench.cells["ring"].values() if "entry" in row]
    assert [entry["code"] for entry in entries] == [None]
    assert bench.cells["ring"]["ctr"]["ctr"] == 1
    event = next(event for event in bench.held() if event.type == "remote.open")
    assert (event.result, event.reason) == ("unknown", "power_lost")


def test_a_refused_command_uses_up_its_counter() -> None:
    bench = Bench()
    bench.command(ctr=5, door=9)
    bench.command(ctr=5)
    assert bench.results()[-1].code is Code.REPLAY
    bench.command(ctr=6)
    assert len(bench.pulses) == 1


def test_a_forged_command_does_not_use_up_the_counter() -> None:
    bench = Bench()
    bench.command(ctr=2**50, key=b"x" * 32)
    bench.command(ctr=1)
    assert len(bench.pulses) == 1


@pytest.mark.parametrize("change", [{"door": 2}, {"hold": 30}, {"exp_up": 10**9}, {"new": 1}])
def test_a_changed_command(change: dict[str, Any]) -> None:
    bench = Bench(Config(doors=2))
    payload = bench.toy.command(MAC, bench.sess, exp_up=bench.uptime + 1000)
    bench.hear("cmd", tampered(payload, **change))
    assert [result.code for result in bench.results()] == [Code.BAD_MAC]
    assert not bench.pulses


def test_a_command_for_another_station() -> None:
    bench = Bench()
    other = Mac("02a1b2c30002")
    bench.toy.known[other] = bench.toy.known[MAC]
    bench.hear("cmd", bench.toy.command(other, bench.sess, exp_up=bench.uptime + 1000))
    assert [result.code for result in bench.results()] == [Code.BAD_MAC]


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"\xff", b'{"id":1}', b"[" * 100_000])
def test_what_cannot_be_read_is_dropped(payload: bytes) -> None:
    bench = Bench()
    bench.hear("cmd", payload)
    assert not bench.results()
    assert bench.station.board.counts["message_bad"] == 1


def test_a_reconnect_makes_everything_before_it_worthless() -> None:
    bench = Bench()
    payload = bench.toy.command(MAC, bench.sess, exp_up=bench.uptime + 15_000)
    bench.cut_line()
    bench.advance(2000)
    assert bench.station.uplink.online
    bench.hear("cmd", payload)
    assert bench.results()[-1].code is Code.WRONG_SESS
    assert not bench.pulses


def test_a_reboot_makes_everything_before_it_worthless() -> None:
    bench = Bench()
    payload = bench.toy.command(MAC, bench.sess, exp_up=bench.uptime + 15_000)
    bench.power_cycle()
    bench.advance(2000)
    bench.hear("cmd", payload)
    assert not bench.pulses


def test_without_a_session_nothing_counts() -> None:
    bench = Bench()
    sess = bench.sess
    bench.cut_line()
    bench.hear("cmd", bench.toy.command(MAC, sess, exp_up=bench.uptime + 5000))
    assert not bench.pulses
    assert not bench.results()


@pytest.mark.parametrize("days", [-1, 1])
def test_the_clock_has_no_say(days: int) -> None:
    bench = Bench()
    bench.do(at.Skew(days * 86_400_000))
    bench.command()
    assert len(bench.pulses) == 1
    bench.advance(3000)
    bench.command(exp_up=bench.uptime - 1)
    assert bench.results()[-1].code is Code.EXPIRED


def test_a_slow_flash_makes_it_too_late() -> None:
    """The deadline holds at the relay, not only where the command is judged."""
    bench = Bench()
    bench.slow_flash = 6000
    bench.command(exp_up=bench.uptime + 5000)
    assert not bench.pulses
    assert bench.results()[-1].code is Code.EXPIRED
    event = next(event for event in bench.held() if event.cmd_id)
    assert (event.type, event.result, event.reason) == ("remote.refused", "expired", "late")


def test_two_at_once() -> None:
    bench = Bench()
    bench.command()
    bench.command()
    assert [result.code for result in bench.results()] == [Code.OK, Code.RATE]
    bench.advance(2000)
    bench.command()
    assert bench.results()[-1].code is Code.OK


def test_two_doors_do_not_wait_for_one_another() -> None:
    bench = Bench(Config(doors=2))
    bench.command(door=1)
    bench.command(door=2)
    assert [result.code for result in bench.results()] == [Code.OK, Code.OK]


def test_the_watchdog_lets_go_after_thirty_seconds() -> None:
    bench = Bench()
    for _ in range(30):
        bench.command(hold=30)
        bench.advance(2000)
    bench.advance(60_000)
    spans = bench.relays[1].spans
    assert len(spans) >= 2
    assert max(until - since for since, until in spans) <= 30_000


def test_an_unused_opening_and_a_door_left_open() -> None:
    bench = Bench()
    bench.command()
    bench.advance(10_000)
    assert bench.types()[-1] == "open_unused"
    bench.command()
    bench.do(at.Sensor(open=True))
    bench.advance(30_000)
    bench.do(at.Sensor(open=False))
    found = [name for name in bench.types() if name.startswith("door.")]
    assert found == ["door.opened", "door.held", "door.closed", "door.held_clear"]
    bench.advance(60_000)
    bench.do(at.Sensor(open=True))
    assert bench.types()[-1] == "door.forced"


def test_an_answer_that_was_lost_is_said_again() -> None:
    bench = Bench()
    bench.command()
    bench.advance(10_000)
    assert len(bench.results()) == 2
    key = next(it.key for it in bench.sent if it.key.startswith("res/"))
    bench.do(at.Acked(key))
    bench.do(at.Acked("hello"))
    bench.advance(60_000)
    assert len(bench.results()) == 2


def test_an_answer_outlives_the_connection() -> None:
    bench = Bench()
    bench.command()
    bench.sent.clear()
    bench.cut_line()
    bench.advance(2000)
    topics = [it.topic.rsplit("/", 1)[1] for it in bench.sent]
    assert topics[:2] == ["hello", "res"]


def test_ids_are_those_of_the_platform() -> None:
    bench = Bench()
    name = new_ulid()
    bench.command(id=name)
    assert bench.pulses[0][1].ref == name
