"""A worker's own page of the ledger: its batch's vector, and the writes that move it.

Most batches go the same way (all pending, all sending, all accepted), so what a way means, for counters, reasons and
rows, is worked out once and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from pagerd.core import balance, cells
from pagerd.core.batches import Claim
from pagerd.core.cells import Cell
from pagerd.core.resolution import moves_of
from pagerd.core.states import NOT_TOLD, UNSETTLED, BatchState, RecipientState, moved
from pagerd.ports.ledger import Exceptional, ReasonDelta, Write

_KEPT: Final = 256
_R = RecipientState


class BatchPage:
    """What the ledger says of one claimed batch, as last written, and what shall be written next.

    ``vec`` is changed freely, by way of ``cells`` or of :meth:`intend` and :meth:`accept`; :meth:`write` turns the
    difference to what was last written into one :class:`Write`, and :meth:`written` makes that the new ground once it
    is durable.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.vec = claim.vec
        self._was = claim.vec
        self._state = claim.state
        self._window = 0

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The recipients' cells, in batch order."""
        return _cells(self.vec)

    @cells.setter
    def cells(self, new: Sequence[Cell]) -> None:
        self.vec = cells.pack(new)

    def put(self, place: int, cell: Cell) -> None:
        """Change one recipient's cell."""
        at = place * cells.SIZE
        self.vec = self.vec[:at] + cells.pack([cell]) + self.vec[at + cells.SIZE :]

    def intend(self, places: tuple[int, ...], provider: int) -> None:
        """Note that these recipients are about to be sent to, by the provider of that number."""
        self.vec = _intended(self.vec, places, provider)

    def accept(self, places: tuple[int, ...]) -> None:
        """Note that a provider took responsibility for the messages to these recipients, who were ``sending``."""
        self.vec = _accepted(self.vec, places)

    def places(self, *states: RecipientState) -> tuple[int, ...]:
        """Return the places of the recipients in one of ``states``, in order."""
        return _places(self.vec, states)

    def back(self) -> None:
        """Forget what was not written."""
        self.vec = self._was

    @property
    def settled(self) -> bool:
        """Whether nobody in it is unsettled."""
        return _settled(self.vec)

    @property
    def verdict(self) -> BatchState:
        """``succeeded`` when nobody in the settled batch is not told, else ``failed``."""
        return BatchState.FAILED if any(cell.state in NOT_TOLD for cell in self.cells) else BatchState.SUCCEEDED

    def write(
        self,
        state: BatchState,
        *,
        attempt: bytes | None = None,
        run_at: float | None = None,
        needs_running: bool = False,
        lost: bool = False,
    ) -> Write:
        """Return the write that makes the ledger say what ``cells`` say, the batch in ``state``."""
        change = _change(self._state, self._was, state, self.vec)
        return Write(
            key=self.claim.key,
            token=self.claim.token,
            state=state,
            vec=self.vec,
            counts=change.counts,
            reasons=change.reasons,
            enter=change.enter,
            leave=change.leave,
            attempt=attempt,
            window=self._window,
            run_at=run_at,
            needs_running=needs_running,
            lost=lost,
        )

    @property
    def window(self) -> int:
        """The number of the window that the next attempt record is of."""
        return self._window

    def written(self, write: Write) -> None:
        """Take note that ``write`` is durable."""
        self._was = write.vec
        self._state = write.state
        if write.attempt is not None:
            self._window += 1

    def due(self) -> float | None:
        """Return when the first deferred recipient is due (UTC epoch seconds); ``None`` where nobody is deferred."""
        return min((cell.not_before for cell in self.cells if cell.state is _R.DEFERRED), default=None)


class _Change(NamedTuple):
    """What follows from a batch's way from one state and vector to another."""

    counts: tuple[int, ...]
    reasons: tuple[ReasonDelta, ...]
    enter: tuple[Exceptional, ...]
    leave: tuple[int, ...]


@lru_cache(maxsize=_KEPT)
def _change(old: BatchState, was: bytes, new: BatchState, vec: bytes) -> _Change:
    moves = moves_of(cells.unpack(was), cells.unpack(vec))
    return _Change(
        balance.change((old, was), (new, vec)),
        tuple(ReasonDelta(state, reason, n) for (state, reason), n in moves.reasons.items()),
        tuple(Exceptional(*entry) for entry in moves.enter),
        moves.leave,
    )


@lru_cache(maxsize=_KEPT)
def _cells(vec: bytes) -> tuple[Cell, ...]:
    return tuple(cells.unpack(vec))


@lru_cache(maxsize=_KEPT)
def _places(vec: bytes, states: tuple[RecipientState, ...]) -> tuple[int, ...]:
    return tuple(idx for idx, state in enumerate(cells.states(vec)) if state in states)


@lru_cache(maxsize=_KEPT)
def _settled(vec: bytes) -> bool:
    return not any(state in UNSETTLED for state in cells.states(vec))


@lru_cache(maxsize=_KEPT)
def _intended(vec: bytes, places: tuple[int, ...], provider: int) -> bytes:
    people = cells.unpack(vec)
    for place in places:
        cell = people[place]
        attempt = min(cell.attempt + 1, 255)
        people[place] = cell._replace(state=moved(cell.state, _R.SENDING), attempt=attempt, provider=provider)
    return cells.pack(people)


@lru_cache(maxsize=_KEPT)
def _accepted(vec: bytes, places: tuple[int, ...]) -> bytes:
    people = cells.unpack(vec)
    for place in places:
        cell = people[place]
        people[place] = cell._replace(state=moved(cell.state, _R.ACCEPTED), code=0, not_before=0)
    return cells.pack(people)
