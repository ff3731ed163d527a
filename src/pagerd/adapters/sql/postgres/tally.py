"""What a transaction of the hot path owes to counters, reasons and exception rows, gathered and then written once."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from pagerd.adapters.sql.postgres.lines import Line
from pagerd.adapters.sql.postgres.statements import COUNT, COUNTS, HOT
from pagerd.core.balance import FIELDS, of_tuple, verdict
from pagerd.core.resolution import Moves
from pagerd.core.states import RecipientState

_NOTHING: Final = (0,) * len(FIELDS)
_Place = tuple[int, int, int]


class Tally:
    """Gathers what changes; :meth:`settle` writes it into the rows of one shard, so that writers don't meet there."""

    def __init__(self, shard: int) -> None:
        self._shard = shard
        self._counts: dict[int, tuple[int, ...]] = {}
        self._reasons: defaultdict[tuple[int, int, int], int] = defaultdict(int)
        self._leave: list[_Place] = []
        self._enter: dict[_Place, tuple[int, int, int]] = {}

    def count(self, session: int, delta: tuple[int, ...]) -> None:
        """Add a delta, in the order of ``balance.FIELDS``."""
        known = self._counts.get(session)
        self._counts[session] = delta if known is None else tuple(map(operator.add, known, delta))

    def reason(self, session: int, state: RecipientState, reason: int, n: int) -> None:
        """Add to a reason's counter."""
        self._reasons[session, state.value, reason] += n

    def leave(self, session: int, no: int, idx: int) -> None:
        """Take a recipient's exception row away."""
        self._leave.append((session, no, idx))
        self._enter.pop((session, no, idx), None)

    def enter(self, place: _Place, state: RecipientState, reason: int, round_: int) -> None:
        """Give a recipient an exception row; ``place`` is session, batch number, index."""
        self._enter[place] = (state.value, reason, round_)

    def moves(self, session: int, no: int, round_: int, moves: Moves) -> None:
        """Take what follows from a changed vector."""
        for idx in moves.leave:
            self.leave(session, no, idx)
        for idx, state, reason in moves.enter:
            self.enter((session, no, idx), state, reason, round_)
        for (state, reason), n in moves.reasons.items():
            self.reason(session, state, reason, n)

    async def settle(self, line: Line) -> None:
        """Write what was gathered, in the order in which every writer locks."""
        if self._leave:
            await line.fetch(HOT["leave"], *_columns(self._leave))
        if self._enter:
            await line.fetch(HOT["enter"], *_columns((*place, *row) for place, row in self._enter.items()))
        reasons = [(*key, n) for key, n in sorted(self._reasons.items()) if n]
        if reasons:
            await line.fetch(HOT["count_reason"], self._shard, *_columns(reasons))
        counts = sorted((session, delta) for session, delta in self._counts.items() if delta != _NOTHING)
        if counts:
            numbers = [number for _, delta in counts for number in delta]
            await line.fetch(COUNT, self._shard, [session for session, _ in counts], numbers)


async def finish(line: Line, sessions: Iterable[int], now: float) -> None:
    """Give each session with nothing open the verdict that it earned; called after :meth:`Tally.settle`.

    The session is locked before its counters are read. So of two processes that settle its last two batches at once
    one waits here for the other's commit, then reads the counters of both, and finishes it.
    """
    asked = sorted(sessions)
    if not asked:
        return
    rows = await line.fetch(HOT["lock_sessions"], asked)
    alive = [number for number, may_finish in rows if may_finish]
    if not alive:
        return
    earned = []
    for session, *numbers in await line.fetch(COUNTS, alive):
        state = verdict(of_tuple(tuple(numbers)))
        if state is not None:
            earned.append((session, state.value))
    if earned:
        await line.fetch(HOT["finish"], *_columns(earned), now)


def _columns(rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
