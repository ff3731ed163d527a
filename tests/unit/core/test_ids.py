"""Identifiers: there and back, in the order of time, and nothing else is one."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.core import ids
from pagerd.core.errors import Missing

SESSIONS = st.binary(min_size=16, max_size=16)
NUMBERS = st.integers(0, 2**32 - 1)
PLACES = st.integers(0, 2**16 - 1)


@given(st.binary(min_size=1, max_size=40))
def test_bytes_come_back_as_they_were(raw: bytes) -> None:
    text = ids.crockford(raw)
    assert ids.uncrockford(text, len(raw)) == raw
    assert ids.uncrockford(text.upper(), len(raw)) == raw
    assert not set(text) & set("ilou")


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=2, max_size=20))
def test_texts_sort_as_their_bytes(raws: list[bytes]) -> None:
    assert sorted(raws, key=ids.crockford) == sorted(raws)


@given(SESSIONS, NUMBERS, PLACES, st.binary(min_size=6, max_size=6))
def test_each_kind_comes_back_and_no_other_reads_it(session: bytes, no: int, idx: int, tail: bytes) -> None:
    assert ids.read(ids.SESSION, ids.written(ids.SESSION, session)) == session
    assert ids.read_batch_id(ids.batch_id(session, no)) == (session, no)
    place = ids.Place(session, no, idx)
    recipient = ids.recipient_id(place, tail)
    assert ids.read_recipient_id(recipient) == (place, tail)
    assert ids.read(ids.RECIPIENT, recipient, 28) == ids.place_bytes(place) + tail
    for wrong in (ids.written(ids.SESSION, session), ids.batch_id(session, no)):
        with pytest.raises(Missing):
            ids.read_recipient_id(wrong)


@given(SESSIONS, st.tuples(NUMBERS, PLACES), st.tuples(NUMBERS, PLACES))
def test_recipients_sort_by_their_place(session: bytes, one: tuple[int, int], two: tuple[int, int]) -> None:
    written = [ids.recipient_id(ids.Place(session, *place), b"\0" * 6) for place in (one, two)]
    assert (written[0] < written[1]) == (one < two)


def test_what_people_mistype_is_understood() -> None:
    text = ids.crockford(b"\x08\x42" * 8)
    assert "1" in text
    assert ids.uncrockford(text.replace("1", "l"), 16) == b"\x08\x42" * 8
    assert ids.uncrockford(text.replace("1", "I").replace("0", "O"), 16) == b"\x08\x42" * 8


GOOD = ids.written(ids.SESSION, bytes(range(16)))
HOSTILE = [
    "",
    "ses",
    "ses_",
    "_",
    GOOD[:-1],
    GOOD + "0",
    GOOD + "\n",
    " " + GOOD,
    GOOD.replace("ses", "SES"),
    GOOD.replace("ses", "bat"),
    GOOD.replace("_", "__"),
    GOOD[:-1] + "u",
    GOOD[:-1] + "z",  # bits that no identifier has
    GOOD[:-1] + "\u212a",  # the Kelvin sign, a k in lower case
    GOOD[:-1] + "\uff10",
    GOOD[:-1] + "\0",
    "ses_" + "%00" * 9,
    "ses_../../etc/passwd",
    "ses_" + "0" * 10_000_000,
    "\ud800" * 30,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_anything_else_is_as_unknown_as_an_unknown_one(text: str) -> None:
    with pytest.raises(Missing):
        ids.read(ids.SESSION, text)


@given(st.text(max_size=60))
def test_no_text_at_all_raises_anything_but_missing(text: str) -> None:
    for read in (ids.read_batch_id, ids.read_recipient_id, lambda t: ids.read(ids.SESSION, t)):
        for candidate in (text, f"ses_{text}", f"bat_{text}", f"rcp_{text}"):
            with contextlib.suppress(Missing):
                read(candidate)
