"""Whose turn it is among the sessions that have fresh batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heapreplace

Fresh = tuple[int, int, int, int]
"""A session with fresh work: its number, the first batch, the last batch, the round."""


def shares(sessions: Sequence[Fresh], under_way: Mapping[int, int], n: int) -> list[Fresh]:
    """Return which batches each session gets of ``n``: (session, first, last, round).

    The next batch always goes to the session that has the fewest under way, so that a small session that comes in
    beside a big one is not kept waiting for half of the lanes, but takes what comes free until they have equal shares.
    """
    queue = [(under_way.get(session[0], 0), turn) for turn, session in enumerate(sessions)]
    heapify(queue)
    taken = [0] * len(sessions)
    while queue and n > 0:
        busy, turn = queue[0]
        _, first, stop, _ = sessions[turn]
        if first + taken[turn] > stop:
            heappop(queue)
            continue
        taken[turn] += 1
        n -= 1
        heapreplace(queue, (busy + 1, turn))
    return [
        (session, first, first + some - 1, round_)
        for (session, first, _, round_), some in zip(sessions, taken, strict=True)
        if some
    ]
