"""How do tests wait? For what they wait for, and never for a time."""

import time
from collections.abc import Callable

LIMIT_SECONDS = 60.0


def until(is_so: Callable[[], bool]) -> None:
    """Waits until something is so."""
    ends_at = time.monotonic() + LIMIT_SECONDS
    while not is_so():
        assert time.monotonic() < ends_at, "it never came to be so"
        time.sleep(0.01)
