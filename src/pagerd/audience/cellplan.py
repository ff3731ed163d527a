"""How the cells of a CSV row become a person's data: worked out once for a file, then followed for each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from pagerd.audience.kinds import FROM_TEXT, Unfit
from pagerd.audience.problems import Problem
from pagerd.audience.variables import Coercer, unfit_problem


class CellPlan:
    """Reads a person's data from the cells of a row.

    ``places`` names for each variable the columns it stands in: one, or several whose cells are a list's items.
    """

    __slots__ = ("_coercer", "_get", "_lists", "_names", "_typed")

    def __init__(self, coercer: Coercer, places: Mapping[str, Sequence[int]]) -> None:
        single = {name: columns[0] for name, columns in places.items() if len(columns) == 1}
        self._coercer: Final = coercer
        self._names: Final = tuple(single)
        self._get: Final = _getter(tuple(single.values()))
        self._lists: Final = tuple((name, tuple(columns)) for name, columns in places.items() if len(columns) > 1)
        types = ((name, FROM_TEXT.get(coercer.type_of(name))) for name in single)
        self._typed: Final = tuple((name, convert) for name, convert in types if convert is not None)

    def read(self, row: list[str]) -> tuple[dict[str, Any], list[Problem]]:
        """Return the data of a row that has all its cells, and what is wrong: with a problem it must not be used."""
        cells = self._get(row)
        data: dict[str, Any] = dict(zip(self._names, cells, strict=True))
        problems: list[Problem] = []
        if "" in cells or self._lists:
            data = {name: cell for name, cell in data.items() if cell}
            for name, columns in self._lists:
                if items := [row[column] for column in columns if row[column]]:
                    data[name] = items
            problems = self._coercer.missing(data)
        for name, convert in self._typed:
            if name in data:
                try:
                    data[name] = convert(data[name])
                except Unfit as unfit:
                    problems.append(unfit_problem(name, unfit))
        return data, problems


def _getter(columns: tuple[int, ...]) -> Callable[[list[str]], tuple[str, ...]]:
    """Return what picks these columns of a row as a tuple, however many they are."""
    if len(columns) > 1:
        return itemgetter(*columns)
    return lambda row: tuple(row[column] for column in columns)
