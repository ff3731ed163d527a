"""How a text travels as SMS: in which alphabet, and in how many segments (3GPP TS 23.038 and 23.040)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class Encoding(StrEnum):
    """The alphabets of SMS: seven bits a character, or UTF-16 code units."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


class Segments(msgspec.Struct, frozen=True):
    """What a text becomes: its alphabet, its length in units of that, and the segments that are paid for."""

    encoding: Encoding
    units: int
    count: int


_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The GSM 7-bit default alphabet (TS 23.038, section 6.2.1) without its escape."""

_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""The extension table (TS 23.038, section 6.2.1.1): each stands behind an escape, and so counts as two."""

_SINGLE: Final = {Encoding.GSM7: 160, Encoding.UCS2: 70}
"""Units in one SMS of 140 octets (TS 23.040, section 9.2.3.16)."""
_JOINED: Final = {Encoding.GSM7: 153, Encoding.UCS2: 67}
"""Units in each of several that are joined: the header that joins them (section 9.2.3.24.1) takes six octets."""


def segments(text: str) -> Segments:
    """Return how ``text`` travels. No character is cut: an escape, or a surrogate pair, stays in one segment."""
    widths = _gsm_widths(text)
    encoding = Encoding.UCS2 if widths is None else Encoding.GSM7
    if widths is None:
        widths = [2 if char > "\uffff" else 1 for char in text]
    units = sum(widths)
    if units <= _SINGLE[encoding]:
        return Segments(encoding, units, 1)
    return Segments(encoding, units, _joined(widths, _JOINED[encoding]))


def _gsm_widths(text: str) -> list[int] | None:
    """Return the septets of each character, or ``None`` where one is not in the alphabet."""
    if not _BASIC.issuperset(text):
        if not (_BASIC | _EXTENDED).issuperset(text):
            return None
        return [2 if char in _EXTENDED else 1 for char in text]
    return [1] * len(text)


def _joined(widths: list[int], room: int) -> int:
    """Return how many segments of ``room`` units are filled."""
    count, used = 1, 0
    for width in widths:
        if used + width > room:
            count, used = count + 1, 0
        used += width
    return count
