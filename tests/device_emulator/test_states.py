"""The table of the face, quantified over."""

from collections.abc import Iterator

import pytest

from device_emulator.states import MOVES, WITHOUT_SECRET, Signal, State, step

SETTLED = {State.IDLE, State.ADS, State.UNREG}
PASSING = {State.ACCESS}
"""Left again within the same input."""


def _reach(start: State, *, registered: bool, by: set[Signal] | None = None) -> set[State]:
    seen, fresh = {start}, [start]
    while fresh:
        at = fresh.pop()
        for signal in by or set(Signal):
            to = step(at, signal, registered=registered)
            if to is not None and to not in seen:
                seen.add(to)
                fresh.append(to)
    return seen


def test_every_state_can_be_reached() -> None:
    assert _reach(State.BOOT, registered=True) == set(State)


@pytest.mark.parametrize("state", sorted(set(State) - SETTLED - PASSING - {State.BOOT}))
def test_every_state_ends_by_itself(state: State) -> None:
    for registered in (True, False):
        if not registered and state not in WITHOUT_SECRET:
            continue
        found = _reach(state, registered=registered, by={Signal.TIMEOUT})
        assert found & ({State.IDLE} if registered else {State.UNREG}), found


def test_unregistered_nobody_can_dial_type_a_pin_or_open() -> None:
    assert _reach(State.UNREG, registered=False) <= WITHOUT_SECRET
    for state in WITHOUT_SECRET:
        for signal in (Signal.PRESENTED, Signal.OPENED, Signal.STAR, Signal.DIGIT):
            to = step(state, signal, registered=False)
            assert to is None or to in {State.ADMIN_PW, State.SETTINGS}


@pytest.mark.parametrize(
    "state", [State.BOOT, State.UNREG, State.REG_OK, State.ADMIN_PW, State.SETTINGS]
)
def test_a_card_and_an_opening_leave_the_settings_alone(state: State) -> None:
    assert step(state, Signal.PRESENTED, registered=True) is None
    assert step(state, Signal.OPENED, registered=True) is None


def test_a_card_counts_in_every_other_state() -> None:
    closed = {*(State.BOOT, State.UNREG, State.REG_OK), *(State.ADMIN_PW, State.SETTINGS)}
    for state in set(State) - closed - PASSING:
        assert step(state, Signal.PRESENTED, registered=True) is State.ACCESS
        assert step(state, Signal.OPENED, registered=True) is State.DOOR_OPEN


def test_the_settings_are_behind_the_password() -> None:
    into = [(at, by) for (at, by), to in MOVES.items() if to is State.SETTINGS]
    assert {at for at, _ in into} == {State.ADMIN_PW, State.SETTINGS}
    assert (State.ADMIN_PW, Signal.GRANTED) in into


def test_the_password_is_asked_for_at_home_only() -> None:
    asked = {at for (at, by) in MOVES if by is Signal.GESTURE}
    assert asked == {State.IDLE, State.ADS, State.UNREG}


def _all() -> Iterator[tuple[State, Signal, bool]]:
    return ((at, by, it) for at in State for by in Signal for it in (True, False))


def test_no_signal_in_any_state_raises() -> None:
    for state, signal, registered in _all():
        assert step(state, signal, registered=registered) in {None, *State}
