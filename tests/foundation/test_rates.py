"""Counting how often, and whose share it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.rates import Rate, network


def test_the_limit_is_exact_and_slides() -> None:
    rate = Rate(3, window=60)
    assert [rate.add("a", at) for at in (0, 10, 59)] == [False, False, True]
    assert rate.full("a", 59.9)
    assert not rate.full("a", 60)
    assert rate.add("a", 61)  # 10, 59, 61
    assert not rate.full("b", 61)


@given(st.lists(st.floats(0, 10), max_size=60), st.integers(1, 6))
def test_full_means_that_so_many_lie_within_the_window(steps: list[float], limit: int) -> None:
    rate, now, times = Rate(limit, window=20), 0.0, list[float]()
    for step in steps:
        now += step
        within = [at for at in times if now - at < 20]
        assert rate.full("a", now) is (len(within) >= limit)
        assert (rate.wait("a", now) > 0) is (len(within) >= limit)
        rate.add("a", now)
        times.append(now)


@given(
    limit=st.integers(1, 5),
    gaps=st.lists(st.integers(0, 40), min_size=1, max_size=40),
)
def test_never_more_than_the_limit_in_any_window(limit: int, gaps: list[int]) -> None:
    now = 0.0
    rate = Rate(limit)
    allowed: list[float] = []
    for gap in gaps:
        now += gap
        room = limit - sum(at > now - 60 for at in allowed)
        assert rate.left("k", now) == room
        assert rate.hit("k", now) == (room > 0)
        if room > 0:
            allowed.append(now)


def test_how_long_to_wait() -> None:
    rate = Rate(2)
    assert rate.wait("k", 100) == 0
    rate.hit("k", 100)
    rate.hit("k", 110)
    assert rate.wait("k", 110) == 50
    assert rate.full("k", 110)
    rate.forget("k")
    assert not rate.full("k", 110)


def test_memory_is_bounded() -> None:
    rate = Rate(1, keys=100)
    for number in range(1000):
        assert rate.hit(str(number), 0)
    assert len(rate) == 100
    assert rate.full("999", 0)
    assert not rate.full("0", 0)


def test_keys_are_bounded_and_the_least_recent_goes() -> None:
    rate = Rate(1, keys=3)
    for key in "abcad":
        rate.add(key, 0)
    assert len(rate) == 3
    assert [key for key in "abcd" if rate.full(key, 0)] == ["a", "c", "d"]


def test_what_is_long_ago_is_forgotten() -> None:
    rate = Rate(2, window=60)
    rate.add("old", 0)
    rate.add("new", 50)
    rate.sweep(70)
    assert len(rate) == 1


@pytest.mark.parametrize(
    ("address", "share"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_whose_share_an_address_uses(address: str, share: str) -> None:
    assert network(address) == share
