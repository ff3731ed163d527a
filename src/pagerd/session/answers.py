"""Answers that are given again: the Idempotency-Key of creating requests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from pagerd.core.errors import Conflict, Invalid
from pagerd.core.requests import Answer, Asker, Retry
from pagerd.ports.store import IdempotencyRow, Store, Work
from pagerd.ports.time import Clock
from pagerd.seal.index import BlindIndex

DAY: Final = 86_400.0


class Answers:
    """Keeps what was answered under a key, and knows which keys are being answered right now."""

    def __init__(self, store: Store, index: BlindIndex, clock: Clock) -> None:
        self._store = store
        self._index = index
        self._clock = clock
        self._running: set[tuple[int, bool, str]] = set()

    async def earlier(self, asker: Asker, retry: Retry) -> Answer | None:
        """Return the answer that this request got before; raise :class:`Invalid` if the key came with another body."""
        key = self._key(retry)
        now = self._clock.now()
        row = await self._store.read(lambda work: work.idempotency.get(asker.workspace, asker.live, key, now))
        return None if row is None else self._same(row, retry)

    @contextlib.contextmanager
    def running(self, asker: Asker, retry: Retry) -> Iterator[None]:
        """Hold a key while it is being answered; raise :class:`Conflict` while somebody else holds it."""
        mine = (asker.workspace, asker.live, retry.key)
        if mine in self._running:
            raise Conflict(
                "a request with this Idempotency-Key is being answered right now",
                code="idempotency_in_progress",
                retry_after=1,
            )
        self._running.add(mine)
        try:
            yield
        finally:
            self._running.discard(mine)

    def keep(self, work: Work, asker: Asker, retry: Retry, answer: Answer, lifetime: float | None) -> None:
        """Keep an answer in the transaction of what it tells, for ``lifetime`` seconds; ``None``: while that exists."""
        now = self._clock.now()
        work.idempotency.add(
            IdempotencyRow(
                workspace=asker.workspace,
                live=asker.live,
                key=self._key(retry),
                mac=self._index.mac(retry.body),
                status=answer.status,
                answer=answer.body,
                expires_at=None if lifetime is None else now + lifetime,
            ),
            now,
        )

    def _same(self, row: IdempotencyRow, retry: Retry) -> Answer:
        if row.mac != self._index.mac(retry.body):
            raise Invalid(
                "this Idempotency-Key came before, with another body: use a new key for a new request",
                code="idempotency_key_reused",
            )
        return Answer(status=row.status, body=row.answer, replayed=True)

    def _key(self, retry: Retry) -> bytes:
        # The key may hold personal data (an order, an address): only its keyed hash is stored.
        return self._index.of_text("idempotency", retry.key)
