"""Telephone numbers: is it one, and how all the world writes it (E.164).

- A number with its country (``+43 660 1234567``) is one everywhere. A national one (``0660 1234567``) needs the region
  that it is dialled in; where none is set it is refused, for a guess would tell a stranger.
- Judged by the ``phonenumbers`` library: *possible* is enough, which is a matter of length and leading digits. Which
  ranges are in use changes weekly; a number that is in none is for the provider to refuse.
- Letters (``+1 800 FLOWERS``) and extensions are refused: neither can be written to.
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Final

from pagerd.audience.problems import shown
from pagerd.audience.reached import Reached
from pagerd.core.errors import Misconfigured
from pagerd.core.recipients import Flaw

_CHARS: Final = 40
_WRITTEN: Final = re.compile(r"\+?[0-9 ().\-/\u00a0\u2010\u2011]+", re.ASCII)


def checked_number(to: str, region: str | None) -> Reached | Flaw:
    """Return the number that ``to`` names in E.164, or a flaw ``address_invalid``; ``region`` is an ISO 3166 code."""
    bare = to.strip()
    if _WRITTEN.fullmatch(bare) is None or len(bare) > _CHARS:
        return _flaw("a telephone number is digits, like +43 660 1234567, with no letters and no extension")
    if region is None and not bare.startswith("+"):
        return _flaw(
            f"{shown(bare)} has no country: write it like +43 660 1234567, or set the provider's default_region"
        )
    library = _library()
    try:
        number = library.parse(bare, region)
    except library.NumberParseException as wrong:
        return _flaw(f"{shown(bare)}: {_WORDS.get(wrong.error_type, 'no telephone number')}")
    why = library.is_possible_number_with_reason(number)
    if why != library.ValidationResult.IS_POSSIBLE:
        return _flaw(f"{shown(bare)} {_LENGTHS.get(why, 'is no number that can be called from everywhere')}")
    written = library.format_number(number, library.PhoneNumberFormat.E164)
    return Reached(written, written)


_WORDS: Final = {
    0: "there is no such country code",
    1: "no telephone number",
    2: "it is too short",
    3: "it is too short",
}
_LENGTHS: Final = {
    1: "has no country code that exists",
    2: "is too short for its country",
    3: "is too long for its country",
    4: "only works inside its own area",
    5: "has a length that no number of its country has",
}
"""Why the library says no, by its numbers (``NumberParseException``, ``ValidationResult``)."""


def _library() -> ModuleType:
    """Return the library, which takes its time to load; raise :class:`Misconfigured` where it is not installed."""
    try:
        import phonenumbers
    except ImportError as error:
        detail = "telephone numbers need the library phonenumbers: pip install 'pagerd[sms]'"
        raise Misconfigured(detail, code="extra_missing") from error
    return phonenumbers


def _flaw(detail: str) -> Flaw:
    return Flaw("address_invalid", detail)
