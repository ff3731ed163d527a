"""Giving back what workers hold whose lease is over: each is a loss, and the last one a batch may have is its end."""

from __future__ import annotations

from pagerd.adapters.sql.postgres.lines import Line
from pagerd.adapters.sql.postgres.statements import HOT
from pagerd.adapters.sql.postgres.tally import Tally, finish
from pagerd.adapters.sql.postgres.terms import Lease
from pagerd.adapters.sql.queues import queue_of
from pagerd.core import balance
from pagerd.core.policy import Priority
from pagerd.core.resolution import LOSSES_IN_ALL, Moves, died, died_as
from pagerd.core.states import BatchState


async def give_back(line: Line, tally: Tally, lease: Lease, limit: int) -> int:
    """Give up to ``limit`` batches back; return how many. What another process gives back right now is left to it."""
    rows = await line.fetch(HOT["abandoned"], limit)
    new = []
    ended = set()
    for session, no, state, earlier, round_, kept, priority in rows:
        losses, vec = earlier + 1, bytes(kept)
        dead = losses >= LOSSES_IN_ALL
        moves = died(vec, lease.held, lease.poison) if dead else Moves(vec=vec)
        after = died_as(vec) if dead else BatchState.WAITING
        run_at = None if dead else lease.now
        new.append((session, no, after.value, queue_of(Priority(priority), losses), losses, run_at, moves.vec))
        tally.count(session, balance.change((BatchState(state), vec), (after, moves.vec)))
        tally.moves(session, no, round_, moves)
        if dead:
            ended.add(session)
    if new:
        await line.fetch(HOT["give_back"], *map(list, zip(*new, strict=True)))
        await tally.settle(line)
        await finish(line, ended, lease.now)
    return len(rows)
