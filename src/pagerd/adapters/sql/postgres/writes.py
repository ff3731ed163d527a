"""What workers write about their batches: one statement for many, each row under its token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pagerd.adapters.sql.postgres.lines import Line
from pagerd.adapters.sql.postgres.statements import HOT
from pagerd.adapters.sql.postgres.tally import Tally
from pagerd.core.batches import BatchKey
from pagerd.core.states import BatchState
from pagerd.ports.ledger import Said, Write

HOLDING: Final = (BatchState.CLAIMED, BatchState.DISPATCHING)
_Place = tuple[int, int]


async def write_all(
    line: Line, tally: Tally, writes: Sequence[Write], now: float, doubtful: Mapping[BatchKey, int]
) -> list[Said]:
    """Write all; return what became of each, in order.

    ``doubtful`` are batches (and tokens) whose last commit was not answered: what already stands is not written, and
    not counted, a second time.
    """
    said: dict[int, Said] = {}
    for wave in _waves(writes):
        asked = [at for at in wave if doubtful.get(writes[at].key) == writes[at].token]
        for at in await _standing(line, writes, asked) if asked else ():
            said[at] = Said.WRITTEN
        rest = [at for at in wave if at not in said]
        if rest:
            said |= await _write(line, tally, writes, rest, now)
    return [said[at] for at in range(len(writes))]


def _waves(writes: Sequence[Write]) -> list[list[int]]:
    """Return places in ``writes``, such that no wave has two of one batch: those come one after the other."""
    waves: list[list[int]] = []
    depth: dict[BatchKey, int] = {}
    for at, write in enumerate(writes):
        wave = depth.get(write.key, 0)
        depth[write.key] = wave + 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append(at)
    return waves


async def _standing(line: Line, writes: Sequence[Write], asked: list[int]) -> list[int]:
    keys = [(writes[at].key.session, writes[at].key.no, writes[at].token) for at in asked]
    rows = await line.fetch(HOT["standing"], *map(list, zip(*keys, strict=True)))
    standing = {(session, no): (state, bytes(vec)) for session, no, state, vec in rows}
    return [
        at
        for at in asked
        if standing.get((writes[at].key.session, writes[at].key.no)) == (writes[at].state.value, writes[at].vec)
    ]


async def _write(line: Line, tally: Tally, writes: Sequence[Write], wave: list[int], now: float) -> dict[int, Said]:
    mine = [writes[at] for at in wave]
    tried = [write for write in mine if write.attempt is not None]
    rows = await line.fetch(
        HOT["write"],
        [w.key.session for w in tried],
        [w.key.no for w in tried],
        [w.token for w in tried],
        [w.window for w in tried],
        [w.attempt for w in tried],
        [w.key.session for w in mine],
        [w.key.no for w in mine],
        [w.token for w in mine],
        [w.state.value for w in mine],
        [w.vec for w in mine],
        [w.run_at for w in mine],
        [int(w.lost) for w in mine],
        [w.needs_running for w in mine],
        now,
    )
    rounds: dict[_Place, int] = {(session, no): round_ for session, no, round_ in rows}
    refused = [w for w in mine if (w.key.session, w.key.no) not in rounds]
    stopped = await _stopped(line, [w for w in refused if w.needs_running])
    said = {}
    for at, write in zip(wave, mine, strict=True):
        place = (write.key.session, write.key.no)
        if place in rounds:
            _owe(tally, write, rounds[place])
            said[at] = Said.WRITTEN
        else:
            said[at] = Said.STOPPED if place in stopped else Said.LOST
    return said


async def _stopped(line: Line, refused: Sequence[Write]) -> set[_Place]:
    """Return which of these intents were refused though their claim holds: their session does not run."""
    if not refused:
        return set()
    keys = [(w.key.session, w.key.no, w.token) for w in refused]
    return {(session, no) for session, no in await line.fetch(HOT["held"], *map(list, zip(*keys, strict=True)))}


def _owe(tally: Tally, write: Write, round_: int) -> None:
    session, no = write.key.session, write.key.no
    tally.count(session, write.counts)
    for idx in write.leave:
        tally.leave(session, no, idx)
    for person in write.enter:
        tally.enter((session, no, person.idx), person.state, person.reason, round_)
    for delta in write.reasons:
        tally.reason(session, delta.state, delta.reason, delta.n)
