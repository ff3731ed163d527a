"""Slabs of whole lines, however the chunks are cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.audience.limits import ROW_BYTES
from pagerd.audience.slabs import BOM, Slabs

LINES = st.lists(st.sampled_from([b"a", b"bc", b"", b"\n", b"\r", b"\r\n", b"\xc3\xa9"]), max_size=30).map(b"".join)


def cut(slabs: Slabs, body: bytes, chunk: int) -> list[tuple[int, bytes]]:
    found = []
    for start in range(0, len(body), chunk):
        found += [(slabs.offset, slab) for slab in slabs.push(body[start : start + chunk])]
    return found + [(slabs.offset, slab) for slab in slabs.finish()]


@given(LINES, st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_nothing_is_lost_and_every_slab_is_whole_lines(body: bytes, chunk: int, size: int, bare_cr: bool) -> None:
    found = cut(Slabs(bare_cr=bare_cr, size=size), body, chunk)
    assert b"".join(slab for _, slab in found) == body
    ends = [m.end() for m in re.finditer(rb"\r\n|\r|\n" if bare_cr else rb"\n", body)]
    for offset, slab in found:
        assert body[offset : offset + len(slab)] == slab
        assert offset + len(slab) in {*ends, len(body)}


def test_slabs_are_about_their_size() -> None:
    body = b"0123456\n" * 1000
    found = cut(Slabs(bare_cr=True, size=100), body, 1 << 20)
    assert {len(slab) for _, slab in found[:-1]} == {96}


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    body = BOM + b"to\nada\n"
    for chunk in (1, 2, 3, 4, 100):
        assert cut(Slabs(bare_cr=False, size=1), body, chunk) == [(3, b"to\n"), (6, b"ada\n")]


def test_a_mark_in_the_middle_is_text() -> None:
    assert cut(Slabs(bare_cr=False, size=1), b"a\n" + BOM + b"b\n", 1) == [(0, b"a\n"), (2, BOM + b"b\n")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b""])
@pytest.mark.parametrize("chunk", [1 << 30, 65_536, 1_000])
def test_of_a_line_without_end_only_a_stub_is_held(end: bytes, chunk: int) -> None:
    long = b"x" * (3 * ROW_BYTES)
    body = b"a\n" + long + end + (b"b\n" if end else b"")
    slabs = Slabs(bare_cr=True)
    held, found = 0, []
    for start in range(0, len(body), chunk):
        found += [(slabs.offset, slab) for slab in slabs.push(body[start : start + chunk])]
        held = max(held, len(slabs._held) + len(slabs._stub or b"") + slabs._fresh_bytes)
    found += [(slabs.offset, slab) for slab in slabs.finish()]
    assert held <= ROW_BYTES + 3 * 65_536
    lines = [(offset, slab.rstrip(b"\r\n")) for offset, slab in found if slab.strip(b"\r\n")]
    stub = next(slab for _, slab in lines if len(slab) > 10)
    assert ROW_BYTES < len(stub) <= len(long)
    if end:
        assert found[-1] == (2 + len(long) + len(end), b"b\n")


def test_a_line_of_just_the_limit_is_whole() -> None:
    body = b"x" * ROW_BYTES + b"\r\ny\n"
    for chunk in (1 << 30, ROW_BYTES + 1, 999):
        found = cut(Slabs(bare_cr=True), body, chunk)
        assert b"".join(slab for _, slab in found) == body
