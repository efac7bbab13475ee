"""The states of an application, and every step between them: a table.

An owner's application is reviewed (BR4); somebody else's waits for the code that the owner
was sent (BR5), or is reviewed too, as the community wants it (C5).
"""

from enum import StrEnum
from typing import Final

from foundation.errors import DomainError, Kind


class State(StrEnum):
    """Where an application stands."""

    SUBMITTED = "submitted"  # made; which owner is asked is not chosen yet
    PENDING_REVIEW = "pending_review"  # 待审核
    WAIT_OWNER_CODE = "wait_owner_code"  # 待业主确认
    APPROVED = "approved"  # 审核通过
    REJECTED = "rejected"  # 审核不通过; a new application is a new row
    EXPIRED = "expired"
    LOCKED = "locked"  # too many wrong codes
    CANCELLED = "cancelled"  # taken back by the applicant
    REVOKED = "revoked"  # the owner or the staff took the right away
    ENDED = "ended"  # moved out


class Action(StrEnum):
    """What can be done with an application."""

    QUEUE = "queue"  # by itself, when it is for review
    ASK = "ask"  # send the owner a code, or another one
    APPROVE = "approve"
    REJECT = "reject"
    CONFIRM = "confirm"  # the applicant typed the right code
    REFUSE = "refuse"  # the owner says no
    CANCEL = "cancel"
    EXPIRE = "expire"
    LOCK = "lock"
    REVOKE = "revoke"
    END = "end"


MOVES: Final = {
    (State.SUBMITTED, Action.QUEUE): State.PENDING_REVIEW,
    (State.SUBMITTED, Action.ASK): State.WAIT_OWNER_CODE,
    (State.SUBMITTED, Action.REFUSE): State.REJECTED,
    (State.SUBMITTED, Action.CANCEL): State.CANCELLED,
    (State.SUBMITTED, Action.EXPIRE): State.EXPIRED,
    (State.PENDING_REVIEW, Action.APPROVE): State.APPROVED,
    (State.PENDING_REVIEW, Action.REJECT): State.REJECTED,
    (State.PENDING_REVIEW, Action.REFUSE): State.REJECTED,
    (State.PENDING_REVIEW, Action.CANCEL): State.CANCELLED,
    (State.WAIT_OWNER_CODE, Action.ASK): State.WAIT_OWNER_CODE,
    (State.WAIT_OWNER_CODE, Action.CONFIRM): State.APPROVED,
    (State.WAIT_OWNER_CODE, Action.REFUSE): State.REJECTED,
    (State.WAIT_OWNER_CODE, Action.CANCEL): State.CANCELLED,
    (State.WAIT_OWNER_CODE, Action.EXPIRE): State.EXPIRED,
    (State.WAIT_OWNER_CODE, Action.LOCK): State.LOCKED,
    (State.APPROVED, Action.REVOKE): State.REVOKED,
    (State.APPROVED, Action.END): State.ENDED,
}

OPEN: Final = frozenset({State.SUBMITTED, State.PENDING_REVIEW, State.WAIT_OWNER_CODE})
"""Not decided yet; an account has one open application for a house."""

_BY_ITSELF: Final = frozenset({Action.QUEUE, Action.EXPIRE, Action.LOCK, Action.END})


class IllegalMove(DomainError):
    """The application does not stand where this could be done; `allowed` is what can be."""

    kind, code, title = Kind.CONFLICT, "certification-moved-on", "That cannot be done now"
    title_zh = "当前状态不允许此操作"


def step(state: State, action: Action) -> State:
    """The state after `action`. Every step there is stands in `MOVES`.

    Raises:
        IllegalMove: `action` has no place in `state`; with the state, and what is allowed.
    """
    try:
        return MOVES[state, action]
    except KeyError:
        raise IllegalMove(
            f"{action} while {state}",
            state=state.value,
            allowed=[one.value for one in allowed(state)],
        ) from None


def allowed(state: State) -> list[Action]:
    """What people can do in `state`, in the order of the table; empty when nothing."""
    return [action for at, action in MOVES if at is state and action not in _BY_ITSELF]
