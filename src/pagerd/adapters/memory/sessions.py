"""Sessions and their counters in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import msgspec

from pagerd.adapters.memory.tables import Journal, Table
from pagerd.core.balance import Counts
from pagerd.core.errors import Conflict
from pagerd.core.policy import Priority
from pagerd.core.states import FINISHED_SESSION, RecipientState, SessionState
from pagerd.ports.store import SessionRow

_RUNS = frozenset({SessionState.READY, SessionState.RUNNING})


class MemorySessions:
    """Implements ``ports.store.Sessions``."""

    def __init__(self, journal: Journal) -> None:
        self._rows: Table[int, SessionRow] = Table(journal, SessionRow)
        self._counts: Table[int, Counts] = Table(journal, Counts)
        self._reasons: Table[tuple[int, int, int], int] = Table(journal, int)
        self._given = 0

    def add(self, row: SessionRow, counts: Counts) -> int:
        """Insert a session with its counters; return its number, that no other session ever had."""
        if any(other.id == row.id for other in self._rows.rows()):
            raise Conflict("there is a session with this identifier")
        self._given += 1
        self._rows.put(self._given, msgspec.structs.replace(row, number=self._given))
        self._counts.put(self._given, counts)
        return self._given

    def get(self, workspace: int, id: bytes) -> SessionRow | None:
        """Return a session of that workspace, or ``None``."""
        return next((row for row in self._rows.rows() if row.id == id and row.workspace == workspace), None)

    def by_number(self, number: int) -> SessionRow | None:
        """Return a session, or ``None``."""
        return self._rows.get(number)

    def next_no(self, number: int) -> int:
        """Return up to which batch a session was claimed or published; 0 for an unknown one."""
        row = self._rows.get(number)
        return 0 if row is None else row.next_no

    def newest(self, workspace: int, limit: int, before: bytes | None, state: SessionState | None) -> list[SessionRow]:
        """Return sessions (messages apart), newest first, those older than ``before``."""
        found = [
            row
            for row in self._rows.rows()
            if row.workspace == workspace
            and not row.is_message
            and (before is None or row.id < before)
            and state in (None, row.state)
        ]
        return sorted(found, key=lambda row: row.id, reverse=True)[:limit]

    def save(self, row: SessionRow) -> None:
        """Write every field back but ``next_no``, which only claims move."""
        kept = self._rows.get(row.number)
        if kept is not None:
            self._rows.put(row.number, msgspec.structs.replace(row, next_no=kept.next_no))

    def claimed(self, row: SessionRow) -> None:
        """Write every field back, as a claim does."""
        self._rows.put(row.number, row)

    def counts(self, number: int) -> Counts:
        """Return the counters; all zero for an unknown session."""
        return self._counts.get(number) or Counts()

    def count(self, number: int, delta: Counts) -> None:
        """Add ``delta`` to the counters."""
        if number in self._counts:
            self._counts.put(number, self.counts(number) + delta)

    def set_counts(self, number: int, counts: Counts) -> None:
        """Replace the counters."""
        self._counts.put(number, counts)

    def reasons(self, number: int) -> list[tuple[RecipientState, int, int]]:
        """Return (state, reason number, how many), those that are not zero."""
        mine = ((key, n) for key, n in self._reasons.items() if key[0] == number and n)
        return [(RecipientState(state), reason, n) for (_, state, reason), n in mine]

    def count_reason(self, number: int, state: RecipientState, reason: int, delta: int) -> None:
        """Add ``delta`` to one reason's counter."""
        key = (number, int(state), reason)
        self._reasons.put(key, (self._reasons.get(key) or 0) + delta)

    def due(self, now: float, limit: int) -> list[SessionRow]:
        """Return scheduled sessions whose time has come, unfinished ones past their expiry, those with chores."""
        return self._where(lambda row: _due(row, now), limit)

    def reapable(self, created_before: float, limit: int) -> list[SessionRow]:
        """Return sessions still in ``staging`` that were created before a time."""
        return self._where(lambda row: row.state is SessionState.STAGING and row.created_at < created_before, limit)

    def key_in_use(self, key_id: bytes) -> bool:
        """Tell whether a session that has not given its key up refers to it."""
        return any(row.key_id == key_id and not row.settled_key for row in self._rows.rows())

    def shreddable(self, finished_before: float, limit: int) -> list[SessionRow]:
        """Return finished sessions whose key may go."""
        return self._where(
            lambda row: row.finished_at is not None and row.finished_at < finished_before and not row.settled_key, limit
        )

    def fresh(self, priority: Priority, after: int, now: float, limit: int) -> list[SessionRow]:
        """Return sessions that run and have fresh work, in order of number, those above ``after``."""
        return self._where(
            lambda row: (
                row.number > after
                and row.priority == priority
                and row.state in _RUNS
                and row.next_no <= row.stop_no
                and (row.expires_at is None or row.expires_at > now)
            ),
            limit,
        )

    def advance(self, cursors: Sequence[tuple[int, int]], now: float) -> None:
        """Let (session, number) be its ``next_no``, as a first claim does; never back, nor where it does not run."""
        for number, cursor in cursors:
            row = self._rows.get(number)
            if row is not None and row.state in _RUNS and row.next_no < cursor <= row.stop_no + 1:
                began = now if row.started_at is None else row.started_at
                new = msgspec.structs.replace(row, next_no=cursor, state=SessionState.RUNNING, started_at=began)
                self._rows.put(number, new)

    def unfinished(self, after: int, limit: int) -> list[SessionRow]:
        """Return sessions and messages that are not finished, in order of number, those above ``after``."""
        return self._where(lambda row: row.number > after and row.state not in FINISHED_SESSION, limit)

    def next_after(self, number: int, limit: int) -> list[SessionRow]:
        """Return sessions and messages in order of number, those above ``number``."""
        return self._where(lambda row: row.number > number, limit)

    def _where(self, wanted: Callable[[SessionRow], bool], limit: int) -> list[SessionRow]:
        return list(islice(filter(wanted, self._rows.rows()), limit))


def _due(row: SessionRow, now: float) -> bool:
    """Tell whether there is something to do for a session."""
    come = row.state is SessionState.SCHEDULED and row.send_at is not None and row.send_at <= now
    over = row.expires_at is not None and row.expires_at <= now and row.finished_at is None
    return come or (over and row.state is not SessionState.STAGING) or row.chores is not None
