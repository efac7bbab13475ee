"""The line to the broker: back-off, heartbeats, and whose messages count."""

import pytest

from device_emulator import inputs as at
from device_emulator.config import Config
from foundation.wire.hello import Heartbeat, Hello
from tests.device_emulator.bench import MAC, Bench


def test_a_heartbeat_every_half_minute() -> None:
    bench = Bench()
    bench.sent.clear()
    bench.ack()
    bench.advance(300_000)
    beats = [it for it in bench.sent if it.topic.endswith("/hb")]
    assert len(beats) == 10
    assert {it.qos for it in beats} == {0}
    assert Heartbeat.parse(beats[0].payload).sess == bench.sess


def test_back_off() -> None:
    bench = Bench()
    bench.platform_up = False
    bench.broker_up = False
    tried = len(bench.connects)
    bench.cut_line()
    gaps, last = [], bench.now
    while len(gaps) < 10:
        bench.advance(100)
        if len(bench.connects) > tried:
            tried = len(bench.connects)
            gaps.append((bench.now - last) / 1000)
            last = bench.now
    for gap, meant in zip(gaps, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60], strict=True):
        assert meant * 0.5 - 0.1 <= gap <= meant * 1.5 + 0.1


def test_a_connection_that_does_not_last_does_not_count() -> None:
    bench = Bench()
    for _ in range(6):
        bench.cut_line()
        bench.advance(bench.station.board.remaining("connect"))
        assert bench.station.uplink.online
    assert bench.station.uplink.failures == 6
    bench.advance(30_000)
    assert bench.station.uplink.failures == 0


@pytest.mark.parametrize("code", [4, 5])
def test_a_refusal_is_no_reason_to_hurry(code: int) -> None:
    bench = Bench()
    bench.refuse_with = code
    bench.cut_line()
    bench.advance(60_000)
    assert len(bench.connects) <= 9
    assert bench.enrols <= 10
    assert bench.state in {"IDLE", "ADS"}


def test_a_broker_that_is_only_having_a_bad_day_is_not_asked_about() -> None:
    bench = Bench(Config(backoff=60_000))
    asked = bench.enrols
    bench.refuse_with = 3
    bench.cut_line()
    bench.advance(100_000)
    assert bench.enrols == asked


@pytest.mark.parametrize(
    "topic",
    [
        "v1/02a1b2c30002/dn/c/cmd",
        f"v1/{MAC}/up/c/cmd",
        f"v1/{MAC}/dn/s/cmd",
        f"v1/{MAC}/dn/c/evtack",
        f"v1/{MAC}/dn/c/cmd/x",
        "cmd",
        "",
    ],
)
def test_a_command_on_any_other_topic_is_none(topic: str) -> None:
    bench = Bench()
    payload = bench.toy.command(MAC, bench.sess, exp_up=bench.uptime + 5000)
    bench.do(at.Received(topic, payload))
    assert not bench.pulses
    assert not bench.results()


def test_a_retained_message_is_no_message() -> None:
    bench = Bench()
    bench.command(retain=True)
    assert not bench.pulses
    assert not bench.results()
    assert bench.station.board.counts["retained_dropped"] == 1


def test_doors_work_without_a_line() -> None:
    bench = Bench()
    bench.learn("card", "04A1B2C3")
    bench.broker_up = False
    bench.cut_line()
    bench.do(at.Presented("card", "04A1B2C3"))
    assert len(bench.pulses) == 1
    assert bench.types()[-1] == "access.granted"


def test_it_starts_without_a_line_too() -> None:
    bench = Bench()
    bench.broker_up = False
    bench.power_cycle()
    assert bench.state == "CONNECTING"
    bench.advance(1000)
    assert bench.state == "IDLE"


def test_a_hello_that_was_lost_is_said_anew() -> None:
    """With the uptime of now: the platform reckons deadlines from it."""
    bench = Bench()
    bench.advance(60_000)
    keys = bench.toy.known[MAC].keys
    hellos = [it.payload for it in bench.sent if it.topic.endswith("/hello")]
    uptimes = [Hello.verify(payload, keys.up, MAC).up_ms for payload in hellos]
    assert len(uptimes) == 7
    assert [uptime // 10_000 for uptime in uptimes] == list(range(7))
    bench.do(at.Acked("hello"))
    bench.sent.clear()
    bench.advance(60_000)
    assert not [it for it in bench.sent if it.topic.endswith("/hello")]


def test_a_key_that_no_keypad_has() -> None:
    bench = Bench()
    for key in ("x", "", "12", "１"):
        bench.do(at.Key(key))
    assert bench.state == "IDLE"
