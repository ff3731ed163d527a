"""The system's clocks and randomness."""

from __future__ import annotations

import random
import time
from typing import Final

import uuid_utils

_MONOTONIC: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """Implements ``ports.time.Clock``; the monotonic one counts while a process is stopped or the machine sleeps."""

    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.clock_gettime(_MONOTONIC)


class SystemChance:
    """Implements ``ports.time.Chance``."""

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311 - spreads retries; nothing secret hangs on it

    def uniform(self, low: float, high: float) -> float:
        """Return a number between ``low`` and ``high``."""
        return self._random.uniform(low, high)

    def new_id(self) -> bytes:
        """Return the 16 bytes of a new UUIDv7 (RFC 9562, section 5.7)."""
        return uuid_utils.uuid7().bytes
