"""A worker's own page of the ledger: its batch's cells, and the writes that move them."""

from __future__ import annotations

from collections.abc import Iterable

from pagerd.core import balance, cells
from pagerd.core.batches import Claim
from pagerd.core.cells import Cell
from pagerd.core.resolution import Moves, moves_of
from pagerd.core.states import NOT_TOLD, UNSETTLED, BatchState, RecipientState
from pagerd.ports.ledger import Exceptional, ReasonDelta, Write


class BatchPage:
    """What the ledger says of one claimed batch, as last written, and what shall be written next.

    ``cells`` is changed freely; :meth:`write` turns the difference to what was last written into one
    :class:`Write`, and :meth:`written` makes that the new ground once it is durable.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.cells = cells.unpack(claim.vec)
        self._was = list(self.cells)
        self._vec = claim.vec
        self._state = claim.state
        self._window = 0

    def places(self, *states: RecipientState) -> list[int]:
        """Return the places of the recipients in one of ``states``, in order."""
        return [idx for idx, cell in enumerate(self.cells) if cell.state in states]

    def back(self) -> None:
        """Forget what was not written."""
        self.cells = list(self._was)

    @property
    def settled(self) -> bool:
        """Whether nobody in it is unsettled."""
        return not any(cell.state in UNSETTLED for cell in self.cells)

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
        change = moves_of(self._was, self.cells)
        return Write(
            key=self.claim.key,
            token=self.claim.token,
            state=state,
            vec=change.vec,
            counts=balance.change((self._state, self._vec), (state, change.vec)),
            reasons=_reasons(change),
            enter=tuple(Exceptional(*entry) for entry in change.enter),
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
        self._vec = write.vec
        self._was = list(self.cells)
        self._state = write.state
        if write.attempt is not None:
            self._window += 1

    def due(self) -> float | None:
        """Return when the first deferred recipient is due (UTC epoch seconds); ``None`` where nobody is deferred."""
        return min(_due(self.cells), default=None)


def _due(found: Iterable[Cell]) -> Iterable[int]:
    return (cell.not_before for cell in found if cell.state is RecipientState.DEFERRED)


def _reasons(change: Moves) -> tuple[ReasonDelta, ...]:
    return tuple(ReasonDelta(state, reason, n) for (state, reason), n in change.reasons.items())
