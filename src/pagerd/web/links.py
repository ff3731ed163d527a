"""Finds where the links of a mail lead: its frame lets nobody follow them, the list beside it does."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final

MOST: Final = 50

_HREF: Final = re.compile(
    r"""<(?:a|area)\s[^>]{0,2000}?\bhref\s*=\s*(?:"([^"]{1,4000})"|'([^']{1,4000})')""", re.IGNORECASE
)
_SCHEMES: Final = ("https://", "http://", "mailto:")


def links(content: str) -> list[str]:
    """Return the addresses that the links of HTML lead to, each once, in order, the first 50; web and mail only."""
    return list(dict.fromkeys(_targets(content)))[:MOST]


def _targets(content: str) -> Iterator[str]:
    for match in _HREF.finditer(content):
        target = html.unescape(match[1] or match[2]).strip()
        if target.lower().startswith(_SCHEMES):
            yield target
