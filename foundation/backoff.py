"""How long to wait before trying again."""

import random
from datetime import timedelta


def pause(attempt: int, *, first: timedelta, most: timedelta) -> timedelta:
    """`first` after attempt 1, doubled each time up to `most`, and 20 % to either side.

    The jitter keeps those who failed together from coming back together.
    """
    doubled = first * (1 << min(attempt - 1, 30))
    return min(doubled, most) * random.uniform(0.8, 1.2)
