"""When a message is tried again, as data: seconds to wait after each attempt, by channel, and when to give up.

Full jitter: the wait is drawn evenly between nothing and the figure, so that a peer that comes back is not met by
everybody at once.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pagerd.core.policy import Channel

_SECOND: Final = 1.0
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


class Schedule(msgspec.Struct, frozen=True):
    """Waits after the first, second, … attempt, the last repeating; and for how long to try at all."""

    waits: tuple[float, ...]
    expiry: float

    def wait(self, attempt: int) -> float:
        """Return the longest wait after attempt number ``attempt`` (from 1)."""
        return self.waits[min(attempt, len(self.waits)) - 1]


SCHEDULES: Final[dict[Channel, Schedule]] = {
    Channel.EMAIL: Schedule(
        (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR), 72 * _HOUR
    ),
    Channel.SMS: Schedule((30 * _SECOND, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, _HOUR), 4 * _HOUR),
    Channel.KAFKA: Schedule((5 * _SECOND, 30 * _SECOND, _MINUTE, 5 * _MINUTE, 15 * _MINUTE), 24 * _HOUR),
}
SHORTEST_WAIT: Final = 1.0
