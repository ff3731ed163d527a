"""Batches, attempts and exceptional recipients in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import msgspec

from pagerd.adapters.memory.tables import Journal, Table
from pagerd.core.batches import BatchKey
from pagerd.core.errors import Conflict
from pagerd.core.states import BatchState, RecipientState
from pagerd.ports.store import BatchRow, ExceptionRow, Published

UNDER_WAY = frozenset({BatchState.CLAIMED, BatchState.DISPATCHING})


class Lease(msgspec.Struct, frozen=True):
    """Whose a batch is, and until when (monotonic seconds)."""

    worker: bytes
    until: float


class MemoryBatches:
    """Implements ``ports.store.Batches``; what leases and claims need beyond it is for the ledger."""

    def __init__(self, journal: Journal, next_no: Callable[[int], int]) -> None:
        """``next_no`` tells how far a session was claimed or published."""
        self._next_no = next_no
        self.rows: Table[tuple[int, int], BatchRow] = Table(journal, BatchRow)
        self.leases: Table[tuple[int, int], Lease] = Table(journal, Lease)
        self.records: Table[tuple[int, int, int, int], bytes] = Table(journal, bytes)
        self._exceptions: Table[tuple[int, int, int], ExceptionRow] = Table(journal, ExceptionRow)

    def get(self, key: BatchKey) -> BatchRow | None:
        """Return a batch's row; ``None`` where it has none."""
        return self.rows.get((key.session, key.no))

    def page(self, session: int, after: int, limit: int) -> list[BatchRow]:
        """Return rows in order of number, those above ``after``."""
        return self._where(lambda row: row.key.session == session and row.key.no > after, limit)

    def seed(self, rows: Sequence[BatchRow]) -> None:
        """Insert the rows of never claimed batches that have something to say."""
        for row in rows:
            if self.get(row.key) is not None:
                raise Conflict(f"batch {row.key.no} has a row already")
            self.put(row)

    def unseed(self, session: int, limit: int) -> int:
        """Delete up to ``limit`` never claimed rows of a session; with the last one its exceptions go too."""
        mine = self._where(lambda row: row.key.session == session and not row.token, limit)
        for row in mine:
            self.rows.drop((row.key.session, row.key.no))
        if not mine:
            for key in [key for key in self._exceptions if key[0] == session]:
                self._exceptions.drop(key)
        return len(mine)

    def in_state(self, session: int, states: Sequence[BatchState], after: int, limit: int) -> list[BatchRow]:
        """Return rows in these states, in order of number, those above ``after``."""
        return self._where(lambda row: row.key.session == session and row.state in states and row.key.no > after, limit)

    def rewrite(self, old: BatchRow, new: BatchRow) -> bool:
        """Replace a batch's row if state and token are still those of ``old``; ``False`` if not."""
        kept = self.get(old.key)
        if kept is None or (kept.state, kept.token) != (old.state, old.token):
            return False
        self.put(msgspec.structs.replace(new, key=old.key))
        return True

    def parked(self, session: int, limit: int, run_at: float) -> int:
        """Give up to ``limit`` parked batches of a session a time to run; return how many."""
        mine = self._where(
            lambda row: row.key.session == session and row.state is BatchState.WAITING and row.run_at is None, limit
        )
        for row in mine:
            self.put(msgspec.structs.replace(row, run_at=run_at))
        return len(mine)

    def publish(self, rows: Sequence[Published]) -> None:
        """Write down what a queue was given; a batch that is not ready any more stays as it is."""
        for row in rows:
            kept = self.get(row.key) or BatchRow(
                key=row.key, state=BatchState.READY, token=0, losses=0, round=row.round, run_at=None, vec=row.vec
            )
            if kept.state is BatchState.READY:
                self.put(msgspec.structs.replace(kept, published_at=row.at))

    def published(self, session: int, limit: int) -> list[BatchRow]:
        """Return batches below ``next_no`` that a queue was given and nobody has claimed."""
        cursor = self._next_no(session)
        return self._where(lambda batch: _given(batch, session) and batch.key.no < cursor, limit)

    def unclaimed(self, session: int) -> int:
        """Return how many batches of a session a queue was given and nobody has claimed."""
        return sum(_given(row, session) for row in self.rows.rows())

    def republished(self, session: int, limit: int) -> int:
        """Let up to ``limit`` of those be found at once as lost; return how many."""
        mine = self._where(lambda row: _given(row, session) and bool(row.published_at), limit)
        for row in mine:
            self.put(msgspec.structs.replace(row, published_at=0.0))
        return len(mine)

    def attempts(self, key: BatchKey) -> list[tuple[int, int, bytes]]:
        """Return (token, sequence, sealed record) of a batch, oldest first."""
        mine = (item for item in self.records.items() if item[0][:2] == (key.session, key.no))
        return [(token, seq, record) for (_, _, token, seq), record in mine]

    def exceptions(
        self,
        session: int,
        *,
        state: RecipientState | None,
        reasons: Sequence[int] | None,
        after: tuple[int, int],
        limit: int,
        below_round: int | None = None,
    ) -> list[ExceptionRow]:
        """Return exceptional recipients in file order, those after (batch number, index)."""
        found = (
            row
            for (owner, *place), row in self._exceptions.items()
            if owner == session
            and tuple(place) > after
            and state in (None, row.state)
            and (reasons is None or row.reason in reasons)
            and (below_round is None or row.round < below_round)
        )
        return list(islice(found, limit))

    def except_(self, session: int, add: Sequence[ExceptionRow], drop: Sequence[tuple[int, int]]) -> None:
        """Delete the rows of the places ``drop``, then insert ``add``."""
        for no, idx in drop:
            self._exceptions.drop((session, no, idx))
        for row in add:
            if (session, row.no, row.idx) in self._exceptions:
                raise Conflict(f"recipient {row.idx} of batch {row.no} is exceptional already")
            self._exceptions.put((session, row.no, row.idx), row)

    def put(self, row: BatchRow, lease: Lease | None = None) -> None:
        """Insert or replace a row; one that is not under way has no lease, one that is keeps it or gets ``lease``."""
        key = (row.key.session, row.key.no)
        self.rows.put(key, row)
        if row.state not in UNDER_WAY:
            self.leases.drop(key)
        elif lease is not None:
            self.leases.put(key, lease)

    def _where(self, wanted: Callable[[BatchRow], bool], limit: int) -> list[BatchRow]:
        return list(islice(filter(wanted, self.rows.rows()), limit))


def _given(row: BatchRow, session: int) -> bool:
    return row.key.session == session and row.state is BatchState.READY and row.published_at is not None
