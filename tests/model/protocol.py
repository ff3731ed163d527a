"""The way of a batch, K2 … K12, as small steps: what a worker, a consumer and the relay do.

Each step is a method that yields what may come of it: the step's name and the next state. A step that is not
possible yields nothing. Steps take the database and the worker's own memory, never ``effects``: that is the world.
"""

from __future__ import annotations

from collections.abc import Iterator

from pagerd.core.policy import OnInvalid
from pagerd.core.states import FINISHED_BATCH, UNSETTLED, BatchState, RecipientState, SessionState

from .ledger import CLOSED, UNDER_CLAIM, Ledger, batch_verdict
from .state import (
    IDLE,
    MANY,
    UNDER_WAY,
    UNREAD,
    Cell,
    Kind,
    Phase,
    Slot,
    State,
    Step,
    Who,
    Worker,
    put,
    with_batch,
    with_worker,
)

B = BatchState
R = RecipientState
Steps = Iterator[tuple[Step, State]]
SYSTEM = Kind.SYSTEM
LOST = "lost: the token is not the newest"


class Protocol(Ledger):
    """What every worker does. Mutants replace one method."""

    # K2-K4: the queue -----------------------------------------------------------------------------------------

    def publish(self, s: State) -> Steps:
        """K2-K3: the relay publishes fresh batches, then moves its cursor; killed between, it publishes twice."""
        if s.session is not SessionState.RUNNING:
            return
        for b, batch in enumerate(s.batches):
            if batch.state is B.READY and not batch.published:
                records = min(batch.records + 1, MANY)
                yield Step("K3 publish", SYSTEM, batch=b), with_batch(s, b, published=True, records=records)
                again = with_batch(s, b, records=records)
                yield Step("K2 publish", Kind.FAULT, batch=b, note="killed before the cursor moved"), again

    def hold(self, s: State, i: int) -> Steps:
        """K4: a consumer takes a record."""
        for b, batch in enumerate(s.batches):
            if batch.records:
                worker = IDLE._replace(phase=Phase.HOLDS, batch=b, record=True)
                after = with_batch(s, b, records=batch.records - 1)
                yield Step("K4 hold", SYSTEM, i, b), with_worker(after, i, worker)

    def look(self, s: State, i: int) -> Steps:
        """K4 → K5: claim the record's batch if it is free, wait if it is held; else there is nothing to do."""
        worker = s.workers[i]
        batch = s.batches[worker.batch]
        settled = batch.state in FINISHED_BATCH or batch.state is B.WAITING
        if settled or s.session is not SessionState.RUNNING:
            note = f"batch {batch.state.word}, session {s.session.value}: acknowledge unclaimed"
            done = worker._replace(phase=Phase.DONE)
            yield Step("K4 look", SYSTEM, i, worker.batch, note=note), with_worker(s, i, done)
        elif batch.state is B.READY or batch.over:
            yield self.claimed(s, i, worker.batch)

    # K5: claim ------------------------------------------------------------------------------------------------

    def claim(self, s: State, i: int) -> Steps:
        """K5: claim from the database: waiting batches, and fresh ones in their order."""
        if s.session is not SessionState.RUNNING:
            return
        fresh = not self.rules.queue
        for b, batch in enumerate(s.batches):
            if batch.state is B.WAITING:
                if not self.dead(batch.losses):
                    yield self.claimed(s, i, b)
            elif batch.state is B.READY and (fresh or self.unclaimed(batch.published)):
                fresh = False
                yield self.claimed(s, i, b)

    def unclaimed(self, published: bool) -> bool:
        """Tell whether the sweeper may take a batch that was published and never claimed."""
        return published and self.rules.sweeper

    def dead(self, losses: int) -> bool:
        """Tell whether a claim was lost so often that the batch is poison."""
        return bool(self.rules.poison) and losses >= self.rules.poison

    def claimed(self, s: State, i: int, b: int) -> tuple[Step, State]:
        """K5: token + 1, a lease, older tokens' doubts resolved, in one commit."""
        batch = s.batches[b]
        people = tuple(map(self.inherit, batch.cells))
        after = self.take(s, b, B.CLAIMED, people, lost=batch.state in UNDER_CLAIM)
        worker = Worker(Phase.CLAIMED, b, people, (), True, True, False, s.workers[i].record)
        return Step("K5 claim", SYSTEM, i, b), with_worker(after, i, worker)

    def inherit(self, cell: Cell) -> Cell:
        """Return a recipient as a claim takes it over: no doubt left; who was deferred is due (time is left out)."""
        return self.move(cell, R.PENDING) if cell.state is R.DEFERRED else self.resolve(cell)

    # K6: prepare ----------------------------------------------------------------------------------------------

    def prepare(self, s: State, i: int) -> Steps:
        """K6: every pending person of the batch passes, or nothing leaves."""
        worker = s.workers[i]
        who = self.rules.audience[worker.batch]
        people = tuple(map(self.withheld, worker.memory, who))
        step = Step("K6 prepare", SYSTEM, i, worker.batch)
        # A zombie's memory is empty here (see Ledger.zombie): nobody is bad, and its next write is lost.
        bad = [self.is_bad(cell, w) for cell, w in zip(people, who, strict=False)]
        if any(bad) and self.rules.on_invalid is OnInvalid.FAIL:
            people = tuple(self.move(c, R.REJECTED) if c.state is R.PENDING else c for c in people)
            yield from self.finish(s, i, step._replace(note="a bad one: nobody is told"), people)
            return
        people = tuple(self.move(c, R.REJECTED) if out else c for c, out in zip(people, bad, strict=True))
        if people == worker.memory:
            yield step, with_worker(s, i, worker._replace(phase=Phase.PREPARED))
        else:
            yield self.wrote(s, i, step, B.CLAIMED, people, Phase.PREPARED)

    def withheld(self, cell: Cell, who: Who) -> Cell:
        """Return a recipient after the look into the suppression list."""
        pending = cell.state is R.PENDING and who is Who.SUPPRESSED
        return self.move(cell, R.SUPPRESSED) if pending else cell

    def is_bad(self, cell: Cell, who: Who) -> bool:
        """Tell whether a recipient would be sent to and can't be."""
        return cell.state is R.PENDING and who is Who.BAD

    # K7-K10: one window ---------------------------------------------------------------------------------------

    def intend(self, s: State, i: int) -> Steps:
        """K7: the next window becomes ``sending``, durably, before any of it leaves; refused if the session stopped."""
        worker = s.workers[i]
        pending = [k for k, cell in enumerate(worker.memory) if cell.state is R.PENDING][: self.width()]
        if not pending:
            return
        if not self.may_intend(s):
            yield from self.refused(s, i)
            return
        people = tuple(self.move(c, R.SENDING) if k in pending else c for k, c in enumerate(worker.memory))
        window = tuple(Slot.INTENDED if k in pending else Slot.NONE for k in range(len(people)))
        step, after = self.wrote(s, i, Step("K7 intent", SYSTEM, i, worker.batch), B.DISPATCHING, people, Phase.SENDING)
        if step.note != LOST:
            after = with_worker(after, i, after.workers[i]._replace(window=window))
        yield step, after

    def refused(self, s: State, i: int) -> Steps:
        """K7, refused: the batch is given back or, if the session is closed, ended under the claim."""
        worker = s.workers[i]
        step = Step("K7 intent", SYSTEM, i, worker.batch, note=f"refused: the session is {s.session.value}")
        yield self.given_back(s, i, step, worker.memory)
        if s.session in CLOSED:
            verdict, people = self.ended(worker.memory, *CLOSED[s.session])
            yield self.wrote(s, i, step._replace(note=f"refused: ended as {verdict.word}"), verdict, people, Phase.DONE)

    def width(self) -> int:
        """Return how many may be under way."""
        return self.rules.window

    def may_intend(self, s: State) -> bool:
        """Tell whether the intent's commit finds the session running."""
        return s.session is SessionState.RUNNING

    def fence_stands(self, worker: Worker) -> bool:
        """Tell, from local knowledge alone, whether the final dot may be written."""
        return worker.fresh

    def dot(self, s: State, i: int) -> Steps:
        """K8: the write with the final dot, for the next of the window; the world takes the message, or does not."""
        worker = s.workers[i]
        if Slot.INTENDED not in worker.window:
            return
        k = worker.window.index(Slot.INTENDED)
        step = Step("K8 dot", SYSTEM, i, worker.batch, k)
        if not self.fence_stands(worker):
            window = tuple(Slot.NOT_SENT if slot is Slot.INTENDED else slot for slot in worker.window)
            fell = Step("K8 fence", SYSTEM, i, worker.batch, note="it fell: the rest of the window is not sent")
            yield fell, with_worker(s, i, worker._replace(window=window))
            return
        taken = with_worker(s, i, worker._replace(window=put(worker.window, k, Slot.TAKEN)))
        yield step._replace(note="it has an effect"), taken._replace(effects=self.effect(s, worker.batch, k))
        if self.rules.answers:
            refused = worker._replace(window=put(worker.window, k, Slot.REFUSED))
            yield step._replace(note="no effect"), with_worker(s, i, refused)

    def effect(self, s: State, b: int, k: int) -> tuple[tuple[int, ...], ...]:
        """Return the effects after one more message.

        On a person who is flagged already a second one is not counted: it is allowed, and nothing depends on it.
        """
        now = min(s.effects[b][k] + 1, 1 if s.batches[b].cells[k].flagged else MANY)
        return put(s.effects, b, put(s.effects[b], k, now))

    def read(self, s: State, i: int) -> Steps:
        """K9: the next answer is read."""
        worker = s.workers[i]
        for k, slot in enumerate(worker.window):
            if slot in UNREAD:
                for answer in (Slot.OK,) if slot is Slot.TAKEN else self.rules.answers:
                    window = put(worker.window, k, answer)
                    step = Step("K9 answer", SYSTEM, i, worker.batch, k, answer.name.lower())
                    yield step, with_worker(s, i, worker._replace(window=window))
                return

    def record(self, s: State, i: int) -> Steps:
        """K10: the window's outcomes, in one commit; doubt under the own token gives the batch back at once."""
        worker = s.workers[i]
        if any(slot in UNDER_WAY for slot in worker.window):
            return
        people = tuple(map(self.outcome, worker.memory, worker.window))
        step = Step("K10 outcome", SYSTEM, i, worker.batch)
        if any(cell.state is R.IN_DOUBT for cell in people):
            yield self.given_back(s, i, step._replace(note="in doubt: given back"), people)
        else:
            yield self.wrote(s, i, step, B.DISPATCHING, people, Phase.PREPARED)

    def outcome(self, cell: Cell, slot: Slot) -> Cell:
        """Return a recipient after its outcome."""
        state = OUTCOMES.get(slot)
        return cell if state is None else self.move(cell, state)

    # K11-K12 and giving back ----------------------------------------------------------------------------------

    def settle(self, s: State, i: int) -> Steps:
        """K11: nobody is unsettled: the verdict; or somebody is deferred: the batch waits."""
        worker = s.workers[i]
        unsettled = {cell.state for cell in worker.memory if cell.state in UNSETTLED}
        if not unsettled:
            yield from self.finish(s, i, Step("K11 settle", SYSTEM, i, worker.batch), worker.memory)
        elif unsettled == {R.DEFERRED}:
            yield self.given_back(s, i, Step("K11 wait", SYSTEM, i, worker.batch), worker.memory)

    def finish(self, s: State, i: int, step: Step, people: tuple[Cell, ...]) -> Steps:
        """Write the batch's verdict together with the last outcomes."""
        yield self.wrote(s, i, step, batch_verdict(tuple(c.state for c in people)), people, Phase.DONE)

    def given_back(self, s: State, i: int, step: Step, people: tuple[Cell, ...]) -> tuple[Step, State]:
        """Let the batch wait, and the claim go."""
        return self.wrote(s, i, step, B.WAITING, people, Phase.DONE)

    def wrote(
        self, s: State, i: int, step: Step, state: BatchState, people: tuple[Cell, ...], phase: Phase
    ) -> tuple[Step, State]:
        """Return what comes of a worker's write: it goes on in ``phase``, or it finds its token lost and lets go."""
        after = self.write(s, i, state, people)
        if after is None:
            return step._replace(note=LOST), self.let_go(s, i)
        worker = s.workers[i]
        if phase is not Phase.DONE:
            return step, with_worker(after, i, worker._replace(phase=phase, memory=people, window=()))
        if not worker.record:
            return step, with_worker(after, i, IDLE)
        done = IDLE._replace(phase=Phase.DONE, batch=worker.batch, record=True)
        return step, with_worker(after, i, done)

    def acknowledge(self, s: State, i: int) -> Steps:
        """K12: the record is acknowledged, last of all."""
        yield Step("K12 acknowledge", SYSTEM, i, s.workers[i].batch), with_worker(s, i, IDLE)

    def renew(self, s: State, i: int) -> Steps:
        """Renew the lease: it works as long as the token is the newest, also when it was over."""
        worker = s.workers[i]
        if worker.newest and not worker.fresh:
            after = with_batch(s, worker.batch, over=False)
            yield Step("renew", SYSTEM, i, worker.batch), with_worker(after, i, worker._replace(fresh=True))


OUTCOMES = {
    Slot.OK: R.ACCEPTED,
    Slot.PERMANENT: R.FAILED,
    Slot.TRANSIENT: R.DEFERRED,
    Slot.DOUBT: R.IN_DOUBT,
    Slot.NOT_SENT: R.PENDING,
}
