"""The table of the states, taken as a whole."""

import pytest

from business_api.certification.states import MOVES, OPEN, Action, IllegalMove, State, allowed, step

OVER = set(State) - OPEN - {State.APPROVED}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_there_is_no_step_outside_the_table(state: State, action: Action):
    if (state, action) in MOVES:
        assert step(state, action) is MOVES[state, action]
        return
    with pytest.raises(IllegalMove) as refused:
        step(state, action)
    assert refused.value.facts == {"state": state, "allowed": list(allowed(state))}


@pytest.mark.parametrize("state", sorted(OVER))
def test_what_is_over_stays_so(state: State):
    assert not [action for at, action in MOVES if at is state]
    assert allowed(state) == []


@pytest.mark.parametrize("state", sorted(OPEN))
def test_what_is_open_can_be_decided_and_taken_back(state: State):
    ways = {action: to for (at, action), to in MOVES.items() if at is state}
    assert ways[Action.CANCEL] is State.CANCELLED
    assert ways[Action.REFUSE] is State.REJECTED
    assert State.APPROVED in _reached(state)


def test_only_a_review_or_the_owners_code_approves():
    approving = {(at, action) for (at, action), to in MOVES.items() if to is State.APPROVED}
    assert approving == {
        (State.PENDING_REVIEW, Action.APPROVE),
        (State.WAIT_OWNER_CODE, Action.CONFIRM),
    }


def test_an_approval_ends_in_two_ways_only():
    assert {to for (at, _), to in MOVES.items() if at is State.APPROVED} == {
        State.REVOKED,
        State.ENDED,
    }


def test_every_state_and_every_action_is_used():
    assert _reached(State.SUBMITTED) == set(State)
    assert {action for _, action in MOVES} == set(Action)


def test_nobody_is_offered_what_happens_by_itself():
    offered = {action for state in State for action in allowed(state)}
    assert offered.isdisjoint({Action.QUEUE, Action.EXPIRE, Action.LOCK, Action.END})


def _reached(start: State) -> set[State]:
    found = {start}
    while more := {to for (at, _), to in MOVES.items() if at in found} - found:
        found |= more
    return found
