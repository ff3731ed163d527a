"""Which queue a waiting batch stands in, as a number in its row."""

from __future__ import annotations

from typing import Final

from pagerd.core.policy import Priority
from pagerd.core.resolution import LOSSES_TOGETHER

ALONE: Final = 2
"""The queue of batches that were lost too often to run beside others; 0 and 1 are the priorities."""

PARKED: Final = 1e18
"""The time at which a batch of a paused session runs: after the end of time, until a resume gives it another."""


def queue_of(priority: Priority, losses: int) -> int:
    """Return the queue of a batch."""
    return ALONE if losses >= LOSSES_TOGETHER else int(priority)
