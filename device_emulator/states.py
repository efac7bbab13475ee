"""The face of a station: its states, and every move between them.

`IDLE` in this table means *home*: a station that is not registered has `UNREG` for a home,
see `step`. A signal without a move in a state is ignored there.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """What the screen is about."""

    BOOT = "BOOT"
    UNREG = "UNREG"
    REG_OK = "REG_OK"
    CONNECTING = "CONNECTING"
    IDLE = "IDLE"
    ADS = "ADS"
    DIAL = "DIAL"
    PIN = "PIN"
    ACCESS = "ACCESS"
    DOOR_OPEN = "DOOR_OPEN"
    LOCKOUT = "LOCKOUT"
    ADMIN_PW = "ADMIN_PW"
    SETTINGS = "SETTINGS"
    MSG = "MSG"


class Signal(StrEnum):
    """What moves it."""

    STRANGER = "stranger"  # power-up without a secret
    KNOWN = "known"  # power-up with one
    REGISTERED = "registered"
    SHUT_OUT = "shut_out"  # unbound, or another box has this MAC
    ONLINE = "online"
    OFFLINE = "offline"  # the first attempt to connect failed
    TIMEOUT = "timeout"
    DIGIT = "digit"
    STAR = "star"
    BACK = "back"  # `#` with something to delete
    LEAVE = "leave"  # `#` with nothing
    DONE = "done"  # the entry is complete
    GESTURE = "gesture"  # `###`
    PRESENTED = "presented"  # card or finger
    GRANTED = "granted"
    DENIED = "denied"
    LOCKED = "locked"  # too many wrong PINs
    BLOCKED = "blocked"  # too many wrong admin passwords
    OPENED = "opened"  # by a command


_S, _E = State, Signal

_AT_HOME: Final = (_S.IDLE, _S.ADS)
_USABLE: Final = (*(_S.CONNECTING, *_AT_HOME, _S.DIAL, _S.PIN, _S.DOOR_OPEN, _S.LOCKOUT, _S.MSG),)
"""Where a card counts and an opening takes the screen: everywhere but set-up and settings."""

MOVES: Final[dict[tuple[State, Signal], State]] = {
    (_S.BOOT, _E.STRANGER): _S.UNREG,
    (_S.BOOT, _E.KNOWN): _S.CONNECTING,
    (_S.UNREG, _E.REGISTERED): _S.REG_OK,
    (_S.UNREG, _E.GESTURE): _S.ADMIN_PW,
    (_S.UNREG, _E.BLOCKED): _S.MSG,
    (_S.REG_OK, _E.TIMEOUT): _S.CONNECTING,
    (_S.CONNECTING, _E.ONLINE): _S.IDLE,
    (_S.CONNECTING, _E.OFFLINE): _S.IDLE,
    (_S.CONNECTING, _E.TIMEOUT): _S.IDLE,
    (_S.IDLE, _E.TIMEOUT): _S.ADS,
    (_S.DIAL, _E.DIGIT): _S.DIAL,
    (_S.DIAL, _E.BACK): _S.DIAL,
    (_S.DIAL, _E.LEAVE): _S.IDLE,
    (_S.DIAL, _E.DONE): _S.MSG,
    (_S.DIAL, _E.TIMEOUT): _S.IDLE,
    (_S.PIN, _E.DIGIT): _S.PIN,
    (_S.PIN, _E.BACK): _S.PIN,
    (_S.PIN, _E.LEAVE): _S.IDLE,
    (_S.PIN, _E.GRANTED): _S.DOOR_OPEN,
    (_S.PIN, _E.DENIED): _S.MSG,
    (_S.PIN, _E.LOCKED): _S.LOCKOUT,
    (_S.PIN, _E.TIMEOUT): _S.IDLE,
    (_S.ACCESS, _E.GRANTED): _S.DOOR_OPEN,
    (_S.ACCESS, _E.DENIED): _S.MSG,
    (_S.DOOR_OPEN, _E.TIMEOUT): _S.IDLE,
    (_S.LOCKOUT, _E.TIMEOUT): _S.IDLE,
    (_S.ADMIN_PW, _E.DIGIT): _S.ADMIN_PW,
    (_S.ADMIN_PW, _E.BACK): _S.ADMIN_PW,
    (_S.ADMIN_PW, _E.DENIED): _S.ADMIN_PW,
    (_S.ADMIN_PW, _E.GRANTED): _S.SETTINGS,
    (_S.ADMIN_PW, _E.BLOCKED): _S.MSG,
    (_S.ADMIN_PW, _E.LEAVE): _S.IDLE,
    (_S.ADMIN_PW, _E.TIMEOUT): _S.IDLE,
    (_S.SETTINGS, _E.DIGIT): _S.SETTINGS,
    (_S.SETTINGS, _E.BACK): _S.SETTINGS,
    (_S.SETTINGS, _E.DONE): _S.SETTINGS,
    (_S.SETTINGS, _E.LEAVE): _S.IDLE,
    (_S.SETTINGS, _E.TIMEOUT): _S.IDLE,
    (_S.MSG, _E.DIGIT): _S.DIAL,
    (_S.MSG, _E.STAR): _S.PIN,
    (_S.MSG, _E.LEAVE): _S.IDLE,
    (_S.MSG, _E.LOCKED): _S.LOCKOUT,
    (_S.MSG, _E.TIMEOUT): _S.IDLE,
    **{(at, _E.DIGIT): _S.DIAL for at in _AT_HOME},
    **{(at, _E.STAR): _S.PIN for at in _AT_HOME},
    **{(at, _E.LEAVE): _S.IDLE for at in _AT_HOME},
    **{(at, _E.LOCKED): _S.LOCKOUT for at in _AT_HOME},
    **{(at, _E.GESTURE): _S.ADMIN_PW for at in _AT_HOME},
    **{(at, _E.BLOCKED): _S.MSG for at in _AT_HOME},
    **{(at, _E.PRESENTED): _S.ACCESS for at in _USABLE},
    **{(at, _E.OPENED): _S.DOOR_OPEN for at in _USABLE},
    **{(at, _E.SHUT_OUT): _S.UNREG for at in State if at is not _S.BOOT},
}


WITHOUT_SECRET: Final = frozenset({_S.BOOT, _S.UNREG, _S.ADMIN_PW, _S.SETTINGS, _S.MSG})
"""Where a station that is not registered can be: no card, no PIN, no call."""


def step(state: State, signal: Signal, *, registered: bool) -> State | None:
    """The state after `signal`; None when it means nothing in `state`."""
    to = MOVES.get((state, signal))
    if registered or to is None:
        return to
    if to is State.IDLE:
        return State.UNREG
    return to if to in WITHOUT_SECRET else None
