"""Locale tags: are they well-formed, and what they fall back to (RFC 5646, RFC 4647 section 3.4)."""

from __future__ import annotations

import re
from typing import Final

_TAG: Final = re.compile(
    r"[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?(-([a-z\d]{5,8}|\d[a-z\d]{3}))*", re.ASCII | re.IGNORECASE
)


def well_formed(tag: str) -> bool:
    """Tell whether a tag is language, script, region, variants (``de``, ``de-AT``, ``zh-Hant-TW``, ``ca-valencia``)."""
    return _TAG.fullmatch(tag) is not None


def canonical(tag: str) -> str:
    """Return the form in which tags are compared; ``_`` is understood, because people's files hold it."""
    return tag.strip().replace("_", "-").lower()


def fallbacks(tag: str) -> list[str]:
    """Return a canonical tag and, one subtag shorter each time, all that it falls back to."""
    subtags = tag.split("-")
    return ["-".join(subtags[:length]) for length in range(len(subtags), 0, -1)]
