"""The breaker of one provider: when the peer itself is ill, nobody's attempt is burned on it.

::

    closed ─ 5 faults in a row, or over half of at least 20 in 60 s ─► open ─ 30 s, doubling to 10 min ─► probing
       ▲                                                                ▲                                   │
       └────────────────────────────── a good answer ───────────────────┴──────────── another fault ────────┘

A fault is one of the connection or the provider's configuration; a refusal of an address or a text is none.
"""

from __future__ import annotations

from collections import deque
from typing import Final

IN_A_ROW: Final = 5
WINDOW: Final = 60.0
ENOUGH: Final = 20
FIRST_WAIT: Final = 30.0
LONGEST_WAIT: Final = 600.0
_KEPT: Final = 200


class Breaker:
    """Counts faults; tells until when the peer is left alone. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._recent: deque[tuple[float, bool]] = deque(maxlen=_KEPT)
        self._wait = FIRST_WAIT
        self._open_until: float | None = None
        self._probing = False
        self._probe_over = 0.0

    def closed_in(self, now: float) -> float:
        """Return for how many seconds nothing may be sent; 0: go on. After the wait one caller may probe.

        A prober of whom nothing is heard for as long as the peer was left alone (it was stopped, or its answer was
        a doubt) gives its turn to another.
        """
        if self._open_until is None:
            return 0.0
        if now < self._open_until:
            return self._open_until - now
        if self._probing and now < self._probe_over:
            return 1.0
        self._probing = True
        self._probe_over = now + self._wait
        return 0.0

    def good(self, now: float) -> None:
        """Take note of an answer that shows a healthy peer."""
        self._in_a_row = 0
        self._recent.append((now, False))
        if self._open_until is not None:
            self._open_until = None
            self._wait = FIRST_WAIT
            self._recent.clear()
        self._probing = False

    def fault(self, now: float) -> None:
        """Take note of a fault of the connection or the configuration."""
        self._in_a_row += 1
        self._recent.append((now, True))
        if self._probing:
            self._wait = min(self._wait * 2, LONGEST_WAIT)
            self._open(now)
        elif self._open_until is None and (self._in_a_row >= IN_A_ROW or self._mostly_bad(now)):
            self._open(now)

    @property
    def is_open(self) -> bool:
        """Whether the peer is being left alone or probed."""
        return self._open_until is not None

    def _open(self, now: float) -> None:
        self._open_until = now + self._wait
        self._probing = False

    def _mostly_bad(self, now: float) -> bool:
        recent = [bad for at, bad in self._recent if now - at <= WINDOW]
        return len(recent) >= ENOUGH and sum(recent) * 2 > len(recent)
