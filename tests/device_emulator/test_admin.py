"""`###`, the password, and what is behind it."""

import pytest

from device_emulator import inputs as at
from tests.device_emulator.bench import Bench

CODE = "123456"


def _enter(bench: Bench) -> None:
    bench.keys(f"###{CODE}*")
    assert bench.state == "SETTINGS"


def _presses(bench: Bench, *gaps: int) -> None:
    bench.keys("#")
    for gap in gaps:
        bench.advance(gap)
        bench.keys("#")


@pytest.mark.parametrize("gaps", [(0, 0), (1000, 1000)])
def test_three_in_time(gaps: tuple[int, ...]) -> None:
    bench = Bench()
    _presses(bench, *gaps)
    assert bench.state == "ADMIN_PW"


@pytest.mark.parametrize("gaps", [(1001, 0), (0, 1001), (1001, 1001, 0)])
def test_three_too_slowly(gaps: tuple[int, ...]) -> None:
    bench = Bench()
    _presses(bench, *gaps)
    assert bench.state == "IDLE"


def test_three_from_the_ads_and_from_an_unregistered_station() -> None:
    bench = Bench()
    bench.advance(20_000)
    assert bench.state == "ADS"
    bench.keys("###")
    assert bench.state == "ADMIN_PW"
    bench = Bench(registered=False)
    bench.keys("###")
    assert bench.state == "ADMIN_PW"
    bench.keys("#")
    assert bench.state == "UNREG"


@pytest.mark.parametrize("before", ["1", "*", "*1", "123456*"])
def test_not_with_something_else_on_the_screen(before: str) -> None:
    """A `#` that deletes, or leaves, is none of the three."""
    bench = Bench()
    bench.keys(before)
    bench.keys("#" * (before.count("1") + 2))
    assert bench.state != "ADMIN_PW"


def test_another_key_between_them() -> None:
    bench = Bench()
    bench.keys("##1###")  # the digit is deleted by the first `#`, the second goes home
    assert bench.state == "IDLE"
    bench.keys("##")
    assert bench.state == "ADMIN_PW"


def test_wrong_three_times_is_five_minutes_without() -> None:
    bench = Bench()
    bench.keys("###1*2*")
    assert bench.state == "ADMIN_PW"
    bench.keys("3*")
    assert bench.state == "MSG"
    fails = [event for event in bench.held() if event.type == "admin.fail"]
    assert [event.result for event in fails] == [None, None, "blocked"]
    bench.advance(10_000)
    bench.keys("###")
    assert bench.state == "MSG"
    bench.power_cycle()  # pulling the plug is no way round
    bench.advance(5000)
    bench.keys("###")
    assert bench.state == "MSG"
    bench.advance(300_000)
    bench.keys(f"###{CODE}*")
    assert bench.state == "SETTINGS"


def test_it_goes_home_by_itself() -> None:
    bench = Bench()
    bench.keys("###12")
    bench.advance(30_000)
    assert bench.state == "IDLE"
    _enter(bench)
    bench.advance(60_000)
    assert bench.state == "IDLE"


def test_volume_and_brightness_are_kept() -> None:
    bench = Bench()
    _enter(bench)
    bench.keys("39*48*#")
    assert bench.state == "IDLE"
    bench.power_cycle()
    assert bench.station.menu.values == {"wifi": 1, "volume": 9, "brightness": 8}
    told = [(event.type, event.result) for event in bench.held() if event.type[:6] == "admin."]
    changes = [("admin.volume", "9"), ("admin.brightness", "8")]
    assert told == [("admin.enter", None), *changes, ("admin.exit", None)]


def test_restart() -> None:
    bench = Bench()
    _enter(bench)
    boot = bench.station.board.boot
    bench.keys("2*")
    assert bench.station.board.boot == boot + 1
    assert bench.state == "CONNECTING"
    assert "admin.reboot" in bench.types()


def test_no_restart_in_an_evacuation() -> None:
    bench = Bench()
    _enter(bench)
    boot = bench.station.board.boot
    bench.do(at.Fire())
    bench.keys("2*")
    assert bench.station.board.boot == boot


def test_a_network_that_connects_is_kept() -> None:
    bench = Bench()
    _enter(bench)
    bench.keys("12*")
    bench.advance(5000)
    assert bench.connects[-1].network == 2
    assert bench.station.uplink.online
    bench.power_cycle()
    bench.advance(1000)
    assert bench.connects[-1].network == 2


def test_a_network_that_does_not_is_given_up() -> None:
    bench = Bench()
    _enter(bench)
    bench.broker_up = False
    bench.keys("19*")
    bench.advance(59_000)
    assert bench.connects[-1].network == 9
    bench.advance(2000)
    bench.broker_up = True
    bench.advance(120_000)
    assert bench.connects[-1].network == 1
    assert bench.station.uplink.online
    told = [event.result for event in bench.held() if event.type == "admin.wifi"]
    assert told == ["trial", "reverted"]


def test_a_card_does_nothing_in_the_settings_and_a_command_does() -> None:
    bench = Bench()
    bench.learn("card", "04A1B2C3")
    _enter(bench)
    bench.do(at.Presented("card", "04A1B2C3"))
    assert not bench.pulses
    bench.command()
    assert len(bench.pulses) == 1
    assert bench.state == "SETTINGS"
