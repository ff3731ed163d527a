"""``python -m tests.model``: walk every run; ``python -m tests.model NoFence``: the shortest way to what it breaks."""

from __future__ import annotations

import sys

from .checker import check
from .mutants import MUTANTS
from .runs import RUNS
from .surroundings import Model


def walk() -> None:
    """Print a line for each run."""
    for name, rules in RUNS.items():
        result = check(Model(rules))
        size = f"{result.states:8,} states {result.steps:9,} steps {result.seconds:6.1f} s"
        print(f"{name:34} {size}  {result.violation or 'holds'}", flush=True)


def show(word: str) -> None:
    """Print what mutants whose name contains ``word`` break, and how."""
    for mutant in MUTANTS:
        if word.lower() in mutant.name.lower():
            print(f"{mutant.name}: {mutant.model.__doc__}")
            print(f"{check(mutant.model(mutant.rules), [mutant.breaks]).violation}\n")


if __name__ == "__main__":
    show(sys.argv[1]) if len(sys.argv) > 1 else walk()
