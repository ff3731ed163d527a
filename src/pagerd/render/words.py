"""Lists of words, and the nearest right word to a wrong one, for messages that help."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def words(text: str) -> frozenset[str]:
    """Return the words of a text, for tables that are read more easily as one."""
    return frozenset(text.split())


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that ``word`` was probably meant to be, or ``None``."""
    by_folded = {choice.casefold(): choice for choice in choices}
    found = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ``; did you mean “…”?`` to be put behind a sentence, or nothing."""
    found = nearest(word, choices)
    return "" if found is None else f"; did you mean {found!r}?"
