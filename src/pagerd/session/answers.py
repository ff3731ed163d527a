"""Answers that are given again: the Idempotency-Key of creating requests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from pagerd.core.errors import Conflict, Gone, Invalid
from pagerd.core.requests import Answer, Asker, Retry
from pagerd.ports.store import IdempotencyRow, Store, Work
from pagerd.ports.time import Clock
from pagerd.seal.blob import key_id_of
from pagerd.seal.hierarchy import Seal, SessionKey

DAY: Final = 86_400.0
_COLUMN: Final = "answer"


class Answers:
    """Keeps what was answered under a key, and knows which keys are being answered right now.

    An answer may name people, so it is sealed with the key of the session that it tells about, and shredded with it.
    """

    def __init__(self, store: Store, seal: Seal, clock: Clock) -> None:
        self._store = store
        self._seal = seal
        self._index = seal.index
        self._clock = clock
        self._running: set[tuple[int, bool, str]] = set()

    async def earlier(self, asker: Asker, retry: Retry) -> Answer | None:
        """Return the answer that this request got before.

        Raise :class:`Invalid` if the key came with another body, :class:`Gone` if what was answered is shredded.
        """
        key = self._key(retry)
        now = self._clock.now()
        row = await self._store.read(lambda work: work.idempotency.get(asker.workspace, asker.live, key, now))
        return None if row is None else await self._same(row, retry)

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

    def keep(
        self, work: Work, asker: Asker, retry: Retry, answer: Answer, lifetime: float | None, key: SessionKey
    ) -> None:
        """Keep an answer in the transaction of what it tells, for ``lifetime`` seconds; ``None``: while that exists.

        ``key`` is the key of the session that the answer tells about.
        """
        now = self._clock.now()
        at = self._key(retry)
        work.idempotency.add(
            IdempotencyRow(
                workspace=asker.workspace,
                live=asker.live,
                key=at,
                mac=self._index.mac(retry.body),
                status=answer.status,
                answer=key.seal(_COLUMN, b"", at, answer.body),
                expires_at=None if lifetime is None else now + lifetime,
            ),
            now,
        )

    async def _same(self, row: IdempotencyRow, retry: Retry) -> Answer:
        if row.mac != self._index.mac(retry.body):
            raise Invalid(
                "this Idempotency-Key came before, with another body: use a new key for a new request",
                code="idempotency_key_reused",
            )
        try:
            key = await self._seal.session_key(key_id_of(row.answer))
        except Gone:
            words = "this Idempotency-Key was answered long ago, and the answer is shredded: use a new key"
            raise Gone(words, code="key_shredded") from None
        return Answer(status=row.status, body=key.open(_COLUMN, b"", row.key, row.answer), replayed=True)

    def _key(self, retry: Retry) -> bytes:
        # The key may hold personal data (an order, an address): only its keyed hash is stored.
        return self._index.of_text("idempotency", retry.key)
