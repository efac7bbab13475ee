"""Counting how often."""

from hypothesis import given
from hypothesis import strategies as st

from broker.limits import Recent


def test_the_limit_is_exact_and_slides() -> None:
    recent = Recent(3, period=60)
    assert [recent.add("a", at) for at in (0, 10, 59)] == [False, False, True]
    assert recent.full("a", 59.9)
    assert not recent.full("a", 60)
    assert recent.add("a", 61)  # 10, 59, 61
    assert not recent.full("b", 61)


@given(st.lists(st.floats(0, 10), max_size=60), st.integers(1, 6))
def test_full_means_that_so_many_lie_within_the_period(steps: list[float], limit: int) -> None:
    recent, now, times = Recent(limit, period=20), 0.0, list[float]()
    for step in steps:
        now += step
        within = [at for at in times if now - at < 20]
        assert recent.full("a", now) is (len(within) >= limit)
        recent.add("a", now)
        times.append(now)


def test_keys_are_bounded_and_the_oldest_goes() -> None:
    recent = Recent(1, keys=3)
    for key in "abcad":
        recent.add(key, 0)
    assert len(recent) == 3
    assert [key for key in "abcd" if recent.full(key, 0)] == ["a", "c", "d"]


def test_what_is_long_ago_is_forgotten() -> None:
    recent = Recent(2, period=60)
    recent.add("old", 0)
    recent.add("new", 50)
    recent.forget(70)
    assert len(recent) == 1
