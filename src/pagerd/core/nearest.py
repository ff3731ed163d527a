"""The nearest right name, for messages that say what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

_LONGEST: Final = 64
_ALIKE: Final = 0.6


def nearest(name: str, known: Iterable[str], cutoff: float = _ALIKE) -> str | None:
    """Return the one of ``known`` that ``name`` was probably meant to be, or ``None``; cheap for a repeated name.

    Names that differ only in case, spaces, ``_`` or ``-`` are always near; else so much of them must be the same as
    ``cutoff`` says.
    """
    if not name or len(name) > _LONGEST:
        return None
    return _nearest(name, tuple(known), cutoff)


def alike(name: str, known: Iterable[str]) -> str | None:
    """Return the one of ``known`` that differs from ``name`` only in case, spaces, ``_`` or ``-``, or ``None``."""
    squashed = _squash(name)
    return next((right for right in known if _squash(right) == squashed), None)


def did_you_mean(name: str, known: Iterable[str], cutoff: float = _ALIKE) -> str:
    """Return ``; did you mean 'right'?`` for the nearest of ``known``, to be put behind a sentence, or nothing."""
    right = nearest(name, known, cutoff)
    return "" if right is None else f"; did you mean {right!r}?"


@lru_cache(maxsize=1024)
def _nearest(name: str, known: tuple[str, ...], cutoff: float) -> str | None:
    squashed = {_squash(right): right for right in reversed(known)}
    meant = _squash(name)
    found = get_close_matches(meant, squashed, n=3, cutoff=cutoff)
    found.sort(key=lambda other: sorted(other) != sorted(meant))  # letters in another order: the likeliest slip
    return squashed[found[0]] if found else None


def _squash(name: str) -> str:
    return name.casefold().replace(" ", "").replace("_", "").replace("-", "")
