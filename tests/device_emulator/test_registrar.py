"""REG/1 at the station: whom it believes, what it shows, what it forgets."""

from typing import Any

import pytest

from device_emulator import inputs as at
from device_emulator.status import describe
from foundation.wire import enroll
from foundation.wire.hello import Hello, Rotate
from tests.device_emulator.bench import MAC, Bench
from tests.device_emulator.toy import Toy


def test_unregistered_then_registered_then_connected() -> None:
    bench = Bench(registered=False)
    bench.advance(2000)
    assert describe(bench.station)["user_code"] == "K7QF-2M9X"
    assert not bench.connects
    asked = bench.enrols
    bench.advance(30_000)
    assert 4 <= bench.enrols - asked <= 9
    bench.toy.register(MAC)
    bench.advance((bench.station.due() or 0) - bench.now)
    assert bench.state == "REG_OK"
    assert "柏树园 · 1号门" in describe(bench.station)["screen"]
    bench.advance(3500)
    assert bench.state == "IDLE"
    asked_for = bench.connects[0]
    assert asked_for.will_topic == f"v1/{MAC}/up/s/lwt"
    assert (asked_for.client_id, asked_for.username) == (MAC, "cc30001")
    assert asked_for.subscriptions == ((f"v1/{MAC}/dn/s/#", 1), (f"v1/{MAC}/dn/c/#", 0))
    hello = Hello.verify(bench.sent[0].payload, bench.toy.known[MAC].keys.up, MAC)
    assert (hello.sess, hello.boot) == (bench.sess, 1)
    asked = bench.enrols
    bench.advance(300_000)
    assert bench.enrols == asked  # it knows


def test_the_secret_outlives_a_power_cut() -> None:
    bench = Bench()
    asked = bench.enrols
    bench.power_cycle()
    bench.advance(1000)
    assert bench.station.uplink.online
    assert bench.enrols == asked


def test_every_session_has_a_name_of_its_own() -> None:
    bench = Bench()
    seen = set()
    for _ in range(5):
        bench.cut_line()
        bench.advance(100_000)
        seen.add(bench.sess)
    assert len(seen) == 5


def test_another_platform_is_not_believed() -> None:
    bench = Bench(registered=False)
    bench.advance(2000)
    thief = Toy()
    thief.now_ms = bench.toy.now_ms
    thief.register(MAC)
    bench.toy = thief
    bench.advance(30_000)
    assert not describe(bench.station)["registered"]
    assert "平台身份不符，拒绝连接" in describe(bench.station)["screen"]
    bench.power_cycle()
    bench.advance(30_000)
    assert not describe(bench.station)["registered"]


def test_an_answer_to_another_question_is_not_heard() -> None:
    bench = Bench(registered=False)
    bench.advance(2000)
    bench.toy.register(MAC)
    recorded = bench.toy.enrol(bench.toy.requests[-1])
    bench.do(at.EnrolAnswered(recorded))
    assert not describe(bench.station)["registered"]


def test_an_answer_that_was_tampered_with() -> None:
    bench = Bench(registered=False)
    assert describe(bench.station)["user_code"] == "K7QF-2M9X"
    honest = bench.toy.enrol

    def forge(request: enroll.EnrollRequest) -> enroll.EnrollAnswer:
        return honest(request).model_copy(update={"user_code": "AAAA-AAAA"})

    bench.toy.enrol = forge  # type: ignore[method-assign]
    bench.advance(20_000)
    assert describe(bench.station)["user_code"] == "K7QF-2M9X"
    assert describe(bench.station)["registration"] == "mistrusted"


def test_the_number_to_compare_is_our_own() -> None:
    bench = Bench(registered=False, online=False)
    known = bench.toy.register(MAC, status="confirm")
    bench.advance(6000)
    number = describe(bench.station)["number"]
    reveal = str(bench.toy.requests[-1].reveal)
    mine = enroll.comparison_number(bench.station.identity.pk, bench.toy.pk, reveal, known.share)
    assert number == mine
    assert f"核对号码 {number}" in describe(bench.station)["screen"]
    bench.power_cycle()
    bench.advance(20_000)
    assert describe(bench.station)["number"] == number
    known.status = "registered"
    bench.advance(12_000)
    assert bench.station.uplink.online
    assert describe(bench.station)["number"] is None


def test_a_number_made_with_other_keys_is_not_shown() -> None:
    """Somebody between us and the platform passes on the number of *his* keys."""
    bench = Bench(registered=False, online=False)
    bench.toy.register(MAC, status="confirm")
    answer = bench.toy.answer

    def other(nonce: str, **facts: Any) -> enroll.EnrollAnswer:
        if facts.get("number"):
            facts["number"] = f"{(int(facts['number']) + 1) % 1_000_000:06d}"
        return answer(nonce, **facts)

    bench.toy.answer = other  # type: ignore[method-assign]
    bench.advance(20_000)
    assert describe(bench.station)["number"] is None
    assert describe(bench.station)["registration"] == "mistrusted"


