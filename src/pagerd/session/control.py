"""What people do to a session under way: pause, resume, cancel, redrive. Each is the change of one row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pagerd.core.errors import Conflict, Fault, Gone, Invalid, Missing, WrongState
from pagerd.core.outcomes import RETRYABLE, ReasonClass
from pagerd.core.requests import Asker, Redrive
from pagerd.core.resolution import HELD
from pagerd.core.states import FINISHED_SESSION, RecipientState, SessionState
from pagerd.core.views import SessionView
from pagerd.ledger.accounts import Accounts
from pagerd.ledger.reasons import ReasonBook
from pagerd.ports.store import SessionRow, Store, Work
from pagerd.ports.time import Clock
from pagerd.seal.hierarchy import Seal
from pagerd.session.chores import Chore, added
from pagerd.session.closing import REASONS, close, reopen

_S = SessionState
_R = RecipientState
_PERMANENT: Final = frozenset({ReasonClass.PERMANENT_ADDRESS, ReasonClass.PERMANENT_CONTENT})
_REDRIVABLE: Final = (_R.FAILED, _R.REJECTED, _R.UNKNOWN, _R.EXPIRED, _R.CANCELLED, _R.SUPPRESSED)


class Control:
    """Pauses, resumes, cancels and redrives. Repeating is harmless."""

    def __init__(
        self, store: Store, seal: Seal, book: ReasonBook, accounts: Accounts, clock: Clock, hint: Callable[[], None]
    ) -> None:
        """``hint`` is called when there is a chore."""
        self._store = store
        self._seal = seal
        self._book = book
        self._accounts = accounts
        self._clock = clock
        self._hint = hint

    async def pause(self, asker: Asker, session_id: str, reason: str | None) -> SessionView:
        """Stop at the next intent: what is under way ends, nothing new leaves."""

        def change(work: Work, row: SessionRow) -> None:
            if row.state is _S.PAUSED:
                return
            _only(row, "paused", _S.SCHEDULED, _S.READY, _S.RUNNING)
            work.sessions.save(paused(row, reason or "paused by a person"))

        return await self._change(asker, session_id, change)

    async def resume(self, asker: Asker, session_id: str) -> SessionView:
        """Go on where a pause stopped."""
        now = self._clock.now()

        def change(work: Work, row: SessionRow) -> None:
            if row.state in (_S.READY, _S.RUNNING, _S.SCHEDULED):
                return
            _only(row, "resumed", _S.PAUSED)
            work.sessions.save(resumed(row, now))

        return await self._change(asker, session_id, change)

    async def cancel(self, asker: Asker, session_id: str) -> SessionView:
        """Tell nobody more: whoever is still to go is cancelled; who was told stays told."""
        now = self._clock.now()
        reason = await self._book.number(REASONS[_R.CANCELLED])
        held = await self._book.number(HELD)

        def change(work: Work, row: SessionRow) -> None:
            if row.state is _S.CANCELLED:
                return
            _only(row, "cancelled", _S.STAGING, _S.SCHEDULED, _S.READY, _S.RUNNING, _S.PAUSED)
            close(work, row, _R.CANCELLED, reason, held, now)

        return await self._change(asker, session_id, change)

    async def redrive(self, asker: Asker, session_id: str, wanted: Redrive) -> SessionView:
        """Run the remainder again that ``wanted`` takes; raise :class:`Gone` once the session's key is shredded."""
        row = await self._accounts.row(asker, session_id)
        await self._seal.session_key(row.key_id)
        states = _states(wanted)
        reasons = await self._reasons(wanted)
        closed = await self._accounts.closed_reason(row)
        now = self._clock.now()
        if wanted.expires_at is not None and wanted.expires_at <= now:
            fault = Fault(code="expired_already", detail="expires_at is over already", pointer="/expires_at")
            raise Invalid(faults=[fault], code=fault.code)

        def change(work: Work, row: SessionRow) -> None:
            _redrivable(row)
            if row.closed_as in states and (reasons is None or closed in reasons):
                row = reopen(work, row, closed)
            chore = Chore(do="redrive", states=[state.value for state in states], reasons=reasons)
            over = row.expires_at is not None and row.expires_at <= now
            work.sessions.save(
                msgspec.structs.replace(
                    row,
                    state=_S.RUNNING,
                    round=row.round + 1,
                    started_at=now,
                    finished_at=None,
                    expires_at=wanted.expires_at or (None if over else row.expires_at),
                    chores=added(row.chores, chore),
                )
            )

        return await self._change(asker, session_id, change)

    async def _reasons(self, wanted: Redrive) -> list[int] | None:
        """Return the numbers of the reasons that a redrive takes; who is permanently refused needs force."""
        conditions = wanted.state or wanted.reason_class or wanted.code
        if wanted.force and not (wanted.reason_class or wanted.code):
            return None
        numbers = await self._book.where(wanted.reason_class, wanted.code)
        if wanted.force:
            return numbers
        if wanted.reason_class in _PERMANENT:
            detail = f"people whose reason is {wanted.reason_class} are only redriven with force"
            fault = Fault(code="force_needed", detail=detail, pointer="/where/class")
            raise Invalid(faults=[fault], code=fault.code)
        known = self._book.known
        return [n for n in numbers if known[n].kind in RETRYABLE or (conditions and known[n].kind not in _PERMANENT)]

    async def _change(self, asker: Asker, session_id: str, change: Callable[[Work, SessionRow], None]) -> SessionView:
        row = await self._accounts.row(asker, session_id)
        number = row.number

        def run(work: Work) -> None:
            current = work.sessions.by_number(number)
            if current is None:
                raise Missing(f"there is no session {session_id}")
            change(work, current)

        await self._store.work(run)
        self._hint()
        return await self._accounts.view_of(number)


