"""The protocol with one rule left out, each time: what the rule is for shows in the property that breaks.

A mutant replaces one method of the model. It names the promise that it must break and the smallest surroundings in
which it does; ``test_model.py`` asserts that the checker finds it, and prints the shortest way there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pagerd.core.policy import OnDoubt
from pagerd.core.states import FINISHED_BATCH, UNSETTLED, BatchState, RecipientState, SessionState

from . import properties as p
from .ledger import UNDER_CLAIM, batch_verdict
from .properties import Property
from .protocol import Steps
from .state import Batch, Cell, Kind, Phase, Rules, Slot, State, Step, Who, Worker, put, with_worker
from .surroundings import Model, broken

B = BatchState
R = RecipientState


@dataclass(frozen=True)
class Mutant:
    """A broken protocol, what it must break, and where."""

    model: type[Model]
    breaks: Property
    rules: Rules

    @property
    def name(self) -> str:
        """The mutant's name."""
        return self.model.__name__


# Intent, doubt, flag ------------------------------------------------------------------------------------------


class EffectBeforeIntent(Model):
    """K7 stays in the worker's memory: ``sending`` is not durable before the dot."""

    def intend(self, s: State, i: int) -> Steps:
        for step, after in super().intend(s, i):
            yield step, after._replace(batches=s.batches)


class ResendWithoutFlag(Model):
    """Doubt goes back to pending as if nothing had been."""

    def resolve(self, cell: Cell) -> Cell:
        return super().resolve(cell)._replace(flagged=cell.flagged)


class DoubtIsTransient(Model):
    """A connection that broke after the dot counts as a failure to be tried again."""

    def outcome(self, cell: Cell, slot: Slot) -> Cell:
        return super().outcome(cell, Slot.TRANSIENT if slot is Slot.DOUBT else slot)


class ClaimWithoutResolving(Model):
    """A claim leaves what older tokens left ``sending`` as it is."""

    def inherit(self, cell: Cell) -> Cell:
        return cell if cell.state in (R.SENDING, R.IN_DOUBT) else super().inherit(cell)


class ShutdownReleasesAll(Model):
    """At the drain limit also those whose dot is written go back as not sent."""

    def drained(self, slot: Slot) -> Slot:
        return Slot.NOT_SENT if broken(slot) is Slot.DOUBT else super().drained(slot)


class WindowTooWide(Model):
    """The intent takes everybody who is pending."""

    def width(self) -> int:
        return len(self.rules.audience[0])


# Token, lease, fence ------------------------------------------------------------------------------------------


class NoTokenCheck(Model):
    """No write carries ``WHERE token = …``."""

    forgetful = False

    def token_holds(self, worker: Worker) -> bool:
        return True


class ZombieOverwrites(Model):
    """Only the outcome's write has no ``WHERE token = …``."""

    forgetful = False

    def record(self, s: State, i: int) -> Steps:
        worker = s.workers[i]
        for step, after in super().record(with_worker(s, i, worker._replace(newest=True)), i):
            there = after.workers[i]
            yield step, with_worker(after, i, there._replace(newest=there.newest and worker.newest))


class NoFence(Model):
    """The dot is written without a look at the clock."""

    def fence_stands(self, worker: Worker) -> bool:
        return True


class FenceBeforePrepare(NoFence):
    """The clock is looked at before the batch is prepared, and not again."""

    def prepare(self, s: State, i: int) -> Steps:
        if s.workers[i].fresh:
            yield from super().prepare(s, i)


class NoMargin(Model):
    """The database gives a lease away while its holder still believes in it."""

    def may_end(self, s: State, b: int) -> bool:
        return True


class RenewalUnchecked(Model):
    """A process believes in all its claims again as soon as a renewal gets through, also in those it has lost."""

    def renew(self, s: State, i: int) -> Steps:
        worker = s.workers[i]
        yield from super().renew(s, i)
        if not worker.newest and not worker.fresh:
            step = Step("renew", Kind.SYSTEM, i, worker.batch)
            yield step, with_worker(s, i, worker._replace(fresh=True))


class SweepKeepsToken(Model):
    """The sweeper gives a batch back without a new token: its old holder can still write."""

    def lease(self, s: State, b: int, batch: Batch) -> Steps:
        for step, after in super().lease(s, b, batch):
            yield step, after._replace(workers=s.workers)


# Queue --------------------------------------------------------------------------------------------------------


