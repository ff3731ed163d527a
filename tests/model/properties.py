"""The promises, as properties of a state or of a step.

A property returns ``None``, or in words what is wrong. Those of a state are asked of every reachable state; those of
a step of every step with their name, also where it leads to a state already known. ``G1`` is not here: that nobody
gets stuck is a property of the whole graph, and the checker's own (see ``finished``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pagerd.core.policy import OnDoubt, OnInvalid
from pagerd.core.states import FINISHED_BATCH, FINISHED_SESSION, UNSETTLED, BatchState, RecipientState, SessionState

from .ledger import batch_verdict
from .state import Cell, Phase, Rules, Slot, State, Step, Who, tally

R = RecipientState
B = BatchState
OfState = Callable[[Rules, State], str | None]
OfStep = Callable[[Rules, State, Step, State], str | None]


class Property(NamedTuple):
    """One promise: its name in ``docs/promises.md``, and what holds it."""

    name: str
    promise: str
    of_state: OfState | None = None
    of_steps: Mapping[str, OfStep] = {}


def finished(s: State) -> bool:
    """Tell whether everybody ended: the session and each batch are finished, and nobody in them is unsettled."""
    return (
        s.session in FINISHED_SESSION
        and all(batch.state in FINISHED_BATCH for batch in s.batches)
        and not any(cell.state in UNSETTLED for batch in s.batches for cell in batch.cells)
    )


def told(step: Step, after: State) -> bool:
    """Tell whether a dot had an effect."""
    return after.workers[step.worker].window[step.person] is Slot.TAKEN


# G2 -----------------------------------------------------------------------------------------------------------


def flagged_before(rules: Rules, before: State, step: Step, after: State) -> str | None:
    """A second effect falls only on a person whom the database already calls a possible duplicate."""
    b, k = step.batch, step.person
    second = before.effects[b][k] and told(step, after)
    return "told again without the flag" if second and not before.batches[b].cells[k].flagged else None


def window_bound(rules: Rules, s: State) -> str | None:
    """At most one window of a batch is ``sending``: that is what one death can put in doubt."""
    for batch in s.batches:
        if sum(cell.state is R.SENDING for cell in batch.cells) > rules.window:
            return "more than a window is sending"
    return None


# G3, G4 --------------------------------------------------------------------------------------------------------


def exactly_once(rules: Rules, s: State) -> str | None:
    """Without faults an effect and ``accepted`` are the same thing, and nobody is ever flagged or unknown."""
    for batch, effects in zip(s.batches, s.effects, strict=True):
        for cell, effect in zip(batch.cells, effects, strict=True):
            if effect > 1 or cell.flagged or cell.state in (R.IN_DOUBT, R.UNKNOWN):
                return "doubt or a duplicate though nothing failed"
            if cell.state not in UNSETTLED and (cell.state is R.ACCEPTED) != (effect == 1):
                return "the record and the world differ though nothing failed"
    return None


def at_most_once(rules: Rules, s: State) -> str | None:
    """Under ``hold``, as long as no person resends: never two effects."""
    return "two effects on one person" if any(effect > 1 for batch in s.effects for effect in batch) else None


# G6 -----------------------------------------------------------------------------------------------------------


def barrier(rules: Rules, before: State, step: Step, after: State) -> str | None:
    """Nothing leaves while somebody unsettled in the batch can't be told."""
    if rules.on_invalid is not OnInvalid.FAIL or not told(step, after):
        return None
    people = zip(before.batches[step.batch].cells, rules.audience[step.batch], strict=True)
    bad = any(who is Who.BAD and cell.state in UNSETTLED for cell, who in people)
    return "a message left though a neighbour can't be told" if bad else None


def only_forward(rules: Rules, before: State, step: Step, after: State) -> str | None:
    """No effect on a settled person."""
    b, k = step.batch, step.person
    if not told(step, after) or before.batches[b].cells[k].state in UNSETTLED:
        return None
    return f"told again though already {before.batches[b].cells[k].state.word}"


def acknowledged_last(rules: Rules, before: State, step: Step, after: State) -> str | None:
    """A record goes only from a worker that is done with it."""
    phase = before.workers[step.worker].phase
    return None if phase is Phase.DONE else f"acknowledged, but only {phase.name.lower()}"


def done_is_durable(rules: Rules, before: State, step: Step, after: State) -> str | None:
    """A worker is done with a record only when the batch is settled or waits, durably, or the session does not run."""
    state = after.batches[step.batch].state
    if after.workers[step.worker].phase is not Phase.DONE or state in FINISHED_BATCH or state is B.WAITING:
        return None
    return None if before.session is not SessionState.RUNNING else f"done with a batch that is {state.word}"


def verdict_true(rules: Rules, s: State) -> str | None:
    """A finished batch has nobody unsettled, and ``succeeded`` iff nobody in it is not told; likewise a session."""
    for batch in s.batches:
        if batch.state in FINISHED_BATCH:
            if any(cell.state in UNSETTLED for cell in batch.cells):
                return "a verdict, but somebody is unsettled"
            good = batch_verdict(tuple(cell.state for cell in batch.cells)) is B.SUCCEEDED
            if good != (batch.state is B.SUCCEEDED):
                return "a verdict that the outcomes don't bear"
    by_verdict = s.session in FINISHED_SESSION - {SessionState.CANCELLED, SessionState.EXPIRED}
    return "a finished session with an open batch" if by_verdict and not finished(s) else None


