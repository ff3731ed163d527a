"""The clockwork of sessions: what is due begins, what is over ends, chores go on, what nobody needs is removed."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Final

import msgspec

from pagerd.core.resolution import HELD
from pagerd.core.states import FINISHED_SESSION, RecipientState, SessionState
from pagerd.ledger.reasons import ReasonBook
from pagerd.ports.store import IdempotencyRow, SessionRow, Store, Work
from pagerd.ports.time import Clock
from pagerd.ports.watch import Watch
from pagerd.seal.blob import key_id_of
from pagerd.seal.hierarchy import Seal
from pagerd.session.chores import step
from pagerd.session.closing import REASONS, close

_PULSE: Final = 1.0
_SELDOM: Final = 60
_DUE_AT_ONCE: Final = 50
_DAY: Final = 86_400.0
STAGING_DAYS: Final = 7
_ORPHAN_AGE: Final = 6 * 3600.0
"""Well over the hour in which messages share a key, and over any admission."""
_KEYS_AT_ONCE: Final = 500
_ANSWERS_AT_ONCE: Final = 500
_FIRST_ANSWER: Final = (0, False, b"")


class Housekeeper:
    """Runs beside the workers of a process."""

    def __init__(
        self, store: Store, seal: Seal, book: ReasonBook, clock: Clock, watch: Watch, *, key_days: float
    ) -> None:
        """``key_days`` after a session settled its key is shredded."""
        self._store = store
        self._seal = seal
        self._book = book
        self._clock = clock
        self._watch = watch
        self._key_days = key_days
        self._task: asyncio.Task[None] | None = None
        self._hint = asyncio.Event()
        self._reaped = b""
        self._answers_seen = _FIRST_ANSWER

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    def hint(self) -> None:
        """Look again at once: a chore was added."""
        self._hint.set()

    async def stop(self) -> None:
        """End; twice is harmless."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        beat = 0
        while True:
            try:
                await self.pulse()
                if beat % _SELDOM == 0:
                    await self.seldom()
            except Exception as error:  # noqa: BLE001 - the clockwork must not stop for one session
                self._watch.trouble("sessions can't be kept in order", error)
            beat += 1
            self._hint.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PULSE):
                    await self._hint.wait()

    async def pulse(self) -> None:
        """Begin what is due, end what is over, go on with chores."""
        now = self._clock.now()
        for row in await self._store.read(lambda work: work.sessions.due(now, _DUE_AT_ONCE)):
            if row.state is SessionState.SCHEDULED and row.send_at is not None and row.send_at <= now:
                await self._store.work(partial(_begin, row.number))
            if row.expires_at is not None and row.expires_at <= now and row.state not in FINISHED_SESSION:
                await self._expire(row, now)
            if row.chores is not None:
                await self._chores(row.number)

    async def seldom(self) -> None:
        """Remove abandoned uploads, old answers, and the keys of sessions settled long ago."""
        now = self._clock.now()
        while await self._store.work(lambda work: work.idempotency.expire(now, 200)):
            pass
        for row in await self._store.read(lambda work: work.sessions.reapable(now - STAGING_DAYS * _DAY, 20)):
            await self._expire(row, now)
        for row in await self._store.read(lambda work: work.sessions.shreddable(now - self._key_days * _DAY, 200)):
            await self._shred(row)
        await self._forget_answers()
        await self._reap_orphans(now)

    async def _chores(self, number: int) -> None:
        now = self._clock.now()
        while await self._store.work(lambda work: step(work, number, now)):
            pass

    async def _expire(self, row: SessionRow, now: float) -> None:
        reason = await self._book.number(REASONS[RecipientState.EXPIRED])
        held = await self._book.number(HELD)

        def change(work: Work) -> None:
            current = work.sessions.by_number(row.number)
            if current is not None and current.state not in FINISHED_SESSION:
                close(work, current, RecipientState.EXPIRED, reason, held, now)

        await self._store.work(change)

    async def _shred(self, row: SessionRow) -> None:
        """Shred a key once no session that still needs it refers to it: messages of an hour share one."""
        if await self._store.work(partial(_given_up, row.number)):
            await self._seal.shred(row.key_id)

    async def _forget_answers(self) -> None:
        """Delete answers that nobody can read any more: some at a time, round and round."""
        after = self._answers_seen
        rows = await self._store.read(lambda work: work.idempotency.lasting(after, _ANSWERS_AT_ONCE))
        full = len(rows) == _ANSWERS_AT_ONCE
        self._answers_seen = (rows[-1].workspace, rows[-1].live, rows[-1].key) if full else _FIRST_ANSWER
        for row in rows:
            if not await self._store.read(partial(_is_known, key_id_of(row.answer))):
                await self._store.work(partial(_forget, row))

    async def _reap_orphans(self, now: float) -> None:
        """Shred keys that were made for a session which was then never admitted."""
        keys = await self._seal.keys_older_than(now - _ORPHAN_AGE, self._reaped, _KEYS_AT_ONCE)
        self._reaped = keys[-1] if len(keys) == _KEYS_AT_ONCE else b""
        for key in keys:
            if not await self._store.read(partial(_is_known, key)):
                await self._seal.shred(key)


def _begin(number: int, work: Work) -> None:
    row = work.sessions.by_number(number)
    if row is not None and row.state is SessionState.SCHEDULED:
        work.sessions.save(msgspec.structs.replace(row, state=SessionState.READY))


def _given_up(number: int, work: Work) -> bool:
    """Mark a session's key as no longer needed by it; return whether nobody else needs it either."""
    row = work.sessions.by_number(number)
    if row is None or row.state not in FINISHED_SESSION or row.chores is not None:
        return False  # redriven meanwhile
    work.sessions.save(msgspec.structs.replace(row, settled_key=True))
    return not work.sessions.key_in_use(row.key_id)


def _forget(row: IdempotencyRow, work: Work) -> None:
    if not work.sessions.key_in_use(key_id_of(row.answer)):
        work.idempotency.drop(row)


def _is_known(key: bytes, work: Work) -> bool:
    return work.sessions.key_in_use(key)
