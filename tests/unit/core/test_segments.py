"""Segments of short messages, against the figures of TS 23.038 and 23.040."""

from __future__ import annotations

import pytest

from pagerd.core import segments as module
from pagerd.core.segments import Encoding, Segments, segments

GSM, UCS = Encoding.GSM7, Encoding.UCS2


def test_the_alphabet_has_all_its_places_but_the_escape() -> None:
    assert len(module._BASIC) == 127
    assert len(module._EXTENDED) == 10
    assert not module._BASIC & module._EXTENDED


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", GSM, 0, 1),
        ("x" * 160, GSM, 160, 1),
        ("x" * 161, GSM, 161, 2),
        ("x" * 306, GSM, 306, 2),
        ("x" * 307, GSM, 307, 3),
        ("€" * 80, GSM, 160, 1),
        ("€" * 81, GSM, 162, 2),
        ("x" * 152 + "€" * 77, GSM, 306, 3),  # an escape does not stand apart from what it escapes
        ("äöüß ñ @£$ Δ", GSM, 12, 1),
        ("{}[]\\~|^", GSM, 16, 1),
        ("á", UCS, 1, 1),
        ("ç", UCS, 1, 1),
        ("ё" * 70, UCS, 70, 1),
        ("ё" * 71, UCS, 71, 2),
        ("ё" * 134, UCS, 134, 2),
        ("ё" * 135, UCS, 135, 3),
        ("😀" * 35, UCS, 70, 1),
        ("😀" * 36, UCS, 72, 2),
        ("😀" * 67, UCS, 134, 3),  # a pair is not cut: 33 to a segment
    ],
)
def test_segments(text: str, encoding: Encoding, units: int, count: int) -> None:
    assert segments(text) == Segments(encoding, units, count)
