"""Batches outside of a worker's claim: reading, seeding, rewriting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from pagerd.adapters.sql.queues import PARKED, queue_of
from pagerd.adapters.sql.tables import ATTEMPT, BATCH, EXCEPTION, SESSION
from pagerd.core.batches import BatchKey
from pagerd.core.policy import Priority
from pagerd.core.states import BatchState, RecipientState
from pagerd.ports.store import BatchRow, ExceptionRow, Published

_C = BATCH.c
_READY: Final = BatchState.READY.value
_INSERT: Final[dict[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class SqlBatches:
    """Implements ``ports.store.Batches``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def get(self, key: BatchKey) -> BatchRow | None:
        """Return a batch's row; ``None`` where it has none."""
        row = self._db.execute(select(BATCH).where(_C.session == key.session, _C.no == key.no)).first()
        return None if row is None else _batch(row)

    def page(self, session: int, after: int, limit: int) -> list[BatchRow]:
        """Return rows in order of number, those above ``after``."""
        query = select(BATCH).where(_C.session == session, _C.no > after).order_by(_C.no).limit(limit)
        return [_batch(row) for row in self._db.execute(query)]

    def seed(self, rows: Sequence[BatchRow]) -> None:
        """Insert the rows of never claimed batches that have something to say."""
        if not rows:
            return
        priority = self._priority(rows[0].key.session)
        values = [{**_values(row), "session": row.key.session, "no": row.key.no} for row in rows]
        for value in values:
            value["queue"] = queue_of(priority, value["losses"])
        self._db.execute(insert(BATCH), values)

    def unseed(self, session: int, limit: int) -> int:
        """Delete up to ``limit`` never claimed rows of a session; return how many: call until 0."""
        some = select(_C.session, _C.no).where(_C.session == session, _C.token == 0).limit(limit)
        gone = self._db.execute(delete(BATCH).where(tuple_(_C.session, _C.no).in_(some))).rowcount
        if not gone:
            self._db.execute(delete(EXCEPTION).where(EXCEPTION.c.session == session))
        return gone

    def in_state(self, session: int, states: Sequence[BatchState], after: int, limit: int) -> list[BatchRow]:
        """Return rows in these states, in order of number, those above ``after``."""
        query = select(BATCH).where(
            _C.session == session, _C.no > after, _C.state.in_([state.value for state in states])
        )
        return [_batch(row) for row in self._db.execute(query.order_by(_C.no).limit(limit))]

    def rewrite(self, old: BatchRow, new: BatchRow) -> bool:
        """Replace a batch's row if state and token are still those of ``old``; ``False`` if not."""
        values = _values(new)
        values["queue"] = queue_of(self._priority(old.key.session), new.losses)
        if new.state not in (BatchState.CLAIMED, BatchState.DISPATCHING):
            values |= {"worker": None, "lease_until": None}
        statement = update(BATCH).where(
            _C.session == old.key.session, _C.no == old.key.no, _C.state == old.state.value, _C.token == old.token
        )
        return bool(self._db.execute(statement.values(values)).rowcount)

    def parked(self, session: int, limit: int, run_at: float) -> int:
        """Give up to ``limit`` parked batches of a session a time to run; return how many: call until 0."""
        some = select(_C.session, _C.no).where(
            _C.session == session, _C.state == BatchState.WAITING.value, _C.run_at >= PARKED
        )
        statement = update(BATCH).where(tuple_(_C.session, _C.no).in_(some.limit(limit))).values(run_at=run_at)
        return self._db.execute(statement).rowcount

    def publish(self, rows: Sequence[Published]) -> None:
        """Write down what a queue was given; a batch that is not ready any more stays as it is."""
        values = [
            {
                "session": row.key.session,
                "no": row.key.no,
                "state": _READY,
                "queue": queue_of(row.priority, 0),
                "token": 0,
                "losses": 0,
                "round": row.round,
                "vec": row.vec,
                "published_at": row.at,
            }
            for row in rows
        ]
        into = _INSERT[self._db.dialect.name](BATCH)
        statement = into.on_conflict_do_update(
            index_elements=[_C.session, _C.no],
            set_={"published_at": into.excluded.published_at},
            where=_C.state == _READY,
        )
        if values:
            self._db.execute(statement, values)

    def published(self, session: int, limit: int) -> list[BatchRow]:
        """Return batches below ``next_no`` that a queue was given and nobody has claimed."""
        cursor = select(SESSION.c.next_no).where(SESSION.c.number == session).scalar_subquery()
        query = select(BATCH).where(*_given(session), _C.no < cursor).limit(limit)
        return [_batch(row) for row in self._db.execute(query)]

    def unclaimed(self, session: int) -> int:
        """Return how many batches of a session a queue was given and nobody has claimed."""
        return int(self._db.execute(select(func.count()).select_from(BATCH).where(*_given(session))).scalar_one())

    def republished(self, session: int, limit: int) -> int:
        """Let up to ``limit`` of those be found at once as lost; return how many: call until 0."""
        some = select(_C.session, _C.no).where(*_given(session), _C.published_at > 0).limit(limit)
        statement = update(BATCH).where(tuple_(_C.session, _C.no).in_(some)).values(published_at=0.0)
        return self._db.execute(statement).rowcount

    def attempts(self, key: BatchKey) -> list[tuple[int, int, bytes]]:
        """Return (token, sequence, sealed record) of a batch, oldest first."""
        c = ATTEMPT.c
        query = select(c.token, c.seq, c.record).where(c.session == key.session, c.no == key.no)
        return [(token, seq, bytes(record)) for token, seq, record in self._db.execute(query.order_by(c.token, c.seq))]

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
        c = EXCEPTION.c
        query = select(EXCEPTION).where(c.session == session, tuple_(c.no, c.idx) > tuple_(*after))
        if state is not None:
            query = query.where(c.state == state.value)
        if reasons is not None:
            query = query.where(c.reason.in_(list(reasons)))
        if below_round is not None:
            query = query.where(c.round < below_round)
        rows = self._db.execute(query.order_by(c.no, c.idx).limit(limit))
        return [
            ExceptionRow(no=r.no, idx=r.idx, state=RecipientState(r.state), reason=r.reason, round=r.round)
            for r in rows
        ]

    def except_(self, session: int, add: Sequence[ExceptionRow], drop: Sequence[tuple[int, int]]) -> None:
        """Delete the rows of the places ``drop``, then insert ``add``."""
        c = EXCEPTION.c
        for no, idx in drop:
            self._db.execute(delete(EXCEPTION).where(c.session == session, c.no == no, c.idx == idx))
        rows = [
            {"session": session, "no": r.no, "idx": r.idx, "state": r.state.value, "reason": r.reason, "round": r.round}
            for r in add
        ]
        if rows:
            self._db.execute(insert(EXCEPTION), rows)

    def _priority(self, session: int) -> Priority:
        found = self._db.execute(select(SESSION.c.priority).where(SESSION.c.number == session)).scalar()
        return Priority(Priority.BULK if found is None else found)


def _given(session: int) -> tuple[ColumnElement[bool], ...]:
    # The sum keeps the planner from reading all rows of a big session by its primary key: the index of published
    # batches has those alone that nobody has claimed.
    return (_C.session + 0 == session, _C.state == _READY, _C.published_at.is_not(None))


def _batch(row: Row[Any]) -> BatchRow:
    return BatchRow(
        key=BatchKey(row.session, row.no),
        state=BatchState(row.state),
        token=row.token,
        losses=row.losses,
        round=row.round,
        run_at=row.run_at,
        vec=bytes(row.vec),
        published_at=row.published_at,
    )


def _values(row: BatchRow) -> dict[str, Any]:
    return {
        "state": row.state.value,
        "token": row.token,
        "losses": row.losses,
        "round": row.round,
        "run_at": row.run_at,
        "vec": row.vec,
        "published_at": row.published_at,
    }
