"""Duplicates in a session: people whose blind addresses are the same are told once.

A *record* is 16 bytes, big endian: the first 8 bytes of the blind address, the number of the batch (u32), the place
in it (u16), and 2 spare bytes, not zero for a recipient with a flaw. Sorted as bytes, records stand by address and
then in the order of the audience. Each uploaded block is sorted when it comes; at start all blocks are merged in 256
slices by first byte, so that no more than a 256th of a big session is in hand at a time.

Eight bytes of a keyed hash tell a million people apart but for one chance in 37 million.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

SIZE: Final = 16
_RECORD: Final = struct.Struct(">8sIHH")
_FLAWED: Final = 1
_NUMBER_SHIFT: Final = 32
_PIECES: Final = 1024
_SPLIT: Final = struct.Struct(f"{SIZE}s" * _PIECES)


class Duplicate(NamedTuple):
    """A later place of an address, and the first one: batch numbers and places in the batch."""

    no: int
    idx: int
    first_no: int
    first_idx: int


class Segment(msgspec.Struct, frozen=True):
    """All records whose address begins with one byte, sorted, with batch numbers; and the duplicates among them."""

    first_byte: int
    records: bytes
    duplicates: list[Duplicate]


def record(address: bytes, seq: int, idx: int, *, flawed: bool = False) -> bytes:
    """Return the record of a blind ``address`` (8 bytes or more) at place ``idx`` of the block's batch ``seq``.

    ``seq`` counts from 1. A ``flawed`` recipient is found by its address, but is nobody's duplicate.
    """
    return _RECORD.pack(address[:8], seq, idx, _FLAWED if flawed else 0)


def sort_block(records: bytes) -> bytes:
    """Return the records of a block in order."""
    return b"".join(sorted(_split(records)))


def find_duplicates(blocks: Sequence[tuple[int, bytes]]) -> Iterator[Segment]:
    """Yield the segments of a session, by first byte, those that are not empty; there is time for others in between.

    ``blocks`` are pairs of a base and sorted records: the number of a batch is base + seq.
    """
    bounds = [_bounds(records) for _, records in blocks]
    for first in range(256):
        slices = [
            _rebased(records[ends[first] : ends[first + 1]], base)
            for (base, records), ends in zip(blocks, bounds, strict=True)
            if ends[first] < ends[first + 1]
        ]
        if slices:
            yield _segment(first, slices)


def _segment(first: int, slices: list[bytes]) -> Segment:
    joined = b"".join(slices)
    ordered = _split(joined)
    if len(slices) > 1:
        ordered.sort()
        joined = b"".join(ordered)
    addresses = memoryview(joined).cast("Q")[::2].tolist()
    found = _duplicates(ordered) if len(set(addresses)) < len(addresses) else []
    return Segment(first, joined, found)


def _duplicates(ordered: list[bytes]) -> list[Duplicate]:
    """Return the duplicates among sorted records, of which there are some."""
    found = []
    current, first = b"", (0, 0)
    for address, no, idx, spare in map(_RECORD.unpack, ordered):
        if spare:
            continue
        if address == current:
            found.append(Duplicate(no, idx, *first))
        else:
            current, first = address, (no, idx)
    return found


def _bounds(records: bytes) -> list[int]:
    """Return where in sorted records each first byte begins, and their end: 257 offsets."""
    firsts = records[::SIZE]
    return [bisect_left(firsts, byte) * SIZE for byte in range(257)]


def _rebased(records: bytes, base: int) -> bytes:
    """Return records with ``base`` added to every number: one addition of very large integers, and quick for it."""
    if not base:
        return records
    addend = (base << _NUMBER_SHIFT).to_bytes(SIZE, "big") * (len(records) // SIZE)
    total = int.from_bytes(records, "big") + int.from_bytes(addend, "big")
    return total.to_bytes(len(records), "big")


def _split(records: bytes) -> list[bytes]:
    """Return the single records."""
    whole = len(records) - len(records) % _SPLIT.size
    pieces: list[bytes] = []
    for some in _SPLIT.iter_unpack(memoryview(records)[:whole]):
        pieces += some
    pieces += [records[at : at + SIZE] for at in range(whole, len(records), SIZE)]
    return pieces
