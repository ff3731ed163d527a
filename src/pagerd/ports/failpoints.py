"""Named places where a test may kill the process; inert in production."""

from __future__ import annotations

from typing import Protocol


class Failpoint(Protocol):
    """Called at K0 … K12 of the delivery protocol (docs/promises.md)."""

    def __call__(self, name: str) -> None:
        """Return at once, or never: the process is killed as by SIGKILL."""
        ...


def inert(name: str) -> None:
    """Do nothing: what production runs."""
    del name
