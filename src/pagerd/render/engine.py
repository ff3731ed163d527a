"""The template engine, set up as Pager wants it: strict, fuelled, deaf to the world.

The engine is MiniJinja (the Jinja language without access to Python). Undefined names are errors; a part whose name
ends in ``.html`` is escaped for HTML, every other is not; nothing can be included, so nothing is loaded.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache, partial
from typing import Any, Final

from minijinja import Environment, TemplateError

from pagerd.render.limits import FUEL
from pagerd.render.spending import Spending, bounded_range, measured
from pagerd.render.words import words

GLOBALS: Final = words("cycler dict joiner namespace range")
"""The functions that a template can call."""

FILTERS: Final = words(
    "abs attr batch bool capitalize chain count d date default dictsort e escape filesizeformat first float format"
    " groupby indent int items join last length lines list lower map max min pluralize pprint reject rejectattr replace"
    " reverse round safe select selectattr slice sort split striptags string sum title tojson trim truncate unique"
    " upper urlencode wordwrap zip"
)
"""Filters that a misspelt name may have meant; :func:`knows_filter` asks the engine itself."""

TESTS: Final = words(
    "boolean defined divisibleby endingwith eq equalto escaped even false filter float ge greaterthan gt in integer"
    " iterable le lessthan lower lt mapping ne none number odd safe sameas sequence startingwith string test true"
    " undefined upper"
)
"""Tests that a misspelt name may have meant; :func:`knows_test` asks the engine itself."""


def new_environment(*, hide_nulls: bool = False) -> Environment:
    """Return an empty environment; with ``hide_nulls`` a printed null is nothing instead of the word ``None``.

    That costs a call into Python for every value printed, so it is only used where a null is about.
    """
    environment = Environment(
        undefined_behavior="strict",
        fuel=FUEL,
        finalizer=_without_nulls if hide_nulls else None,
        filters={"date": date},
    )
    environment.remove_global("debug")
    return environment


def measuring_environment(spending: Spending, fuel: int, *, hide_nulls: bool = False) -> Environment:
    """Return an empty environment that measures what it builds: for templates that repeat or multiply.

    What it may not build raises :class:`pagerd.render.spending.TooMuch`. Sources go through
    :func:`pagerd.render.multiplying.shown`.
    """
    environment = new_environment(hide_nulls=hide_nulls)
    environment.fuel = fuel
    environment.finalizer = partial(_print, spending, hide_nulls)
    environment.add_test("carried", spending.carry)
    environment.add_global("range", bounded_range(spending))
    for name, run in measured(spending).items():
        environment.add_filter(name, run)
    return environment


def _print(spending: Spending, hide_nulls: bool, value: Any) -> Any:
    """Count a printed value, then treat nulls as the environment wants it."""
    if value is None:
        return "" if hide_nulls else NotImplemented
    spending.print(value)
    return NotImplemented


def _without_nulls(value: Any) -> Any:
    """Return nothing for null; leave every other value to the engine."""
    return "" if value is None else NotImplemented


def date(value: Any, form: str = "%Y-%m-%d") -> str:
    """Return an RFC 3339 date or date-time written as ``form`` says (``%d.%m.%Y``, ``%H:%M``; month names: English).

    Raise :class:`ValueError` for anything else, so that a wrong value is never printed as if it were right.
    """
    try:
        moment = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not an RFC 3339 date or date-time") from None
    return moment.strftime(form)


_probe: Final = new_environment()


@lru_cache(maxsize=1024)
def knows_filter(name: str) -> bool:
    """Tell whether the engine has a filter of that name."""
    return _kind_of(f"0|{name}") != "UnknownFilter"


@lru_cache(maxsize=1024)
def knows_test(name: str) -> bool:
    """Tell whether the engine has a test of that name."""
    return _kind_of(f"0 is {name}") != "UnknownTest"


def _kind_of(expression: str) -> str:
    """Return the kind of error that an expression ends in, or nothing."""
    try:
        _probe.eval_expr(expression)
    except TemplateError as error:
        return error.kind
    except (TypeError, ValueError):
        return ""
    return ""
