"""What is looked up by a hash or a key in memory: answers already given, and the blind address index."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from pagerd.adapters.memory.tables import Journal, Table
from pagerd.core.errors import Conflict
from pagerd.ports.store import Address, IdempotencyRow

_RECORD: Final = struct.Struct(">8sIHH")


class MemoryIdempotency:
    """Implements ``ports.store.Idempotency``."""

    def __init__(self, journal: Journal) -> None:
        self._rows: Table[tuple[int, bool, bytes], IdempotencyRow] = Table(journal, IdempotencyRow)

    def get(self, workspace: int, live: bool, key: bytes, now: float) -> IdempotencyRow | None:
        """Return the answer, or ``None`` where there is none or it is past its time."""
        row = self._rows.get((workspace, live, key))
        return None if row is None or _past(row, now) else row

    def add(self, row: IdempotencyRow, now: float) -> None:
        """Keep an answer, replacing one past its time; raise :class:`Conflict` if an unexpired one is there."""
        if self.get(row.workspace, row.live, row.key, now) is not None:
            raise Conflict("an answer is kept under this Idempotency-Key already")
        self._rows.put((row.workspace, row.live, row.key), row)

    def expire(self, now: float, limit: int) -> int:
        """Delete up to ``limit`` rows past their time; return how many."""
        past = [key for key, row in self._rows.items() if _past(row, now)][:limit]
        return sum(self._rows.drop(key) for key in past)

    def lasting(self, after: tuple[int, bool, bytes], limit: int) -> list[IdempotencyRow]:
        """Return answers without a time, those above ``after`` (workspace, live, key), in that order."""
        found = sorted((key, row) for key, row in self._rows.items() if key > after and row.expires_at is None)
        return [row for _, row in found[:limit]]

    def drop(self, row: IdempotencyRow) -> None:
        """Delete an answer; one that is not there is harmless."""
        self._rows.drop((row.workspace, row.live, row.key))


def _past(row: IdempotencyRow, now: float) -> bool:
    return row.expires_at is not None and row.expires_at <= now


class MemoryAddressIndex:
    """Implements ``ports.store.AddressIndex``."""

    def __init__(self, journal: Journal) -> None:
        self._small: Table[tuple[int, bytes, int, int, int], bool] = Table(journal, bool)
        self._segments: Table[tuple[int, int, int], bytes] = Table(journal, bytes)

    def add_small(self, workspace: int, session: int, hashes: Sequence[tuple[bytes, int, int]]) -> None:
        """Index (hash, no, idx) one by one."""
        for hash8, no, idx in hashes:
            self._small.put((workspace, hash8[:8], session, no, idx), True)

    def add_segments(self, workspace: int, session: int, segments: Sequence[tuple[int, bytes]]) -> None:
        """Keep sorted segments (first byte, records) of a big session."""
        for first, records in segments:
            if (workspace, first, session) in self._segments:
                raise Conflict(f"segment {first} of this session is there already")
            self._segments.put((workspace, first, session), records)

    def find(self, workspace: int, hash8: bytes, session: int | None, limit: int) -> list[Address]:
        """Return places that may hold the address, newest session first."""
        small = (key[2:] for key in self._small if key[:2] == (workspace, hash8[:8]))
        found = [Address(session=owner, no=no, idx=idx) for owner, no, idx in small]
        for (space, first, owner), records in self._segments.items():
            if space == workspace and first == hash8[0]:
                found += _hits(owner, records, hash8[:8])
        mine = (hit for hit in found if session in (None, hit.session))
        return sorted(mine, key=lambda hit: (-hit.session, hit.no, hit.idx))[:limit]

    def drop_segments(self, workspace: int, session: int) -> None:
        """Delete a session's segments."""
        for key in self._segments:
            if (key[0], key[2]) == (workspace, session):
                self._segments.drop(key)


def _hits(session: int, records: bytes, hash8: bytes) -> list[Address]:
    """Return the places of the records with this hash."""
    return [
        Address(session=session, no=no, idx=idx)
        for hashed, no, idx, _ in _RECORD.iter_unpack(records)
        if hashed == hash8
    ]