# Truth of the records -----------------------------------------------------------------------------------------


def intent_first(rules: Rules, before: State, step: Step, after: State) -> str | None:
    """An effect falls only on a person who is durably ``sending``."""
    state = before.batches[step.batch].cells[step.person].state
    return None if not told(step, after) or state is R.SENDING else f"told while {state.word}"


def own_claim(rules: Rules, before: State, step: Step, after: State) -> str | None:
    """An effect comes only from the worker with the newest token."""
    if not told(step, after) or before.workers[step.worker].newest:
        return None
    return "a zombie told somebody"


def running_only(rules: Rules, before: State, step: Step, after: State) -> str | None:
    """No intent while the session is paused, cancelled or finished."""
    wrote = any(c.state is R.SENDING for c in after.batches[step.batch].cells) and before.batches != after.batches
    return "an intent after the session stopped" if wrote and before.session is not SessionState.RUNNING else None


def honest(rules: Rules, s: State) -> str | None:
    """``accepted`` has an effect; who has one and does not count as told, in doubt or sending, is flagged.

    And nobody who has one is ``cancelled`` or ``expired``.
    """
    for batch, effects in zip(s.batches, s.effects, strict=True):
        for cell, effect in zip(batch.cells, effects, strict=True):
            if cell.state is R.ACCEPTED and not effect:
                return "accepted, but never told"
            if effect and not cell.flagged and cell.state not in MAY_HAVE_EFFECT:
                return f"{cell.state.word} without a flag, but told"
            if effect and cell.state in (R.CANCELLED, R.EXPIRED):
                return f"told, but counted as {cell.state.word}: a flag alone is overlooked"
    return None


MAY_HAVE_EFFECT = (R.ACCEPTED, R.SENDING, R.IN_DOUBT, R.UNKNOWN)


def balanced(rules: Rules, s: State) -> str | None:
    """The maintained counters are the fold of the vectors, and add up."""
    everybody: tuple[Cell, ...] = sum((batch.cells for batch in s.batches), ())
    if list(s.counts) != tally(everybody):
        return f"counted {s.counts}, but it is {tally(everybody)}"
    return None if sum(s.counts) == rules.total else "the parts don't add up"


def memory_true(rules: Rules, s: State) -> str | None:
    """Who holds the newest token remembers what the database has; and a fence never outlives its claim."""
    for worker in s.workers:
        if worker.newest and worker.memory != s.batches[worker.batch].cells:
            return "a worker with the newest token believes what is not so"
        if worker.fresh and not worker.newest:
            return "a fence stands though the claim is lost"
    return None


DRAWING = Property("drawing", "every move has an arrow in core.states")
G1 = Property("G1", "never lost: from everywhere everybody's end can be reached, by what the system does alone")
G2 = Property("G2", "no silent duplicate: flagged before a second effect", None, {"K8 dot": flagged_before})
G2_BOUND = Property("G2 bound", "one death puts at most a window in doubt", window_bound)
G3 = Property("G3", "without faults exactly once", exactly_once)
G4 = Property("G4", "hold: at most one effect", at_most_once)
G6B = Property("G6b", "prepare barrier", None, {"K8 dot": barrier})
G6C = Property("G6c", "a settled recipient is never sent to", None, {"K8 dot": only_forward})
G6D_ACK = Property(
    "G6d ack",
    "the broker is acknowledged last",
    None,
    {
        "K12 acknowledge": acknowledged_last,
        **dict.fromkeys(
            ("K4 look", "K6 prepare", "K7 intent", "K10 outcome", "K11 settle", "K11 wait", "SIGTERM"), done_is_durable
        ),
    },
)
G6D = Property("G6d", "the verdict is committed with the outcomes", verdict_true)
INTENT = Property("intent", "durable intent before the effect", None, {"K8 dot": intent_first})
FENCE = Property("fence", "no effect under a lost claim", None, {"K8 dot": own_claim})
STOP = Property("stop", "no intent after pause or cancel", None, {"K7 intent": running_only})
TRUTH = Property("truth", "told means told; not told is flagged or true", honest)
BALANCE = Property("balance", "told + withheld + not told + in doubt + to go = total", balanced)
MEMORY = Property("memory", "the newest token's holder knows the truth", memory_true)

ALWAYS = (DRAWING, G1, G2, G2_BOUND, G6B, G6C, G6D_ACK, G6D, INTENT, FENCE, STOP, TRUTH, BALANCE, MEMORY)


def promised(rules: Rules) -> tuple[Property, ...]:
    """Return everything that must hold in a run under these rules."""
    more: tuple[Property, ...] = ()
    if not rules.faults:
        more += (G3,)
    if rules.on_doubt is OnDoubt.HOLD and "redrive unknown" not in rules.people:
        more += (G4,)
    return ALWAYS + more
