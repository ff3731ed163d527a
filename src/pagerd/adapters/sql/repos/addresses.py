"""The blind index over all sessions of a workspace: single rows for small sessions, sorted segments for big ones."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from pagerd.adapters.sql.tables import ADDRESS_SEGMENT, ADDRESS_SMALL
from pagerd.ports.store import Address

_RECORD: Final = struct.Struct(">8sIHH")
_SMALL = ADDRESS_SMALL.c
_SEGMENT = ADDRESS_SEGMENT.c


class SqlAddressIndex:
    """Implements ``ports.store.AddressIndex``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add_small(self, workspace: int, session: int, hashes: Sequence[tuple[bytes, int, int]]) -> None:
        """Index (hash, no, idx) one by one."""
        rows = [
            {"workspace": workspace, "hash8": hash8[:8], "session": session, "no": no, "idx": idx}
            for hash8, no, idx in hashes
        ]
        if rows:
            self._db.execute(insert(ADDRESS_SMALL), rows)

    def add_segments(self, workspace: int, session: int, segments: Sequence[tuple[int, bytes]]) -> None:
        """Keep sorted segments (first byte, records) of a big session."""
        rows = [
            {"workspace": workspace, "first": first, "session": session, "records": records}
            for first, records in segments
        ]
        if rows:
            self._db.execute(insert(ADDRESS_SEGMENT), rows)

    def find(self, workspace: int, hash8: bytes, session: int | None, limit: int) -> list[Address]:
        """Return places that may hold the address, newest session first."""
        small = select(ADDRESS_SMALL).where(_SMALL.workspace == workspace, _SMALL.hash8 == hash8[:8])
        big = select(ADDRESS_SEGMENT).where(_SEGMENT.workspace == workspace, _SEGMENT.first == hash8[0])
        if session is not None:
            small = small.where(_SMALL.session == session)
            big = big.where(_SEGMENT.session == session)
        found = [
            Address(session=r.session, no=r.no, idx=r.idx)
            for r in self._db.execute(small.order_by(_SMALL.session.desc()).limit(limit))
        ]
        for row in self._db.execute(big.order_by(_SEGMENT.session.desc())):
            found += [Address(session=row.session, no=no, idx=idx) for no, idx in _hits(row.records, hash8[:8])]
        return sorted(found, key=lambda a: (-a.session, a.no, a.idx))[:limit]

    def drop_segments(self, workspace: int, session: int) -> None:
        """Delete a session's segments: a start that is made again."""
        self._db.execute(delete(ADDRESS_SEGMENT).where(_SEGMENT.workspace == workspace, _SEGMENT.session == session))


def _hits(records: bytes, hash8: bytes) -> Iterator[tuple[int, int]]:
    """Iterate over (no, idx) of the records with this hash; ``records`` are sorted by it."""
    size = _RECORD.size
    at = bisect_left(range(len(records) // size), hash8, key=lambda i: records[i * size : i * size + 8])
    while records[at * size : at * size + 8] == hash8:
        _, no, idx, _ = _RECORD.unpack_from(records, at * size)
        yield no, idx
        at += 1
