"""What a template may touch: a person's data as plain values that nobody can change or call.

The engine hands a Python ``dict`` or ``list`` to the template as it is, with its methods: ``{{ items.append(name) }}``
in a template would write one person's name into what the next person is shown. These two hide every method but
``get``, ``items``, ``keys`` and ``values``, so that a missing ``order.count`` is an error and not a method.
"""

# ruff: noqa: SLF001 (`_nulls` begins with _ so that no template can read it; it is this module's own)

from __future__ import annotations

import sys
from typing import Any, Final


class _Hidden:
    """An attribute that is not there."""

    def __get__(self, instance: object, owner: type) -> Any:
        raise AttributeError


class Facts(dict[str, Any]):
    """A mapping in a person's data; also the whole of it.

    ``_nulls`` tells whether a null is anywhere in it; ``_size``, of the whole, how many bytes it has at most.
    """

    __slots__ = ("_nulls", "_size")
    _nulls: bool
    _size: int
    clear = copy = fromkeys = pop = popitem = setdefault = update = _Hidden()


class Rows(list[Any]):
    """A list in a person's data. ``_nulls`` tells whether a null is anywhere in it."""

    __slots__ = ("_nulls",)
    _nulls: bool
    append = clear = copy = count = extend = index = insert = pop = remove = reverse = sort = _Hidden()


_CONTAINERS: Final = frozenset({dict, list})
_update: Final = dict.update


def facts(data: dict[str, Any]) -> Facts:
    """Return ``data`` with everything inside it guarded; ``data`` itself is left as it is."""
    return over(Facts(), data, nulls=False)


UNKNOWN: Final = sys.maxsize
"""The size of data that nobody measured."""


def over(base: Facts, data: dict[str, Any], *, nulls: bool, size: int = UNKNOWN) -> Facts:
    """Return ``data`` guarded, over a guarded ``base``; ``nulls`` tells of a null inside a value of ``base``.

    ``size`` is how many bytes both have at most.
    """
    guarded = Facts(base)
    guarded._size = size
    _update(guarded, data)
    for key, value in data.items():
        if value.__class__ in _CONTAINERS:
            inner = guarded[key] = facts(value) if value.__class__ is dict else rows(value)
            nulls = nulls or inner._nulls
    guarded._nulls = nulls or None in guarded.values()
    return guarded


def rows(values: list[Any]) -> Rows:
    """Return ``values`` with everything inside it guarded; ``values`` itself is left as it is."""
    guarded = Rows(values)
    nulls = None in values
    for place, value in enumerate(values):
        if value.__class__ in _CONTAINERS:
            inner = guarded[place] = facts(value) if value.__class__ is dict else rows(value)
            nulls = nulls or inner._nulls
    guarded._nulls = nulls
    return guarded


def nested_nulls(data: Facts) -> bool:
    """Tell whether a null is inside a value of guarded data."""
    return any(value._nulls for value in data.values() if isinstance(value, Facts | Rows))
