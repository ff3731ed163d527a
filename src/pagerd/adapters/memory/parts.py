"""Uploaded parts, payloads and their address records in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pagerd.adapters.memory.tables import Journal, Table
from pagerd.core.errors import Conflict
from pagerd.ports.store import PartRow, Payload


class MemoryParts:
    """Implements ``ports.store.Parts``."""

    def __init__(self, journal: Journal) -> None:
        self._parts: Table[tuple[int, int], PartRow] = Table(journal, PartRow)
        self._payloads: Table[tuple[int, int, int], Payload] = Table(journal, Payload)
        self._addresses: Table[tuple[int, int], bytes] = Table(journal, bytes)

    def put(self, row: PartRow) -> int | None:
        """Keep a part, replacing the same number; return the block it replaced, if any."""
        old = self.get(row.session, row.part)
        self._parts.put((row.session, row.part), row)
        return None if old is None or old.block == row.block else old.block

    def get(self, session: int, part: int) -> PartRow | None:
        """Return one part, or ``None``."""
        return self._parts.get((session, part))

    def all(self, session: int) -> list[PartRow]:
        """Return the parts in order of their number."""
        return [row for row in self._parts.rows() if row.session == session]

    def number(self, session: int, bases: Sequence[tuple[int, int]]) -> None:
        """Set the base of parts: (part, base) each."""
        for part, base in bases:
            row = self.get(session, part)
            if row is not None:
                self._parts.put((session, part), msgspec.structs.replace(row, base=base))

    def add_payloads(self, session: int, payloads: Sequence[Payload]) -> None:
        """Insert sealed payloads."""
        for payload in payloads:
            key = (session, payload.block, payload.seq)
            if key in self._payloads:
                raise Conflict(f"payload {payload.seq} of block {payload.block} is there already")
            self._payloads.put(key, payload)

    def payload(self, session: int, no: int) -> Payload | None:
        """Return the payload of batch ``no``; ``None`` where it was erased."""
        for part in self.all(session):
            if part.base is not None and part.base < no <= part.base + part.batches:
                return self._payloads.get((session, part.block, no - part.base))
        return self._payloads.get((session, 0, no))

    def payloads(self, session: int, first: int, last: int) -> dict[int, Payload]:
        """Return the payloads of the batches from ``first`` to ``last`` by number; those erased are not in it."""
        found = ((no, self.payload(session, no)) for no in range(first, last + 1))
        return {no: payload for no, payload in found if payload is not None}

    def add_addresses(self, session: int, block: int, records: bytes) -> None:
        """Keep a block's blind address records, sorted."""
        self._addresses.put((session, block), records)

    def addresses(self, session: int, block: int) -> bytes:
        """Return a block's records, sorted by hash; none where there are none."""
        return self._addresses.get((session, block)) or b""

    def drop_block(self, session: int, block: int, limit: int) -> int:
        """Delete up to ``limit`` rows of a block; return how many were deleted."""
        mine = [key for key in self._payloads if key[:2] == (session, block)][:limit]
        gone = sum(self._payloads.drop(key) for key in mine)
        return gone or int(self._addresses.drop((session, block)))

    def orphan_blocks(self, session: int) -> Sequence[int]:
        """Return blocks of a session that no part refers to."""
        used = {part.block for part in self.all(session)} | {0}
        kept = [key[:2] for key in self._payloads] + list(self._addresses)
        return sorted({block for owner, block in kept if owner == session} - used)

    def clear(self, session: int, limit: int) -> int:
        """Delete up to ``limit`` of a session's parts, payloads and address records; return how many."""
        tables: tuple[Table[Any, Any], ...] = (self._parts, self._payloads, self._addresses)
        mine = [(table, key) for table in tables for key in table if key[0] == session]
        return sum(table.drop(key) for table, key in mine[:limit])
