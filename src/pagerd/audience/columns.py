"""The header of a CSV file: which column is the address, which are variables, which are nobody's.

- Names match without regard to case and surrounding space; ``to``, ``email``, ``phone``, ``id``, ``locale`` and
  ``timezone`` are reserved. ``to`` beside ``email`` or ``phone`` is an error: which of them would be told?
- Every other column is a variable of the template. One that is not declared is *ignored*, and reported as such:
  exports have columns that nobody asked for. But if the name is nearly that of a declared variable that has no
  column, it is an error, because then it is a slip.
- A repeated column is allowed only for a list variable, whose items its cells are.
- What is wrong with the header is wrong with the file: it is refused, whatever ``on_invalid`` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pagerd.audience.cellplan import CellPlan
from pagerd.audience.limits import COLUMNS, LIKENESS
from pagerd.audience.objects import ADDRESS_OF
from pagerd.audience.problems import Problem, shown
from pagerd.audience.variables import Coercer
from pagerd.core.nearest import alike, nearest
from pagerd.core.policy import Channel
from pagerd.core.variables import RESERVED, VariableType

_LABEL_CHARS: Final = 64


class HeaderProblem(msgspec.Struct, frozen=True):
    """What is wrong with a header, and at which of its cells (from 0; ``None``: with something that is not there)."""

    code: str
    detail: str
    cell: int | None = None


class Columns:
    """What the columns of a file are for: made from its header, or full of ``problems``."""

    def __init__(self, header: Sequence[str], coercer: Coercer, channel: Channel) -> None:
        """Assign the cells of ``header`` to address, reserved fields and variables."""
        self.width: Final = len(header)
        self.problems: Final[list[HeaderProblem]] = []
        self.ignored: Final[list[str]] = []
        self._reserved: Final[dict[str, int]] = {}
        self._variables: Final[dict[str, list[int]]] = {}
        if self.width > COLUMNS:
            self._wrong("too_many_columns", f"{self.width} columns: at most {COLUMNS} are read", COLUMNS)
            return
        self._assign([cell.strip() for cell in header], coercer)
        self.to: Final = self._address(channel)
        self._person: Final = tuple(self._reserved.get(name) for name in ("id", "locale", "timezone"))
        self.bare: Final = self._person == (None, None, None)
        if not self.problems:
            self.data: Final = CellPlan(coercer, self._variables)

    def person(self, row: Sequence[str]) -> tuple[str | None, str | None, str | None]:
        """Return id, locale and timezone of a row; where ``bare`` there are none to ask for."""
        id_at, locale_at, timezone_at = self._person
        return (
            None if id_at is None else row[id_at] or None,
            None if locale_at is None else row[locale_at] or None,
            None if timezone_at is None else row[timezone_at] or None,
        )

    def cell_of(self, problem: Problem) -> int:
        """Return the cell (from 0) that a row's problem is about."""
        if problem.path[:1] == ("data",):
            return self._variables[str(problem.path[1])][0]
        return self.to if problem.path[:1] == ("to",) else self._reserved[str(problem.path[0])]

    def _wrong(self, code: str, detail: str, cell: int | None = None) -> None:
        self.problems.append(HeaderProblem(code, detail, cell))

    def _assign(self, names: list[str], coercer: Coercer) -> None:
        known = _by_folded_name(coercer.names)
        unknown: list[tuple[int, str]] = []
        for cell, name in enumerate(names):
            variable = name if name in coercer.names else known.get(name.casefold())
            if name.lower() in RESERVED:
                self._reserve(name.lower(), cell)
            elif variable is not None:
                self._variable(variable, cell, coercer.type_of(variable))
            else:
                unknown.append((cell, name))
        absent = [name for name in coercer.names if name not in self._variables]
        meant = {self._set_aside(cell, name, absent) for cell, name in unknown}
        for name in coercer.required:
            if name in absent and name not in meant:
                self._wrong("variable_missing", f'the variable "{name}" is required, and no column is called so')

    def _reserve(self, name: str, cell: int) -> None:
        if name in self._reserved:
            self._wrong("column_repeated", f'the column "{name}" is there twice', cell)
        self._reserved[name] = cell

    def _variable(self, name: str, cell: int, kind: VariableType) -> None:
        cells = self._variables.setdefault(name, [])
        if cells and kind is not VariableType.LIST:
            detail = f"the column {shown(name)} is there twice, which only a list variable may be"
            self._wrong("column_repeated", detail, cell)
        cells.append(cell)

    def _set_aside(self, cell: int, name: str, absent: list[str]) -> str | None:
        """Ignore a column that nobody declared, unless it is a slip: then return what was meant."""
        meant = nearest(name, absent, LIKENESS) or alike(name, RESERVED - self._reserved.keys())
        if meant is None or (meant in ("to", "email", "phone") and self._has_address()):
            label = name[:_LABEL_CHARS] or f"column {cell + 1}"
            if label not in self.ignored:
                self.ignored.append(label)
            return None
        detail = f"the template has no variable {shown(name)}; did you mean {meant!r}?"
        self._wrong("variable_unknown", detail, cell)
        return meant

    def _has_address(self) -> bool:
        return not self._reserved.keys().isdisjoint(("to", "email", "phone"))

    def _address(self, channel: Channel) -> int:
        """Return the cell of the address that the channel writes to."""
        others = [name for name in ("email", "phone") if name in self._reserved]
        if "to" in self._reserved:
            if others:
                detail = f'the columns "to" and "{others[0]}" are both there: which is the address?'
                self._wrong("column_conflict", detail, self._reserved[others[0]])
            return self._reserved["to"]
        wanted = ADDRESS_OF[channel]
        if wanted not in others:
            either = f' or "{wanted}"' if wanted in RESERVED else ""
            self._wrong("column_missing", f'no column is called "to"{either}: it holds the addresses')
        return self._reserved.get(wanted, 0)


def recognised(header: Sequence[str], coercer: Coercer) -> int:
    """Return how many cells of a header are names that mean something: how a delimiter is told."""
    known = {name.casefold() for name in coercer.names} | RESERVED
    return sum(cell.strip().casefold() in known for cell in header)


def _by_folded_name(names: Sequence[str]) -> Mapping[str, str]:
    """Return the names by their case-folded form, those left out that differ only in case."""
    folded = [name.casefold() for name in names]
    return {fold: name for fold, name in zip(folded, names, strict=True) if folded.count(fold) == 1}
