"""Everything around a worker: time, the sweeper, people who change their mind, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pagerd.core.states import FINISHED_BATCH, FINISHED_SESSION, BatchState, RecipientState, SessionState

from .ledger import CLOSED, UNDER_CLAIM, UNFINISHED_SESSION
from .protocol import Protocol, Steps
from .state import IDLE, MANY, UNREAD, Batch, Cell, Kind, Phase, Slot, State, Step, Who, put, with_batch, with_worker

B = BatchState
R = RecipientState
S = SessionState
FAULT = Kind.FAULT
PERSON = Kind.PERSON


class Model(Protocol):
    """The whole: the protocol in its surroundings. ``successors`` is the model's one door."""

    def successors(self, s: State) -> Iterator[tuple[Step, State]]:
        """Return all that can happen next."""
        for i, worker in enumerate(s.workers):
            if worker.stopped:
                yield from self.asleep(s, i)
                continue
            for step in self.steps(worker.phase):
                yield from step(s, i)
            yield from self.strikes(s, i)
        if self.rules.queue:
            yield from self.publish(s)
        yield from self.upkeep(s)
        yield from self.people(s)

    def steps(self, phase: Phase) -> tuple[Callable[[State, int], Steps], ...]:
        """Return what a worker may do in a phase."""
        if phase is Phase.IDLE:
            return (self.hold, self.claim) if self.rules.queue else (self.claim,)
        return {
            Phase.HOLDS: (self.look,),
            Phase.CLAIMED: (self.renew, self.prepare),
            Phase.PREPARED: (self.renew, self.intend, self.settle),
            Phase.SENDING: (self.renew, self.dot, self.read, self.record),
            Phase.DONE: (self.acknowledge,),
        }[phase]

    # Time and upkeep ------------------------------------------------------------------------------------------

    def upkeep(self, s: State) -> Steps:
        """The clock, the sweeper, and the closing of what was cancelled, expired or poison."""
        for b, batch in enumerate(s.batches):
            if batch.state in UNDER_CLAIM:
                yield from self.lease(s, b, batch)
            elif batch.state in (B.READY, B.WAITING):
                yield from self.close(s, b, batch)
                yield from self.bury(s, b, batch)

    def lease(self, s: State, b: int, batch: Batch) -> Steps:
        """A lease ends by the database's clock; then the sweeper gives the batch back, with a new token."""
        if not batch.over and self.may_end(s, b):
            yield Step("the lease ends", Kind.SYSTEM, batch=b), with_batch(s, b, over=True)
        if batch.over and self.rules.sweeper:
            yield Step("sweep", Kind.SYSTEM, batch=b), self.take(s, b, B.WAITING, batch.cells, lost=True)

    def may_end(self, s: State, b: int) -> bool:
        """Tell whether no holder's fence stands any more: that is what the margin of 5 s is for."""
        return not any(w.batch == b and w.newest and w.fresh for w in s.workers)

    def close(self, s: State, b: int, batch: Batch) -> Steps:
        """The people of a free batch of a cancelled or expired session follow it, but for those in doubt."""
        if s.session not in CLOSED:
            return
        yield self.end_free(s, b, *CLOSED[s.session])

    def end_free(self, s: State, b: int, state: RecipientState, verdict: BatchState) -> tuple[Step, State]:
        """End a free batch, under a new token."""
        verdict, people = self.ended(s.batches[b].cells, state, verdict)
        return Step(f"end as {verdict.word}", Kind.SYSTEM, batch=b), self.take(s, b, verdict, people)

    def bury(self, s: State, b: int, batch: Batch) -> Steps:
        """A batch whose claim was lost too often is dead: its pending failed (poison), its doubts unknown."""
        if batch.state is B.WAITING and self.dead(batch.losses) and s.session in UNFINISHED_SESSION:
            yield self.end_free(s, b, R.FAILED, B.DEAD)

    # What people do -------------------------------------------------------------------------------------------

    def people(self, s: State) -> Steps:
        """Pause and resume, cancel, expiry (nobody's fault either), redrive."""
        does = self.rules.people
        if s.session is S.PAUSED:
            yield from self.resume(s)
        if s.session is S.RUNNING and "pause" in does:
            yield Step("pause", PERSON), self.session_row(s, S.PAUSED)
        if s.session in UNFINISHED_SESSION:
            if "cancel" in does:
                yield from self.cancel(s)
            if "expire" in does:
                yield Step("expire", PERSON), self.session_row(s, S.EXPIRED)
        elif s.round < self.rules.rounds:
            for word in ("redrive", "redrive unknown"):
                if word in does:
                    yield from self.redrive(s, word)

    def session_row(self, s: State, session: SessionState) -> State:
        """Change the one row."""
        self.draw(s.session, session)
        return s._replace(session=session)

    def resume(self, s: State) -> Steps:
        """The session runs again. Records were acknowledged unclaimed meanwhile: the relay's cursor moves back."""
        batches = s.batches
        for b, batch in enumerate(batches):
            if batch.state is B.READY and batch.published:
                batches = put(batches, b, batch._replace(published=False))
        yield Step("resume", Kind.SYSTEM), self.session_row(s, S.RUNNING)._replace(batches=batches)

    def cancel(self, s: State) -> Steps:
        """One row; seen at the next claim and the next intent."""
        yield Step("cancel", PERSON), self.session_row(s, S.CANCELLED)

    def redrive(self, s: State, word: str) -> Steps:
        """Another round for those not told; for ``unknown`` only with the permission, and flagged."""
        if s.session not in FINISHED_SESSION:
            return
        after = self.session_row(s, S.RUNNING)._replace(round=s.round + 1)
        open_work = False
        for b, batch in enumerate(s.batches):
            if batch.state in FINISHED_BATCH:
                people = tuple(
                    self.again(cell, who, unknown=word == "redrive unknown")
                    for cell, who in zip(batch.cells, self.rules.audience[b], strict=True)
                )
                if people != batch.cells:
                    open_work = True
                    after = self.take(with_batch(after, b, losses=0), b, B.WAITING, people)
            else:
                open_work = True
                after = self.redrive_open(after, b)
        if open_work:
            yield Step(word, PERSON), after

    def redrive_open(self, s: State, b: int) -> State:
        """Return the state after a redrive met a batch that is not finished: whoever works on it goes on."""
        return s

    def again(self, cell: Cell, who: Who, *, unknown: bool) -> Cell:
        """Return a recipient as a redrive leaves it. Who was accepted, or is not mended, stays."""
        if cell.state is R.UNKNOWN:
            return self.move(cell, R.PENDING, flag=True) if unknown else cell
        if cell.state in (R.FAILED, R.REJECTED, R.EXPIRED, R.CANCELLED) and who is not Who.BAD:
            return self.move(cell, R.PENDING)
        return cell

    # Faults ---------------------------------------------------------------------------------------------------

    def strikes(self, s: State, i: int) -> Steps:
        """What can happen to a running worker: SIGKILL, SIGSTOP, a broken connection, a short shutdown."""
        worker = s.workers[i]
        if worker.phase is Phase.IDLE:
            return
        faults = self.rules.faults
        if "kill" in faults:
            yield Step("kill -9", FAULT, i, worker.batch), self.killed(s, i)
        if "stop" in faults and i < self.rules.stoppable:
            yield Step("SIGSTOP", FAULT, i, worker.batch), with_worker(s, i, worker._replace(stopped=True))
        if "break" in faults and any(slot in UNREAD for slot in worker.window):
            window = tuple(map(broken, worker.window))
            step = Step("the connection breaks", FAULT, i, worker.batch)
            yield step, with_worker(s, i, worker._replace(window=window))
        if "shutdown" in faults and worker.phase in (Phase.CLAIMED, Phase.PREPARED, Phase.SENDING):
            yield self.shutdown(s, i)
        yield from self.rebalance(s, i)

    def killed(self, s: State, i: int) -> State:
        """Everything a worker knew is gone; another one is started in its place, and its record is delivered again."""
        worker = s.workers[i]
        after = with_worker(s, i, IDLE)
        if not worker.record:
            return after
        return with_batch(after, worker.batch, records=min(s.batches[worker.batch].records + 1, MANY))

    def asleep(self, s: State, i: int) -> Steps:
        """A stopped worker's fence falls; it goes on, perhaps as a zombie; or it is killed."""
        worker = s.workers[i]
        if worker.fresh:
            yield Step("the fence falls", Kind.SYSTEM, i, worker.batch), with_worker(s, i, worker._replace(fresh=False))
        yield from self.rebalance(s, i)
        if "kill" in self.rules.faults:
            yield Step("kill -9", FAULT, i, worker.batch), self.killed(s, i)
        yield Step("SIGCONT", FAULT, i, worker.batch), with_worker(s, i, worker._replace(stopped=False))

    def rebalance(self, s: State, i: int) -> Steps:
        """The broker gives a worker's partition to another: its record is delivered again, its claim still holds."""
        worker = s.workers[i]
        if not worker.record or not self.rules.queue:
            return
        after = with_batch(s, worker.batch, records=min(s.batches[worker.batch].records + 1, MANY))
        kept = worker._replace(record=False)
        if worker.phase in (Phase.HOLDS, Phase.DONE):
            kept = IDLE._replace(stopped=worker.stopped)
        yield Step("rebalance", FAULT, i, worker.batch), with_worker(after, i, kept)

    def shutdown(self, s: State, i: int) -> tuple[Step, State]:
        """SIGTERM, the drain limit over: without a dot not sent, with one in doubt; the claim goes."""
        worker = s.workers[i]
        window = tuple(self.drained(slot) for slot in worker.window)
        people = tuple(map(self.outcome, worker.memory, window)) if window else worker.memory
        step = Step("SIGTERM", FAULT, i, worker.batch, note="the drain limit is over")
        return self.given_back(s, i, step, people)

    def drained(self, slot: Slot) -> Slot:
        """Return what a shutdown makes of one who is under way."""
        return broken(slot)


def broken(slot: Slot) -> Slot:
    """Return what a broken connection makes of one who is under way: from the dot on it is doubt."""
    if slot is Slot.INTENDED:
        return Slot.NOT_SENT
    return Slot.DOUBT if slot in UNREAD else slot
