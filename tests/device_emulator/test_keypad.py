"""What a visitor and a caretaker do at the keypad."""

import pytest

from device_emulator import inputs as at
from device_emulator.config import Config
from device_emulator.credentials import Mode
from device_emulator.status import describe
from tests.device_emulator.bench import Bench


def _screen(bench: Bench) -> str:
    return " / ".join(describe(bench.station)["screen"])


def test_the_ads_come_by_themselves_and_any_key_wakes() -> None:
    bench = Bench()
    bench.advance(15_000)
    assert bench.state == "ADS"
    for key, state in (("1", "DIAL"), ("*", "PIN"), ("#", "IDLE")):
        bench = Bench()
        bench.advance(15_000)
        bench.keys(key)
        assert bench.state == state


def test_a_room_number_is_collected_and_calls_are_said_to_be_missing() -> None:
    bench = Bench()
    bench.keys("0102#1*")
    assert bench.state == "MSG"
    assert "呼叫功能未启用" in _screen(bench)
    bench.advance(4000)
    assert bench.state == "IDLE"


@pytest.mark.parametrize(
    ("keys", "wait", "state"),
    [
        ("0", 5000, "DIAL"),
        ("01", 29_999, "DIAL"),  # too short to be a number: until t_dial
        ("01", 30_000, "IDLE"),
        ("010", 5999, "DIAL"),
        ("010", 6000, "MSG"),
        ("01020304", 0, "MSG"),  # as long as a number can be
        ("01##", 0, "DIAL"),
        ("01###", 0, "IDLE"),
        ("01*", 0, "DIAL"),
    ],
)
def test_dialling(keys: str, wait: int, state: str) -> None:
    bench = Bench()
    bench.keys(keys)
    bench.advance(wait)
    assert bench.state == state


def test_a_known_pin_opens_and_an_unknown_one_does_not() -> None:
    bench = Bench()
    bench.learn("pin", "4711", house="h7")
    bench.keys("*471")
    assert "●●●" in _screen(bench)
    assert "471" not in _screen(bench)
    bench.keys("1*")
    assert bench.state == "DOOR_OPEN"
    assert [pulse.cause for _, pulse in bench.pulses] == ["pin"]
    bench.advance(5000)
    assert bench.state == "IDLE"
    assert not bench.relays[1].on
    bench.keys("*4712*")
    assert bench.state == "MSG"
    granted, denied = bench.held()[-2:]
    assert (granted.type, granted.kind, granted.house) == ("access.granted", "pin", "h7")
    assert (denied.type, denied.reason) == ("access.denied", "unknown")


def test_a_pin_of_full_length_needs_no_star() -> None:
    bench = Bench()
    bench.learn("pin", "12345678")
    bench.keys("*12345678")
    assert bench.state == "DOOR_OPEN"


def test_a_pin_is_corrected_left_and_given_up() -> None:
    bench = Bench()
    bench.learn("pin", "12")
    bench.keys("*13#2*")
    assert bench.state == "DOOR_OPEN"
    bench.advance(5000)
    bench.keys("*1##")
    assert bench.state == "IDLE"
    bench.keys("*1")
    bench.advance(15_000)
    assert bench.state == "IDLE"


def test_a_pin_is_not_in_the_flash() -> None:
    bench = Bench()
    bench.learn("pin", "73519264")
    assert "73519264" not in repr(bench.cells)


def test_cards_and_fingers() -> None:
    bench = Bench()
    bench.learn("card", "04A1B2C3", cid="c1", house="h1")
    bench.learn("fp", "f1")
    bench.do(at.Presented("card", "04A1B2C3"))
    assert bench.state == "DOOR_OPEN"
    bench.do(at.Presented("fp", "f1"))
    assert [pulse.cause for _, pulse in bench.pulses] == ["card", "fp"]
    bench.advance(6000)
    bench.do(at.Presented("card", "DEADBEEF"))
    assert bench.state == "MSG"
    unknown = bench.held()[-1]
    assert (unknown.reason, len(unknown.value_hash or "")) == ("unknown", 32)
    bench.do(at.Forget("card", "04A1B2C3"))
    bench.do(at.Presented("card", "04A1B2C3"))
    assert len(bench.pulses) == 2


def test_a_permission_ends_by_the_clock_only_if_the_clock_is_right() -> None:
    bench = Bench()
    limit = bench.station.board.unix_ms + 60_000
    bench.learn("card", "04A1B2C3", not_after=limit)
    bench.do(at.Presented("card", "04A1B2C3"))
    assert bench.state == "DOOR_OPEN"
    bench.advance(61_000)
    bench.do(at.Presented("card", "04A1B2C3"))
    assert bench.held()[-1].reason == "expired"
    bench.station.board.clock_set = False
    bench.do(at.Presented("card", "04A1B2C3"))
    assert bench.held()[-1].reason == "clock_untrusted"


def test_lockdown_lets_only_emergency_cards_in() -> None:
    bench = Bench()
    bench.learn("card", "04A1B2C3")
    bench.learn("card", "04FFFFFF", flag="emergency")
    bench.do(at.SetMode(Mode.LOCKDOWN))
    bench.do(at.Presented("card", "04A1B2C3"))
    assert bench.held()[-1].reason == "lockdown"
    bench.do(at.Presented("card", "04FFFFFF"))
    assert bench.state == "DOOR_OPEN"


def test_unregistered_neither_card_nor_pin_counts() -> None:
    bench = Bench(registered=False)
    bench.learn("card", "04A1B2C3")
    bench.learn("pin", "1234")
    bench.do(at.Presented("card", "04A1B2C3"))
    bench.keys("*1234*")
    assert bench.state == "UNREG"
    assert not bench.pulses


def test_the_address_and_the_code_are_on_the_screen_of_an_unregistered_station() -> None:
    bench = Bench(registered=False)
    bench.advance(1000)
    shown = _screen(bench)
    assert "02:A1:B2:C3:00:01" in shown
    assert "未注册" in shown
    assert "K7QF-2M9X" in shown
    assert "linli:mac=02a1b2c30001;code=K7QF-2M9X;pk=" in shown


def test_in_english_too() -> None:
    bench = Bench(Config(language="en"))
    assert "Room number" in _screen(bench)
