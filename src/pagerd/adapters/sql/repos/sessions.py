"""Sessions and their counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from pagerd.adapters.sql.repos.rows import columns, struct, structs
from pagerd.adapters.sql.tables import FRESH, SESSION, SESSION_COUNT, SESSION_REASON
from pagerd.core.balance import FIELDS, Counts, as_tuple, of_tuple
from pagerd.core.policy import Priority
from pagerd.core.states import FINISHED_SESSION, RecipientState, SessionState
from pagerd.ports.store import SessionRow

SHARD: Final = 0
"""Counters have a row for each writer; this is the one of changes. The embedded store has no other."""
_C = SESSION.c
_FINISHED = [state.value for state in FINISHED_SESSION]


class SqlSessions:
    """Implements ``ports.store.Sessions``."""

    def __init__(self, connection: Connection, *, changes: bool) -> None:
        self._db = connection
        self._changes = changes

    def add(self, row: SessionRow, counts: Counts) -> int:
        """Insert a session with its counters; return its number."""
        values = columns(SESSION, row, but=["number"])
        number = self._db.execute(insert(SESSION).values(values).returning(_C.number)).scalar_one()
        self.set_counts(number, counts)
        return int(number)

    def get(self, workspace: int, id: bytes) -> SessionRow | None:
        """Return a session of that workspace, or ``None``."""
        return self._one(select(SESSION).where(_C.id == id, _C.workspace == workspace))

    def by_number(self, number: int) -> SessionRow | None:
        """Return a session, or ``None``."""
        return self._one(select(SESSION).where(_C.number == number))

    def newest(self, workspace: int, limit: int, before: bytes | None, state: SessionState | None) -> list[SessionRow]:
        """Return sessions (messages apart), newest first, those older than ``before``."""
        query = select(SESSION).where(_C.workspace == workspace, ~_C.is_message)
        if before is not None:
            query = query.where(_C.id < before)
        if state is not None:
            query = query.where(_C.state == state.value)
        return self._many(query.order_by(_C.id.desc()).limit(limit))

    def save(self, row: SessionRow) -> None:
        """Write every field back but ``next_no``, which only claims move."""
        values = columns(SESSION, row, but=["number", "next_no"])
        self._db.execute(update(SESSION).where(_C.number == row.number).values(values))

    def counts(self, number: int) -> Counts:
        """Return the counters; all zero for an unknown session."""
        total = Counts()
        for row in self._db.execute(select(SESSION_COUNT).where(SESSION_COUNT.c.session == number)):
            total += of_tuple(tuple(row[2:]))
        return total

    def count(self, number: int, delta: Counts) -> None:
        """Add ``delta`` to the counters."""
        table = SESSION_COUNT
        changed = {name: table.columns[name] + n for name, n in zip(FIELDS, as_tuple(delta), strict=True) if n}
        if changed:
            self._db.execute(update(table).where(table.c.session == number, table.c.shard == SHARD).values(changed))

    def set_counts(self, number: int, counts: Counts) -> None:
        """Replace the counters."""
        self._db.execute(delete(SESSION_COUNT).where(SESSION_COUNT.c.session == number))
        values = dict(zip(FIELDS, as_tuple(counts), strict=True))
        self._db.execute(insert(SESSION_COUNT).values(session=number, shard=SHARD, **values))

    def reasons(self, number: int) -> list[tuple[RecipientState, int, int]]:
        """Return (state, reason number, how many), those that are not zero."""
        table = SESSION_REASON
        n = func.sum(table.c.n)
        query = select(table.c.state, table.c.reason, n).where(table.c.session == number)
        query = query.group_by(table.c.state, table.c.reason).having(n != 0)
        return [(RecipientState(state), reason, int(n)) for state, reason, n in self._db.execute(query)]

    def count_reason(self, number: int, state: RecipientState, reason: int, delta: int) -> None:
        """Add ``delta`` to one reason's counter."""
        table = SESSION_REASON
        where = and_(
            table.c.session == number, table.c.shard == SHARD, table.c.state == state.value, table.c.reason == reason
        )
        if not self._db.execute(update(table).where(where).values(n=table.c.n + delta)).rowcount:
            row = {"session": number, "shard": SHARD, "state": state.value, "reason": reason, "n": delta}
            self._db.execute(insert(table).values(row))

    def due(self, now: float, limit: int) -> list[SessionRow]:
        """Return scheduled sessions whose time has come, unfinished ones past their expiry, those with chores."""
        found: list[SessionRow] = []
        for condition in (
            and_(_C.state == "scheduled", _C.send_at <= now),
            and_(_C.expires_at.is_not(None), _C.finished_at.is_(None), _C.expires_at <= now, _C.state != "staging"),
            _C.chores.is_not(None),
        ):
            found += self._where(condition, limit)
        return found

    def reapable(self, created_before: float, limit: int) -> list[SessionRow]:
        """Return sessions still in ``staging`` that were created before a time."""
        return self._where(and_(_C.state == "staging", _C.created_at < created_before), limit)

    def key_in_use(self, key_id: bytes) -> bool:
        """Tell whether a session that has not given its key up refers to it."""
        return (
            self._db.execute(select(_C.number).where(_C.key_id == key_id, ~_C.settled_key).limit(1)).first() is not None
        )

    def shreddable(self, finished_before: float, limit: int) -> list[SessionRow]:
        """Return finished sessions whose key may go."""
        return self._where(and_(_C.finished_at.is_not(None), ~_C.settled_key, _C.finished_at < finished_before), limit)

    def fresh(self, priority: Priority, after: int, now: float, limit: int) -> list[SessionRow]:
        """Return sessions that run and have fresh work, in order of number, those above ``after``."""
        query = select(SESSION).where(
            _C.priority == priority.value, _C.number > after, FRESH, or_(_C.expires_at.is_(None), _C.expires_at > now)
        )
        return self._many(query.order_by(_C.number).limit(limit))

    def advance(self, cursors: Sequence[tuple[int, int]], now: float) -> None:
        """Let (session, number) be its ``next_no``, as a first claim does; never back, nor where it does not run."""
        statement = update(SESSION).where(
            _C.number == bindparam("session"),
            _C.next_no < bindparam("cursor"),
            _C.stop_no >= bindparam("cursor") - 1,
            or_(_C.state == "ready", _C.state == "running"),
        )
        values = {"next_no": bindparam("cursor"), "state": "running", "started_at": func.coalesce(_C.started_at, now)}
        if cursors:
            rows = [{"session": session, "cursor": cursor} for session, cursor in sorted(cursors)]
            self._db.execute(statement.values(values), rows)

    def next_after(self, number: int, limit: int) -> list[SessionRow]:
        """Return sessions and messages in order of number, those above ``number``."""
        return self._many(select(SESSION).where(_C.number > number).order_by(_C.number).limit(limit))

    def unfinished(self, after: int, limit: int) -> list[SessionRow]:
        """Return sessions and messages that are not finished, in order of number, those above ``after``."""
        query = select(SESSION).where(_C.number > after, _C.state.not_in(_FINISHED))
        return self._many(query.order_by(_C.number).limit(limit))

    def _where(self, condition: ColumnElement[bool], limit: int) -> list[SessionRow]:
        return self._many(select(SESSION).where(condition).limit(limit))

    def _many(self, query: Select[Any]) -> list[SessionRow]:
        return structs(SessionRow, self._db.execute(query))

    def _one(self, query: Select[Any]) -> SessionRow | None:
        row = self._db.execute(query.with_for_update(key_share=True) if self._changes else query).first()
        return None if row is None else struct(SessionRow, row)
