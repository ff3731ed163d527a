"""The batch processor: people come in, complete sealed batches come out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pagerd.audience.rows import Checked
from pagerd.core.recipients import Recipient
from pagerd.ledger import payloads
from pagerd.ports.store import Payload
from pagerd.seal.hierarchy import SessionKey


class Cutter:
    """Cuts people into batches of ``size``, in order, and seals each; numbers count from 1 in their block."""

    def __init__(self, key: SessionKey, session: bytes, block: int, size: int) -> None:
        self._key = key
        self._session = session
        self._block = block
        self._size = size
        self._open: list[Recipient] = []
        self.batches = 0
        self.recipients = 0

    @property
    def next_place(self) -> tuple[int, int]:
        """The batch number and index that the next person will have."""
        return self.batches + 1, len(self._open)

    def add(self, person: Recipient) -> Payload | None:
        """Take one person; return the batch that they completed, if they did."""
        self._open.append(person)
        self.recipients += 1
        return self._seal() if len(self._open) == self._size else None

    def end(self) -> Payload | None:
        """Return the last batch, if there is one left: it may be smaller."""
        return self._seal() if self._open else None

    def _seal(self) -> Payload:
        self.batches += 1
        at = payloads.place(self._block, self.batches)
        blob = payloads.sealed(self._key, self._session, at, self._open)
        n = len(self._open)
        self._open.clear()
        return Payload(block=self._block, seq=self.batches, n=n, blob=blob)


def cut_all(cutter: Cutter, people: Iterable[Checked]) -> Iterator[Payload]:
    """Yield the batches of a whole audience."""
    for checked in people:
        payload = cutter.add(checked.recipient)
        if payload is not None:
            yield payload
    last = cutter.end()
    if last is not None:
        yield last
