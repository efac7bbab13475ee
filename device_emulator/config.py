"""What can be set on a station; the numbers are the defaults of the specification."""

from dataclasses import dataclass, field
from typing import Final

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Config:
    """One station's settings. Durations in milliseconds unless the name says otherwise."""

    model: str = "linli-emulated"
    fw: str = "1.0.0"
    hw: str = "virtual"
    language: str = "zh"
    doors: int = 1
    """Doors are numbered 1 to this."""

    # the face
    t_ads: int = 15 * SECOND
    t_digit: int = 6 * SECOND
    t_dial: int = 30 * SECOND
    t_pin: int = 15 * SECOND
    t_admin: int = 30 * SECOND
    t_settings: int = 60 * SECOND
    t_message: int = 4 * SECOND
    t_registered: int = 3 * SECOND
    t_connecting: int = 10 * SECOND
    t_hash: int = 1 * SECOND
    """Longest pause between two of the three `#` that lead to the settings."""
    room_min: int = 3
    room_max: int = 8
    pin_len: int = 8
    admin_code: str = field(default="123456", repr=False)
    """The factory's admin password; digits."""

    # the lock
    hold: int = 5
    """Seconds the relay is held for a card or a PIN."""
    hold_max: int = 30
    """Seconds; longest hold of a command, and of the relay whatever happens (R11)."""
    rate: int = 2 * SECOND
    """Shortest time between two openings by command (R5)."""
    t_unused: int = 10 * SECOND
    t_held: int = 30 * SECOND

    # wrong PINs and passwords
    pin_tries: int = 5
    pin_window: int = 5 * MINUTE
    pin_lock: int = 30 * SECOND
    pin_lock_max: int = 15 * MINUTE
    admin_tries: int = 3
    admin_lock: int = 5 * MINUTE

    # the journal
    journal_rows: int = 2000
    t_journal: int = 5 * SECOND
    """First wait for an `evtack` before the batch goes out again; doubles up to a minute."""

    # the line
    heartbeat: int = 30 * SECOND
    keepalive: int = 30
    """Seconds, as MQTT counts it."""
    backoff: int = 1 * SECOND
    backoff_max: int = 60 * SECOND
    t_steady: int = 30 * SECOND
    """A connection that lived this long makes the next back-off begin at the beginning."""
    t_resend: int = 10 * SECOND
    """A QoS 1 message without its acknowledgement goes out again."""
    t_trial: int = 60 * SECOND
    """A changed Wi-Fi network that does not reconnect by then is given up."""
