"""The delivery protocol, walked through exhaustively; and each of its rules left out, to see what it is for."""

from __future__ import annotations

import pytest

from pagerd.core.states import BATCH_MOVES, RECIPIENT_MOVES, SESSION_MOVES

from .checker import check
from .mutants import MUTANTS, AcknowledgeEarly, Mutant
from .properties import ALWAYS, G1, G3, G4, promised
from .runs import COVERING, NOT_TAKEN, RUNS
from .state import Rules, Slot
from .surroundings import Model


@pytest.mark.parametrize("name", RUNS)
def test_every_promise_holds_in_every_reachable_state(name: str) -> None:
    result = check(Model(RUNS[name]))
    print(f"{name}: {result.states:,} states, {result.steps:,} steps, {result.seconds:.1f} s")
    assert result.violation is None, str(result.violation)
    assert result.ends > 0


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.name}-{m.breaks.name}")
def test_a_protocol_with_one_rule_less_is_caught(mutant: Mutant) -> None:
    result = check(mutant.model(mutant.rules), [mutant.breaks])
    assert result.violation is not None, f"{mutant.name} is as good as the protocol: what is the rule for?"
    print(f"{mutant.name}: {mutant.model.__doc__}\n{result.violation}")
    assert result.violation.property is mutant.breaks


@pytest.mark.parametrize("rules", dict.fromkeys(mutant.rules for mutant in MUTANTS))
def test_where_mutants_break_the_protocol_itself_holds(rules: Rules) -> None:
    result = check(Model(rules))
    assert result.violation is None, str(result.violation)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.name}-{m.breaks.name}")
def test_a_trace_can_be_walked_again(mutant: Mutant) -> None:
    violation = check(mutant.model(mutant.rules), [mutant.breaks]).violation
    assert violation is not None
    model = mutant.model(mutant.rules)
    model.strict = False
    states = [state for _, state in violation.trace]
    assert states[0] == mutant.rules.first()
    for before, (step, after) in zip(states[:-1], violation.trace[1:], strict=True):
        assert (step, after) in list(model.successors(before))


def test_no_property_is_idle() -> None:
    """Every one of them has caught somebody."""
    assert {prop.name for prop in (*ALWAYS, G3, G4)} == {mutant.breaks.name for mutant in MUTANTS}


def test_the_sweeper_makes_up_for_an_early_acknowledgement() -> None:
    """Two rules for one promise: either of them alone still brings everybody home."""
    kills = {"queue": True, "faults": frozenset({"kill"}), "answers": frozenset[Slot]()}
    with_sweeper = check(AcknowledgeEarly(Rules(**kills)), [G1])  # type: ignore[arg-type]
    without = check(AcknowledgeEarly(Rules(**kills, sweeper=False)), [G1])  # type: ignore[arg-type]
    assert with_sweeper.violation is None
    assert without.violation is not None


def test_what_a_zombie_remembers_does_not_matter() -> None:
    """The model leaves it out of the state; here it is in, and nothing new happens."""

    class Remembering(Model):
        forgetful = False

    rules = Rules(people=frozenset({"cancel"}), answers=frozenset({Slot.PERMANENT}), faults=frozenset({"stop", "kill"}))
    plain, remembering = check(Model(rules)), check(Remembering(rules))
    assert remembering.violation is None, str(remembering.violation)
    assert remembering.states > plain.states
    assert (remembering.names, remembering.arrows) == (plain.names, plain.arrows)


def test_the_drawing_and_the_model_are_the_same() -> None:
    """Every arrow of ``core.states`` is taken, or it is written down why not."""
    drawn = {
        (type(old).__name__, old.name, new.name)
        for moves in (SESSION_MOVES, BATCH_MOVES, RECIPIENT_MOVES)
        for old, news in moves.items()
        for new in news
    }
    results = [check(Model(RUNS[name])) for name in COVERING]
    taken = frozenset[tuple[str, str, str]]().union(*(result.arrows for result in results))
    assert drawn - taken == set(NOT_TAKEN)

    happened = frozenset[str]().union(*(result.names for result in results))
    asked = {name for run in RUNS.values() for prop in promised(run) for name in prop.of_steps}
    assert asked <= happened
