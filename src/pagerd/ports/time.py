"""Time, identifiers and chance are handed in, never taken from the world."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two clocks: what people read, and what never jumps."""

    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back and go on while the process is stopped."""
        ...


class Chance(Protocol):
    """Randomness that a test can fix."""

    def uniform(self, low: float, high: float) -> float:
        """Return a number between ``low`` and ``high``."""
        ...

    def new_id(self) -> bytes:
        """Return the 16 bytes of a new UUIDv7 (RFC 9562); later ones sort after earlier ones."""
        ...
