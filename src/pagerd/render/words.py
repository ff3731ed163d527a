"""Lists of words."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the words of a text, for tables that are read more easily as one."""
    return frozenset(text.split())