@pytest.mark.parametrize("status", ["suspended", "mac_conflict"])
def test_shut_out_for_now(status: str) -> None:
    bench = Bench()
    bench.learn("card", "04A1B2C3")
    bench.toy.known[MAC].status = status
    bench.refuse_with = 5
    bench.cut_line()
    bench.advance(10_000)
    connects = len(bench.connects)
    bench.advance(600_000)
    assert len(bench.connects) == connects
    bench.do(at.Presented("card", "04A1B2C3"))
    assert len(bench.pulses) == (1 if status == "suspended" else 0)
    bench.refuse_with = None
    bench.toy.known[MAC].status = "registered"
    bench.advance(100_000)
    assert bench.station.uplink.online


def test_unbound_it_forgets_and_says_so() -> None:
    bench = Bench()
    bench.learn("card", "04A1B2C3")
    bench.do(at.Tamper(on=True))
    pk = bench.station.identity.pk
    bench.toy.known[MAC].status = "unbound"
    bench.refuse_with = 5
    bench.cut_line()
    bench.advance(3000)
    assert bench.state == "UNREG"
    assert bench.toy.requests[-1].held == 0
    secret = bench.toy.known[MAC].secret
    for area in ("registration", "credential", "ring", "journal"):
        assert "04A1B2C3" not in repr(bench.cells.get(area))
    assert enroll.base64.b64encode(secret).decode() not in repr(bench.cells)
    assert bench.types()[-1] == "gap"
    del bench.toy.known[MAC]
    bench.advance(8000)
    assert describe(bench.station)["user_code"] == "K7QF-2M9X"
    assert bench.station.identity.pk == pk
    bench.refuse_with = None
    bench.toy.register(MAC)
    bench.advance(15_000)
    assert bench.station.uplink.online
    bench.do(at.Presented("card", "04A1B2C3"))
    assert not bench.pulses


def test_a_wiped_station_has_other_keys() -> None:
    bench = Bench()
    bench.wipe()
    bench.advance(3000)
    assert describe(bench.station)["registration"] == "mac_conflict"
    assert bench.state == "UNREG"


def test_a_new_secret_is_fetched_and_used() -> None:
    bench = Bench()
    known = bench.toy.known[MAC]
    order = bench.toy.signed(MAC, Rotate(secret_ver=2))
    known.secret, known.secret_ver = b"n" * 32, 2
    bench.hear("rotate", order)
    bench.advance(2000)
    assert bench.station.registrar.secret_ver == 2
    assert bench.station.uplink.online
    hellos = [it for it in bench.sent if it.topic.endswith("/hello")]
    assert Hello.verify(hellos[-1].payload, known.keys.up, MAC).secret_ver == 2
    bench.command()
    assert len(bench.pulses) == 1


def test_a_rotation_that_is_not_the_platforms() -> None:
    bench = Bench()
    asked = bench.enrols
    bench.hear("rotate", Rotate(secret_ver=2).sign(b"x" * 32, MAC))
    assert bench.enrols == asked


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_wrong_clock_is_set_by_the_platform(hours: int) -> None:
    bench = Bench()
    bench.do(at.Skew(hours * 3_600_000))
    bench.refuse_with = 5
    bench.cut_line()
    bench.advance(2000)
    bench.refuse_with = None
    bench.advance(20_000)
    assert bench.station.uplink.online
    bench.do(at.Tick())
    assert abs(bench.station.board.unix_ms - bench.toy.now_ms()) < 2000
    step = next(event for event in bench.held() if event.type == "clock.step")
    assert step.duration_ms == 24 * 3_600_000
    assert step.clk == "ok"


def test_an_unreachable_platform_is_called_less_and_less_often() -> None:
    bench = Bench(registered=False)
    bench.platform_up = False
    bench.advance(300_000)
    assert bench.station.board.counts["enrol_failed"] <= 14
    bench.platform_up = True
    bench.advance(75_000)
    assert describe(bench.station)["user_code"] == "K7QF-2M9X"


def test_a_platform_that_is_busy_is_left_alone_as_long_as_it_asks() -> None:
    bench = Bench(registered=False)
    bench.advance(2000)
    bench.platform_up = False
    bench.do(at.ContactFailed(429, 600))
    failed = bench.station.board.counts["enrol_failed"]
    bench.advance(450_000)
    assert bench.station.board.counts["enrol_failed"] == failed


def test_a_broker_that_moved_is_found() -> None:
    bench = Bench()
    bench.broker_up = False
    bench.cut_line()
    moved = bench.toy.mqtt.model_copy(update={"port": 2})
    bench.toy.mqtt = moved
    bench.advance(120_000)
    assert bench.connects[-1].address == moved
