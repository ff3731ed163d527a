"""A person's data against a template's declared variables: known, complete, of the right type.

- Null and an empty CSV cell mean *absent*. Defaults are filled in at rendering, not here: the payload of a million
  people need not carry them.
- What the session's shared data gives is not required of each person (``shared``); a person's own value wins.
- A variable that is not declared is a problem in JSON. In CSV it is an ignored column (see ``columns``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import isfinite
from typing import Any, Final

from pagerd.audience import kinds
from pagerd.audience.kinds import Unfit
from pagerd.audience.limits import LIKENESS
from pagerd.audience.problems import Problem, shown
from pagerd.core.nearest import did_you_mean, nearest
from pagerd.core.variables import Variable, VariableType

_SHAPES_KEPT: Final = 256
_CHECKS: Final[dict[type, Callable[[Any], bool]]] = {
    int: kinds.fits_64_bits,
    float: isfinite,
    list: kinds.fits_as_is,
    dict: kinds.fits_as_is,
}
"""What a value must be asked though its type is right; a decoded string or boolean is fine as it is."""

Check = tuple[str, Callable[[Any], bool]]


class Coercer:
    """Checks people's data against the variables of one template version, made once and used for a whole audience.

    Data of a *shape* (names and types of the values) that was found good before is only looked at where the type
    does not say everything (numbers, dates, nested values): that is what makes a million people quick.
    """

    __slots__ = ("_by_name", "_good", "_names", "_required")

    def __init__(self, variables: Sequence[Variable], shared: Collection[str] = ()) -> None:
        """Take the declared ``variables``; those that ``shared`` names need not be given by each person."""
        self._by_name: Final = {variable.name: variable for variable in variables}
        self._names: Final = tuple(self._by_name)
        self._required: Final = tuple(v.name for v in variables if v.required and v.name not in shared)
        self._good: Final[dict[tuple[object, ...], tuple[Check, ...]]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The declared names, in their order."""
        return self._names

    @property
    def required(self) -> tuple[str, ...]:
        """The names that each person must give."""
        return self._required

    def type_of(self, name: str) -> VariableType:
        """Return a declared variable's type."""
        return self._by_name[name].type

    def from_json(self, data: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """Return ``data`` as the variables' types want it, and what is wrong: with a problem it must not be used."""
        checks = self._good.get((*data, *map(type, data.values())))
        if checks is not None:
            for name, fits in checks:
                if not fits(data[name]):
                    break
            else:
                return data, []
        return self.look_closely(data)

    def look_closely(self, data: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """Return the same as :meth:`from_json`, looking at every value: for data that no decoder of ours has seen."""
        kept: dict[str, Any] = {}
        problems: list[Problem] = []
        for name, value in data.items():
            variable = self._by_name.get(name)
            if variable is None:
                problems.append(self._unknown(name))
            elif value is not None:
                self._take(variable, value, kept, problems)
        problems += self.missing(kept.keys() | {problem.path[-1] for problem in problems}, data)
        if not problems and len(kept) == len(data) and all(kept[name] is value for name, value in data.items()):
            self._learn(data)
        return kept, problems

    def _take(self, variable: Variable, value: Any, kept: dict[str, Any], problems: list[Problem]) -> None:
        try:
            kept[variable.name] = kinds.from_json(variable.type, value)
        except Unfit as unfit:
            problems.append(unfit_problem(variable.name, unfit))

    def _learn(self, data: dict[str, Any]) -> None:
        """Remember the shape of good data; strange audiences don't make it grow without end."""
        if len(self._good) >= _SHAPES_KEPT:
            self._good.clear()
        checks = ((name, _check(self._by_name[name].type, type(value))) for name, value in data.items())
        self._good[(*data, *map(type, data.values()))] = tuple((name, check) for name, check in checks if check)

    def missing(self, given: Collection[object], near: Collection[str] = ()) -> list[Problem]:
        """Return a problem for each required variable that is not in ``given``; ``near`` may hold its misspelling."""
        return [self._missing(name, near) for name in self._required if name not in given]

    def _missing(self, name: str, near: Collection[str]) -> Problem:
        stray = [other for other in near if other not in self._by_name]
        slip = nearest(name, stray, LIKENESS)
        hint = f": {shown(slip)} was given, write it {shown(name)}" if slip else ""
        return Problem("variable_missing", f'the variable "{name}" is required{hint}', ("data", name))

    def _unknown(self, name: str) -> Problem:
        hint = did_you_mean(name, self._names, LIKENESS)
        return Problem("variable_unknown", f"the template has no variable {shown(name)}{hint}", ("data", name))


def unfit_problem(name: str, unfit: Unfit) -> Problem:
    """Return the problem of a value that is not of its variable's type."""
    return Problem("variable_type", f'the variable "{name}" {unfit}', ("data", name))


def _check(kind: VariableType, given: type) -> Callable[[Any], bool] | None:
    """Return what must still be asked of a value whose JSON type is right; ``None``: nothing."""
    if kind in (VariableType.DATE, VariableType.DATETIME):
        return lambda value: _converts(kind, value)
    return _CHECKS.get(given)


def _converts(kind: VariableType, value: str) -> bool:
    try:
        return bool(kinds.from_json(kind, value) == value)
    except Unfit:
        return False
