"""Duplicates by blind address."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pagerd.audience.duplicates import Duplicate, find_duplicates, record, sort_block

ADDRESSES = st.sampled_from([bytes([first]) + b"\0" * 6 + bytes([last]) for first in (0, 7, 255) for last in (0, 1, 9)])


def test_a_record_is_sixteen_bytes() -> None:
    assert record(bytes(range(16)), 1, 2) == bytes(range(8)) + b"\0\0\0\1\0\2\0\0"
    assert record(bytes(range(8)), 2**32 - 1, 2**16 - 1, flawed=True)[8:] == b"\xff" * 6 + b"\0\1"


def test_a_block_is_sorted_by_address_then_place() -> None:
    records = [record(bytes([n * 37 % 11] * 8), n, 5 - n % 5) for n in range(5000)]
    assert sort_block(b"".join(records)) == b"".join(sorted(records))
    assert sort_block(b"") == b""


def test_the_earliest_place_is_told() -> None:
    later = sort_block(record(b"a" * 8, 1, 0) + record(b"a" * 8, 2, 4))
    earlier = sort_block(record(b"b" * 8, 3, 0) + record(b"a" * 8, 3, 1))
    segments = list(find_duplicates([(10, later), (0, earlier)]))
    [segment] = [s for s in segments if s.first_byte == ord("a")]
    assert segment.duplicates == [Duplicate(11, 0, 3, 1), Duplicate(12, 4, 3, 1)]
    assert segment.records == record(b"a" * 8, 3, 1) + record(b"a" * 8, 11, 0) + record(b"a" * 8, 12, 4)


def test_the_flawed_are_found_but_nobody_is_their_duplicate() -> None:
    a = b"a" * 8
    block = sort_block(record(a, 1, 0, flawed=True) + record(a, 1, 1) + record(a, 1, 2, flawed=True) + record(a, 1, 3))
    [segment] = find_duplicates([(0, block)])
    assert segment.duplicates == [Duplicate(1, 3, 1, 1)]
    assert len(segment.records) == 64


def test_no_blocks_no_segments() -> None:
    assert list(find_duplicates([])) == []
    assert list(find_duplicates([(0, b"")])) == []


def test_large_numbers_do_not_spill_over() -> None:
    block = record(b"\xff" * 8, 2**31, 2**16 - 1, flawed=True)
    [segment] = find_duplicates([(2**31 - 1, block)])
    assert segment.records == record(b"\xff" * 8, 2**32 - 1, 2**16 - 1, flawed=True)


@given(st.lists(st.lists(st.tuples(ADDRESSES, st.booleans()), max_size=12), max_size=4), st.integers(1, 3))
def test_as_a_dictionary_would_find_them(parts: list[list[tuple[bytes, bool]]], size: int) -> None:
    blocks, base, places = [], 0, []
    for people in parts:
        spots = [(place // size + 1, place % size) for place in range(len(people))]
        blocks.append(
            (base, sort_block(b"".join(record(a, *s, flawed=f) for (a, f), s in zip(people, spots, strict=True))))
        )
        places += [(a, f, base + seq, idx) for (a, f), (seq, idx) in zip(people, spots, strict=True)]
        base += -(-len(people) // size)
    first: dict[bytes, tuple[int, int]] = {}
    expected = set()
    for address, flawed, no, idx in places:
        if not flawed and address in first:
            expected.add(Duplicate(no, idx, *first[address]))
        elif not flawed:
            first[address] = (no, idx)
    segments = list(find_duplicates(blocks))
    assert {d for s in segments for d in s.duplicates} == expected
    assert b"".join(s.records for s in segments) == b"".join(
        sorted(record(a, no, i, flawed=f) for a, f, no, i in places)
    )
    assert [s.first_byte for s in segments] == sorted({a[0] for a, *_ in places})
