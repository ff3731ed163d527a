"""A breadth-first model checker: all reachable states, the shortest way to a wrong one, and who could get stuck."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from .ledger import Arrow, OffTheDrawing
from .properties import DRAWING, G1, Property, finished, promised
from .state import Kind, Phase, State, Step
from .surroundings import Model


class Violation(NamedTuple):
    """A broken property, and the shortest trace to where it breaks."""

    property: Property
    words: str
    trace: tuple[tuple[Step | None, State], ...]

    def __str__(self) -> str:
        """Return the trace as a page to read."""
        lines = [f"{self.property.name} ({self.property.promise}) is broken: {self.words}"]
        for n, (step, state) in enumerate(self.trace):
            lines += [f"{n:3} {step or 'admitted, started'}", f"      {sketch(state)}"]
        return "\n".join(lines)


class Result(NamedTuple):
    """What a run found."""

    states: int
    steps: int
    depth: int
    ends: int
    """States in which everybody ended."""
    seconds: float
    names: frozenset[str]
    """The names of all steps that were taken."""
    arrows: frozenset[Arrow]
    """The arrows of the drawing that were taken."""
    violation: Violation | None


class _Found(Exception):
    """Stops the search."""

    def __init__(self, property: Property, words: str, at: int, step: Step | None = None, then: State | None = None):
        super().__init__(words)
        self.property, self.words, self.at, self.step, self.then = property, words, at, step, then


class Search:
    """One breadth-first walk over everything a model can reach."""

    def __init__(self, model: Model, properties: Sequence[Property]) -> None:
        self.model = model
        self.properties = tuple(properties)
        self.order: list[State] = [model.rules.first()]
        self.place: dict[State, int] = {self.order[0]: 0}
        self.parent = array("l", [-1])
        self.steps = 0
        self.names: set[str] = set()
        self.ahead: list[array[int]] = [array("l")]
        """Of each state, those from which the system alone leads into it."""
        model.strict = DRAWING in self.properties

    def run(self, limit: int) -> Result:
        """Walk; return the first violation met, which has the shortest trace, or none."""
        started = time.perf_counter()
        violation = None
        try:
            self._walk(limit)
            if G1 in self.properties:
                self._nobody_stuck()
        except _Found as found:
            violation = Violation(found.property, found.words, self._trace(found))
        return Result(
            states=len(self.order),
            steps=self.steps,
            depth=len(self._way(len(self.order) - 1)) - 1,
            ends=sum(map(finished, self.order)),
            seconds=time.perf_counter() - started,
            names=frozenset(self.names),
            arrows=frozenset(self.model.arrows),
            violation=violation,
        )

    def _walk(self, limit: int) -> None:
        rules = self.model.rules
        of_steps: dict[str, list[Property]] = {}
        for prop in self.properties:
            for name in prop.of_steps:
                of_steps.setdefault(name, []).append(prop)
        at = 0
        self._look(0)
        while at < len(self.order):
            before = self.order[at]
            try:
                for step, after in self.model.successors(before):
                    self.steps += 1
                    self.names.add(step.name)
                    for prop in of_steps.get(step.name, ()):
                        if words := prop.of_steps[step.name](rules, before, step, after):
                            raise _Found(prop, words, at, step, after)
                    self._arrive(at, step, after)
            except OffTheDrawing as move:
                raise _Found(DRAWING, str(move), at) from move
            if len(self.order) > limit:
                raise RuntimeError(f"more than {limit} states: the model is not as small as it should be")
            at += 1

    def _arrive(self, at: int, step: Step, after: State) -> None:
        place = self.place.setdefault(after, len(self.order))
        if place == len(self.order):
            self.order.append(after)
            self.parent.append(at)
            self.ahead.append(array("l"))
            self._look(place)
        if step.kind is Kind.SYSTEM:
            self.ahead[place].append(at)

    def _look(self, place: int) -> None:
        state = self.order[place]
        for prop in self.properties:
            if prop.of_state and (words := prop.of_state(self.model.rules, state)):
                raise _Found(prop, words, place)

    def _nobody_stuck(self) -> None:
        """Go back from every end; a state that is not met is one from which the system can't get anybody home."""
        home = bytearray(len(self.order))
        todo = [place for place, state in enumerate(self.order) if finished(state)]
        for place in todo:
            home[place] = 1
        while todo:
            for before in self.ahead[todo.pop()]:
                if not home[before]:
                    home[before] = 1
                    todo.append(before)
        stuck = home.find(0)
        if stuck >= 0:
            raise _Found(G1, "from here nobody's end can be reached", stuck)

    def _way(self, place: int) -> list[int]:
        """Return the places on the shortest way to ``place``, from the first."""
        way = [place]
        while self.parent[way[-1]] >= 0:
            way.append(self.parent[way[-1]])
        return way[::-1]

    def _trace(self, found: _Found) -> tuple[tuple[Step | None, State], ...]:
        """Return the way to a violation; the steps are found again, so that the walk need not keep them."""
        states = [self.order[place] for place in self._way(found.at)]
        trace: list[tuple[Step | None, State]] = [(None, states[0])]
        self.model.strict = False
        for before, after in pairwise(states):
            trace.append((next(step for step, to in self.model.successors(before) if to == after), after))
        if found.step is not None and found.then is not None:
            trace.append((found.step, found.then))
        return tuple(trace)


def check(model: Model, properties: Sequence[Property] | None = None, *, limit: int = 1_000_000) -> Result:
    """Return what an exhaustive walk over ``model`` finds; without ``properties`` all that its rules promise."""
    return Search(model, promised(model.rules) if properties is None else properties).run(limit)


def sketch(s: State) -> str:
    """Return a state in one line: session, batches with their people (``!``: flagged, ``*n``: effects), workers."""
    parts = [s.session.value]
    for batch, effects in zip(s.batches, s.effects, strict=True):
        people = ", ".join(
            f"{cell.state.word}{'!' if cell.flagged else ''}*{effect}"
            for cell, effect in zip(batch.cells, effects, strict=True)
        )
        parts.append(f"[{batch.state.word}{' over' if batch.over else ''}: {people}]")
    for worker in s.workers:
        words = [worker.phase.name.lower()]
        words += [slot.name.lower() for slot in worker.window if slot]
        claims = Phase.CLAIMED <= worker.phase <= Phase.SENDING
        words += ["stopped"] * worker.stopped + ["zombie"] * (claims and not worker.newest)
        parts.append(" ".join(words))
    return " | ".join(parts)
