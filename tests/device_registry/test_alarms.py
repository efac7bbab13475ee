"""The rules of what looks cloned."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from device_registry.devices.alarms import (
    boot_went_back,
    enrolled_behind,
    journal_went_back,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SKEW = timedelta(seconds=120)


def test_boots_only_grow() -> None:
    assert boot_went_back(5, 4)
    assert not boot_went_back(5, 5)  # a reconnect
    assert not boot_went_back(5, 6)
    assert not boot_went_back(5, 0)  # not counted
    assert not boot_went_back(0, 3)  # not known


def test_a_journal_only_grows() -> None:
    assert journal_went_back(10, 9)
    assert journal_went_back(10, 0)  # gone altogether
    assert not journal_went_back(10, 10)
    assert not journal_went_back(0, 0)


def test_an_old_request_proves_nothing() -> None:
    def behind(made: datetime, boot: int = 4) -> bool:
        return enrolled_behind(
            5, NOW - timedelta(hours=1), boot, made.timestamp(), now=NOW, skew=SKEW
        )

    assert behind(NOW)
    assert behind(NOW + SKEW)
    assert not behind(NOW, boot=5)
    assert not behind(NOW - 2 * SKEW)  # captured, or a clock that is not set
    assert not behind(NOW + 2 * SKEW)
    assert not behind(datetime(1970, 1, 2, tzinfo=UTC))


@given(
    captured=st.integers(0, 3600),
    replayed=st.integers(0, 86_400),
    clock_error=st.integers(-120, 120),
)
def test_no_replay_of_an_honest_box_is_taken_for_a_clone(
    captured: int, replayed: int, clock_error: int
) -> None:
    """It starts again after the capture, so its next session begins after it too."""
    made = NOW + timedelta(seconds=captured)
    since = made + timedelta(seconds=1)
    at = since + timedelta(seconds=replayed)
    stamped = made.timestamp() + clock_error
    assert not enrolled_behind(7, since, 6, stamped, now=at, skew=SKEW)
