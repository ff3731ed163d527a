"""What a transaction of the hot path owes to counters, reasons and exception rows, gathered and then written once."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from typing import Final

from pagerd.adapters.sql.sqlite.statements import HOT
from pagerd.core.balance import FIELDS, of_tuple, verdict
from pagerd.core.resolution import Moves
from pagerd.core.states import RecipientState

# The columns are the fields of core.balance.Counts, so these two are made of them.
_COUNT: Final = HOT["count"].replace(":changes", ", ".join(f"{name} = {name} + ?" for name in FIELDS))
_COUNTS: Final = HOT["counts"].replace(":columns", ", ".join(FIELDS))


class Tally:
    """Gathers deltas per session; :meth:`settle` writes each session's once and finishes sessions that are done."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._counts: Counter[tuple[int, tuple[int, ...]]] = Counter()
        self._reasons: defaultdict[tuple[int, RecipientState, int], int] = defaultdict(int)

    def count(self, session: int, delta: tuple[int, ...]) -> None:
        """Add a delta, in the order of ``balance.FIELDS``."""
        self._counts[session, delta] += 1  # most batches of a group change alike, so they are added up in the end

    def reason(self, session: int, state: RecipientState, reason: int, n: int) -> None:
        """Add to a reason's counter."""
        self._reasons[session, state, reason] += n

    def moves(self, session: int, no: int, round_: int, moves: Moves) -> None:
        """Write the exception rows of a changed vector, and remember its reasons."""
        for idx in moves.leave:
            self._raw.execute(HOT["leave"], (session, no, idx))
        for idx, state, reason in moves.enter:
            self._raw.execute(HOT["enter"], (session, no, idx, state.value, reason, round_))
        for (state, reason), n in moves.reasons.items():
            self.reason(session, state, reason, n)

    def settle(self, now: float) -> None:
        """Write what was gathered; a session with nobody unsettled left gets the verdict it earned."""
        for (session, state, reason), n in self._reasons.items():
            if n:
                self._raw.execute(HOT["count_reason"], (session, state.value, reason, n))
        for session, delta in self._deltas().items():
            if not any(delta):
                continue
            row = self._raw.execute(_COUNT, (*delta, session)).fetchone()
            if row is not None and row[0] == 0:
                self._finish(session, now)

    def _deltas(self) -> dict[int, list[int]]:
        """Return the sum of each session's deltas."""
        sums: dict[int, list[int]] = {}
        for (session, delta), n in self._counts.items():
            known = sums.setdefault(session, [0] * len(FIELDS))
            sums[session] = [a + n * b for a, b in zip(known, delta, strict=True)]
        return sums

    def _finish(self, session: int, now: float) -> None:
        counts = of_tuple(self._raw.execute(_COUNTS, (session,)).fetchone())
        state = verdict(counts)
        if state is not None:
            self._raw.execute(HOT["finish"], (state.value, now, session))
