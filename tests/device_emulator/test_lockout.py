"""Five wrong PINs in five minutes: nobody types for a while, twice as long each time."""

from device_emulator import inputs as at
from tests.device_emulator.bench import Bench


def _wrong(bench: Bench, times: int = 5) -> None:
    for _ in range(times):
        bench.keys("*999*")
        if bench.state == "MSG":
            bench.keys("#")


def test_it_doubles_up_to_a_quarter_of_an_hour() -> None:
    bench = Bench()
    lengths = []
    for _ in range(7):
        _wrong(bench)
        assert bench.state == "LOCKOUT"
        length = bench.station.pins.remaining
        bench.advance(length - 1)
        assert bench.state == "LOCKOUT"
        bench.advance(1)
        assert bench.state == "IDLE"
        lengths.append(length // 1000)
    assert lengths == [30, 60, 120, 240, 480, 900, 900]


def test_an_alarm_is_in_the_journal() -> None:
    bench = Bench()
    _wrong(bench)
    assert [event.type for event in bench.held()].count("pin.lockout") == 1


def test_nobody_types_and_everybody_with_a_card_comes_in() -> None:
    bench = Bench()
    bench.learn("card", "04A1B2C3")
    bench.learn("pin", "1234")
    _wrong(bench)
    bench.keys("*1234*")
    assert not bench.pulses
    bench.do(at.Presented("card", "04A1B2C3"))
    assert len(bench.pulses) == 1
    bench.advance(5000)
    bench.keys("*")
    assert bench.state == "LOCKOUT"  # the screen went home, the lock stays


def test_a_command_opens_all_the_same() -> None:
    bench = Bench()
    _wrong(bench)
    bench.command()
    assert len(bench.pulses) == 1


def test_wrong_ones_are_forgotten_after_five_minutes() -> None:
    bench = Bench()
    _wrong(bench, 4)
    bench.advance(300_000)
    _wrong(bench, 4)
    assert bench.state == "IDLE"
    _wrong(bench, 1)
    assert bench.state == "LOCKOUT"


def test_a_right_one_forgives() -> None:
    bench = Bench()
    bench.learn("pin", "1234")
    _wrong(bench, 4)
    bench.keys("*1234*")
    bench.advance(6000)
    _wrong(bench, 4)
    assert bench.state == "IDLE"
    _wrong(bench, 1)
    assert bench.station.pins.remaining == 30_000


def test_pulling_the_plug_does_not_help() -> None:
    bench = Bench()
    _wrong(bench)
    bench.advance(25_000)
    bench.power_cycle()
    bench.advance(1000)
    bench.keys("*")
    assert bench.state == "LOCKOUT"
    bench.advance(30_000)
    assert bench.state == "IDLE"
    _wrong(bench, 4)
    bench.power_cycle()
    bench.advance(1000)
    _wrong(bench, 1)
    assert bench.station.pins.remaining == 60_000
