"""What is durable and how it changes: every commit of the model goes through here.

A commit is atomic. Each move of a recipient and of a batch is held against the drawing in ``pagerd.core.states``;
the verdicts are those of ``pagerd.core.balance``: the model and the code can't drift apart.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from pagerd.core import balance, cells
from pagerd.core.policy import OnDoubt
from pagerd.core.states import FINISHED_BATCH, AnyState, BatchState, RecipientState, SessionState, may_move

from .state import IDLE, Batch, Cell, Counts, Phase, Rules, Slot, State, Worker, put, tally, with_worker

B = BatchState
R = RecipientState
DOUBTFUL: Final = (R.SENDING, R.IN_DOUBT)
UNDER_CLAIM: Final = (B.CLAIMED, B.DISPATCHING)
UNFINISHED_SESSION: Final = (SessionState.RUNNING, SessionState.PAUSED)


CLOSED: Final = {
    SessionState.CANCELLED: (R.CANCELLED, B.CANCELLED),
    SessionState.EXPIRED: (R.EXPIRED, B.EXPIRED),
}
"""What becomes of the people and batches of a session that somebody, or time, has closed."""

Arrow = tuple[str, str, str]
"""A kind of state, and the names of two: numbers alone would take a batch's state for a recipient's."""


class OffTheDrawing(Exception):
    """The protocol made a move for which ``core.states`` has no arrow."""


class Ledger:
    """The database: commits, tokens, the resolution of doubt."""

    forgetful = True
    """Whether what a zombie remembers is left out of the state: each of its writes is lost, so it can't matter."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.strict = True
        """Whether a move off the drawing is an error (a mutant may be asked what else it breaks)."""
        self.arrows: set[Arrow] = set()
        """Every arrow of the drawing that was taken."""

    def draw(self, old: AnyState, new: AnyState) -> None:
        """Hold a move against the drawing."""
        arrow = (type(old).__name__, old.name, new.name)
        if arrow in self.arrows:
            return
        if may_move(old, new):
            self.arrows.add(arrow)
        elif self.strict and old is not new:
            raise OffTheDrawing(f"{arrow[0]}: {old.name.lower()} → {new.name.lower()}")

    def move(self, cell: Cell, state: RecipientState, *, flag: bool = False) -> Cell:
        """Return a recipient in its next state."""
        self.draw(cell.state, state)
        return Cell(state, cell.flagged or flag)

    def resolve(self, cell: Cell) -> Cell:
        """Return a recipient whose answer can't be read any more as the policy wants it: flagged, or ``unknown``."""
        if cell.state is R.SENDING:
            cell = self.move(cell, R.IN_DOUBT)
        if cell.state is not R.IN_DOUBT:
            return cell
        if self.rules.on_doubt is OnDoubt.HOLD:
            return self.move(cell, R.UNKNOWN)
        return self.move(cell, R.PENDING, flag=True)

    def ended(
        self, people: tuple[Cell, ...], state: RecipientState, verdict: BatchState
    ) -> tuple[BatchState, tuple[Cell, ...]]:
        """Return a batch that is ended: the rest becomes ``state``; without a rest the verdict is an ordinary one."""
        after = tuple(self.end(cell, state) for cell in people)
        if not any(cell.state is state and was.state is not state for cell, was in zip(after, people, strict=True)):
            verdict = self.without_rest(verdict, after)
        return verdict, after

    def end(self, cell: Cell, state: RecipientState) -> Cell:
        """Return a recipient of a batch that ends.

        A doubt that nobody will resolve any more is ``unknown`` under either policy: cancelled or failed would hide it.
        So is somebody flagged who still waits for the resend.
        """
        if cell.state is R.SENDING:
            cell = self.move(cell, R.IN_DOUBT)
        if cell.state is R.IN_DOUBT or (cell.state in (R.PENDING, R.DEFERRED) and cell.flagged):
            return self.move(cell, R.UNKNOWN)
        return self.move(cell, state) if cell.state in (R.PENDING, R.DEFERRED) else cell

    def without_rest(self, verdict: BatchState, people: tuple[Cell, ...]) -> BatchState:
        """Return the verdict on a batch that was to be ended, but had nobody pending any more."""
        return batch_verdict(tuple(cell.state for cell in people))

    def commit(self, s: State, b: int, row: Batch, believed: tuple[Cell, ...]) -> State:
        """Return the state after one transaction: the row, the counters' delta, and the session's verdict if it is due.

        ``believed`` is what the writer thought the cells were: it computed the delta from that.
        """
        self.draw(s.batches[b].state, row.state)
        batches = put(s.batches, b, row)
        counts = s.counts
        if believed != row.cells:
            counts = Counts(*(n - x + y for n, x, y in zip(counts, tally(believed), tally(row.cells), strict=True)))
        session = s.session
        if row.state in FINISHED_BATCH and session in UNFINISHED_SESSION:
            session = self.session_verdict(session, batches)
        return State(session, s.round, batches, s.workers, s.effects, counts)

    def session_verdict(self, session: SessionState, batches: tuple[Batch, ...]) -> SessionState:
        """Return what the session becomes with the commit that finishes a batch."""
        if any(batch.state not in FINISHED_BATCH for batch in batches):
            return session
        earned = verdict(tuple(cell.state for batch in batches for cell in batch.cells))
        if earned is None:
            return session
        self.draw(session, earned)
        return earned

    def take(self, s: State, b: int, state: BatchState, people: tuple[Cell, ...], *, lost: bool = False) -> State:
        """Commit with a new token: whoever held the batch before has lost it, and does not know."""
        old = s.batches[b]
        losses = min(old.losses + 1, self.rules.poison) if lost else old.losses
        row = Batch(state, people, False, losses, old.published, old.records)
        s = self.commit(s, b, row, old.cells)
        for i, worker in enumerate(s.workers):
            if worker.batch == b and worker.newest:
                s = with_worker(s, i, self.zombie(worker))
        return s

    def zombie(self, worker: Worker) -> Worker:
        """Return a worker whose token is not the newest any more."""
        if not self.forgetful:
            return worker._replace(newest=False)
        window = tuple(slot if slot is Slot.INTENDED else Slot.NONE for slot in worker.window)
        return worker._replace(newest=False, memory=(), window=window)

    def token_holds(self, worker: Worker) -> bool:
        """Tell whether ``WHERE token = …`` finds the row."""
        return worker.newest

    def write(self, s: State, i: int, state: BatchState, people: tuple[Cell, ...]) -> State | None:
        """Commit what worker ``i`` wants written about its batch; ``None``: its token is lost, nothing was written."""
        worker = s.workers[i]
        if not self.token_holds(worker):
            return None
        old = s.batches[worker.batch]
        row = Batch(state, people, old.over, old.losses, old.published, old.records)
        return self.commit(s, worker.batch, row, worker.memory)

    def let_go(self, s: State, i: int) -> State:
        """Return the state in which worker ``i`` has no claim any more; a record it holds it looks at again."""
        worker = s.workers[i]
        if not worker.record:
            return with_worker(s, i, IDLE)
        return with_worker(s, i, IDLE._replace(phase=Phase.HOLDS, batch=worker.batch, record=True))


@cache
def verdict(states: tuple[RecipientState, ...]) -> SessionState | None:
    """Return the session state that ``core.balance`` gives to these people."""
    return balance.verdict(balance.fold([(B.SUCCEEDED, cells.pack(cells.Cell(s) for s in states))]))


@cache
def batch_verdict(states: tuple[RecipientState, ...]) -> BatchState:
    """Return the batch state that ``core.balance`` gives to these people."""
    return balance.batch_verdict(cells.pack(cells.Cell(s) for s in states))