class AcknowledgeEarly(Model):
    """The record is acknowledged as soon as the batch is claimed."""

    def prepare(self, s: State, i: int) -> Steps:
        worker = s.workers[i]
        if worker.record:
            early = Step("K12 acknowledge", Kind.SYSTEM, i, worker.batch, note="early")
            yield early, with_worker(s, i, worker._replace(record=False))
        yield from super().prepare(s, i)


class RedeliveryClaims(Model):
    """A record that is delivered again is reason enough to claim, though another's claim holds."""

    def look(self, s: State, i: int) -> Steps:
        b = s.workers[i].batch
        if s.batches[b].state in UNDER_CLAIM:
            yield self.claimed(s, i, b)
        else:
            yield from super().look(s, i)


class CursorStays(Model):
    """Resume does not move the relay's cursor back over what was acknowledged unclaimed."""

    def resume(self, s: State) -> Steps:
        yield Step("resume", Kind.SYSTEM), self.session_row(s, SessionState.RUNNING)


# The batch as a unit ------------------------------------------------------------------------------------------


class PrepareOneByOne(Model):
    """Each recipient is prepared when its turn comes: no barrier."""

    def is_bad(self, cell: Cell, who: Who) -> bool:
        return False

    def intend(self, s: State, i: int) -> Steps:
        worker = s.workers[i]
        who = self.rules.audience[worker.batch]
        turn = next((k for k, cell in enumerate(worker.memory) if cell.state is R.PENDING), None)
        if turn is None or who[turn] is not Who.BAD:
            yield from super().intend(s, i)
            return
        people = put(worker.memory, turn, self.move(worker.memory[turn], R.REJECTED))
        step = Step("K6 prepare", Kind.SYSTEM, i, worker.batch, turn)
        yield self.wrote(s, i, step, B.CLAIMED, people, Phase.PREPARED)


class VerdictFirst(Model):
    """The verdict is a commit of its own, before the outcomes that it rests on."""

    def record(self, s: State, i: int) -> Steps:
        worker = s.workers[i]
        for step, after in super().record(s, i):
            people = after.workers[i].memory
            if people and not any(cell.state in UNSETTLED for cell in people):
                verdict = batch_verdict(tuple(cell.state for cell in people))
                early = Step("K11 settle", Kind.SYSTEM, i, worker.batch, note="early")
                yield self.wrote(s, i, early, verdict, worker.memory, Phase.SENDING)
            yield step, after


class DeadWhateverHappened(Model):
    """A batch lost too often is dead, even if everybody in it was told."""

    def without_rest(self, verdict: BatchState, people: tuple[Cell, ...]) -> BatchState:
        return verdict


# People -------------------------------------------------------------------------------------------------------


class IntentUnasked(Model):
    """The intent does not look whether the session still runs."""

    def may_intend(self, s: State) -> bool:
        return True


class CancelOverwrites(Model):
    """Cancel makes everybody unsettled ``cancelled`` at once, those ``sending`` too."""

    def cancel(self, s: State) -> Steps:
        for step, cancelled in super().cancel(s):
            after = cancelled
            for b, batch in enumerate(s.batches):
                if batch.state not in FINISHED_BATCH:
                    people = tuple(self.move(c, R.CANCELLED) if c.state in UNSETTLED else c for c in batch.cells)
                    after = self.take(after, b, B.CANCELLED, people)
            yield step, after


class CloserTakesLiveClaims(Model):
    """Cancel takes claims away that are held, doubts resolved by policy: but their holder's fence still stands."""

    def lease(self, s: State, b: int, batch: Batch) -> Steps:
        yield from super().lease(s, b, batch)
        yield from self.close(s, b, batch)


class CancelHidesDoubt(Model):
    """Who is in doubt when the session is cancelled becomes ``cancelled``: the drawing has that arrow."""

    def end(self, cell: Cell, state: RecipientState) -> Cell:
        ended = super().end(cell, state)
        return Cell(state, cell.flagged) if ended.state is R.UNKNOWN and cell.state is not R.UNKNOWN else ended


class CancelOverlooksTheFlag(Model):
    """Who is flagged and waits for the resend when the session is cancelled becomes ``cancelled``."""

    def end(self, cell: Cell, state: RecipientState) -> Cell:
        if cell.flagged and cell.state in (R.PENDING, R.DEFERRED):
            return self.move(cell, state)
        return super().end(cell, state)


class RedriveTakesHeldBatches(Model):
    """A redrive makes every batch wait, also one that a worker holds."""

    def redrive_open(self, s: State, b: int) -> State:
        return self.take(s, b, B.WAITING, s.batches[b].cells)


class RedriveTakesTold(Model):
    """A redrive runs the whole batch again, not its remainder."""

    def again(self, cell: Cell, who: Who, *, unknown: bool) -> Cell:
        return self.move(cell, R.PENDING) if cell.state is R.ACCEPTED else super().again(cell, who, unknown=unknown)