def paused(row: SessionRow, reason: str) -> SessionRow:
    """Return a session's row, paused."""
    return msgspec.structs.replace(row, state=_S.PAUSED, paused_from=row.state, pause_reason=reason[:200])


def resumed(row: SessionRow, now: float) -> SessionRow:
    """Return a paused session's row, going on where it was."""
    state = row.paused_from or _S.RUNNING
    if state is _S.SCHEDULED and (row.send_at or 0.0) <= now:
        state = _S.READY
    return msgspec.structs.replace(
        row, state=state, paused_from=None, pause_reason=None, chores=added(row.chores, Chore(do="unpark"))
    )


def _redrivable(row: SessionRow) -> None:
    if row.state not in FINISHED_SESSION:
        raise WrongState("only a finished session is redriven", current=row.state.value)
    if row.last_no == 0:
        words = "nobody was ever admitted to it: it ended before its upload was started; make a new session"
        raise WrongState(words, current=row.state.value, code="never_started")
    if row.settled_key:
        raise Gone("its key is shredded: nobody's address can be read any more", code="key_shredded")
    if row.chores is not None:
        raise Conflict("what is under way of it is still being ended: ask again", code="still_ending", retry_after=1)


def _only(row: SessionRow, verb: str, *states: SessionState) -> None:
    if row.state not in states:
        raise WrongState(f"a session that is {row.state} can't be {verb}", current=row.state.value)


def _states(wanted: Redrive) -> list[RecipientState]:
    """Return whom a redrive takes: unknown people only by name, suppressed ones only by force."""
    if wanted.state is None:
        left_out = {_R.UNKNOWN} | (set() if wanted.force else {_R.SUPPRESSED})
        return [state for state in _REDRIVABLE if state not in left_out]
    state = next((s for s in _REDRIVABLE if s.word == wanted.state), None)
    if state is None or (state is _R.SUPPRESSED and not wanted.force):
        words = ", ".join(s.word for s in _REDRIVABLE)
        fault = Fault(
            code="state_not_redrivable",
            detail=f"{wanted.state!r} people can't be redriven: {words} (suppressed only with force)",
            pointer="/where/state",
        )
        raise Invalid(faults=[fault], code=fault.code)
    return [state]