class RedriveUnknownWithoutFlag(Model):
    """A person resends who is unknown, and nobody notes that it may be the second time."""

    def again(self, cell: Cell, who: Who, *, unknown: bool) -> Cell:
        return super().again(cell, who, unknown=unknown)._replace(flagged=cell.flagged)


def _rules(*faults: str, one: bool = False, **more: object) -> Rules:
    audience = ((Who.GOOD,),) if one else ((Who.GOOD, Who.GOOD),)
    make: Callable[..., Rules] = Rules
    return make(**{"audience": audience, "faults": frozenset(faults), "answers": frozenset(), **more})


HOLD = OnDoubt.HOLD
CANCEL = frozenset({"cancel"})
REFUSED = frozenset({Slot.PERMANENT})

MUTANTS = (
    Mutant(EffectBeforeIntent, p.G2, _rules("kill")),
    Mutant(EffectBeforeIntent, p.INTENT, _rules()),
    Mutant(EffectBeforeIntent, p.G4, _rules("kill", on_doubt=HOLD)),
    Mutant(ResendWithoutFlag, p.G2, _rules("kill")),
    Mutant(DoubtIsTransient, p.G4, _rules("break", on_doubt=HOLD)),
    Mutant(ClaimWithoutResolving, p.G1, _rules("kill")),
    Mutant(ShutdownReleasesAll, p.G2, _rules("shutdown")),
    Mutant(WindowTooWide, p.G2_BOUND, _rules()),
    Mutant(NoTokenCheck, p.G2, _rules("stop")),
    Mutant(NoTokenCheck, p.BALANCE, _rules("stop")),
    Mutant(ZombieOverwrites, p.G2, _rules("stop")),
    Mutant(ZombieOverwrites, p.TRUTH, _rules("stop", on_doubt=HOLD)),
    Mutant(NoFence, p.FENCE, _rules("stop")),
    Mutant(NoFence, p.G6C, _rules("stop", on_doubt=HOLD)),
    Mutant(FenceBeforePrepare, p.G6C, _rules("stop")),
    Mutant(NoMargin, p.G6C, _rules("stop")),
    Mutant(NoMargin, p.MEMORY, _rules("stop")),
    Mutant(RenewalUnchecked, p.G6C, _rules("stop")),
    Mutant(SweepKeepsToken, p.G6C, _rules("stop")),
    Mutant(SweepKeepsToken, p.DRAWING, _rules("stop")),
    Mutant(AcknowledgeEarly, p.G6D_ACK, _rules(queue=True)),
    Mutant(AcknowledgeEarly, p.G1, _rules("kill", queue=True, sweeper=False)),
    Mutant(RedeliveryClaims, p.G3, _rules(queue=True)),
    Mutant(CursorStays, p.G1, _rules(queue=True, sweeper=False, people=frozenset({"pause"}))),
    Mutant(PrepareOneByOne, p.G6B, _rules(audience=((Who.GOOD, Who.BAD),))),
    Mutant(VerdictFirst, p.G6D, _rules()),
    Mutant(VerdictFirst, p.G1, _rules("kill")),
    Mutant(DeadWhateverHappened, p.G6D, _rules("kill", one=True, poison=1)),
    Mutant(IntentUnasked, p.STOP, _rules(people=frozenset({"pause"}))),
    Mutant(CancelOverwrites, p.G6C, _rules(people=CANCEL)),
    Mutant(CancelOverwrites, p.DRAWING, _rules(people=CANCEL)),
    Mutant(CloserTakesLiveClaims, p.G6C, _rules(people=CANCEL)),
    Mutant(CancelHidesDoubt, p.TRUTH, _rules("kill", people=CANCEL)),
    Mutant(CancelHidesDoubt, p.G2, _rules("kill", people=frozenset({"cancel", "redrive"}))),
    Mutant(CancelOverlooksTheFlag, p.TRUTH, _rules("break", people=CANCEL)),
    Mutant(RedriveTakesHeldBatches, p.G3, _rules(people=frozenset({"cancel", "redrive"}))),
    Mutant(RedriveTakesHeldBatches, p.FENCE, _rules(people=frozenset({"cancel", "redrive"}))),
    Mutant(RedriveTakesTold, p.G2, _rules(people=frozenset({"redrive"}), answers=REFUSED)),
    Mutant(RedriveUnknownWithoutFlag, p.G2, _rules("break", on_doubt=HOLD, people=frozenset({"redrive unknown"}))),
)
