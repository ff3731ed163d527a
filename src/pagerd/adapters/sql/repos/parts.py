"""Uploaded parts, payloads, and the address records they bring."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Table, and_, delete, insert, select, tuple_, update

from pagerd.adapters.sql.repos.rows import Locking, columns, struct, structs
from pagerd.adapters.sql.tables import ADDRESS_CHUNK, PART, PAYLOAD
from pagerd.ports.store import PartRow, Payload


class SqlParts:
    """Implements ``ports.store.Parts``."""

    def __init__(self, connection: Connection, *, changes: bool) -> None:
        self._db = connection
        self._rows = Locking(connection, PART, changes=changes)

    def put(self, row: PartRow) -> int | None:
        """Keep a part, replacing the same number; return the block it replaced, if any."""
        old = self.get(row.session, row.part)
        self._rows.put(columns(PART, row))
        return None if old is None or old.block == row.block else old.block

    def get(self, session: int, part: int) -> PartRow | None:
        """Return one part, or ``None``."""
        row = self._rows.get(session, part)
        return None if row is None else struct(PartRow, row)

    def all(self, session: int) -> list[PartRow]:
        """Return the parts in order of their number."""
        return structs(PartRow, self._db.execute(select(PART).where(PART.c.session == session).order_by(PART.c.part)))

    def number(self, session: int, bases: Sequence[tuple[int, int]]) -> None:
        """Set the base of parts: (part, base) each."""
        for part, base in bases:
            self._db.execute(update(PART).where(PART.c.session == session, PART.c.part == part).values(base=base))

    def add_payloads(self, session: int, payloads: Sequence[Payload]) -> None:
        """Insert sealed payloads."""
        rows = [{"session": session, "block": p.block, "seq": p.seq, "n": p.n, "blob": p.blob} for p in payloads]
        if rows:
            self._db.execute(insert(PAYLOAD), rows)

    def payload(self, session: int, no: int) -> Payload | None:
        """Return the payload of batch ``no``; ``None`` where it was erased."""
        query = select(PART.c.block, PART.c.base).where(
            PART.c.session == session, PART.c.base < no, PART.c.base + PART.c.batches >= no
        )
        part = self._db.execute(query).first()
        block, seq = (0, no) if part is None else (part.block, no - part.base)
        c = PAYLOAD.c
        row = self._db.execute(select(PAYLOAD).where(c.session == session, c.block == block, c.seq == seq)).first()
        return None if row is None else Payload(block=row.block, seq=row.seq, n=row.n, blob=row.blob)

    def payloads(self, session: int, first: int, last: int) -> dict[int, Payload]:
        """Return the payloads of the batches from ``first`` to ``last`` by number; those erased are not in it."""
        query = select(PART.c.block, PART.c.base, PART.c.batches).where(
            PART.c.session == session, PART.c.base < last, PART.c.base + PART.c.batches >= first
        )
        spans = [tuple(row) for row in self._db.execute(query)] or [(0, 0, last)]
        found: dict[int, Payload] = {}
        for block, base, batches in spans:
            seqs = (max(1, first - base), min(batches, last - base))
            c = PAYLOAD.c
            rows = self._db.execute(
                select(c.seq, c.n, c.blob).where(c.session == session, c.block == block, c.seq.between(*seqs))
            )
            found |= {base + seq: Payload(block=block, seq=seq, n=n, blob=bytes(blob)) for seq, n, blob in rows}
        return found

    def add_addresses(self, session: int, block: int, records: bytes) -> None:
        """Keep a block's blind address records, sorted."""
        self._db.execute(insert(ADDRESS_CHUNK).values(session=session, block=block, records=records))

    def addresses(self, session: int, block: int) -> bytes:
        """Return a block's records, sorted by hash."""
        table = ADDRESS_CHUNK
        query = select(table.c.records).where(table.c.session == session, table.c.block == block)
        found = self._db.execute(query).scalar()
        return bytes(found) if found else b""

    def drop_block(self, session: int, block: int, limit: int) -> int:
        """Delete up to ``limit`` rows of a block; return how many were deleted: call until 0."""
        gone = self._drop_some(PAYLOAD, session, block, limit)
        if not gone:
            chunk = ADDRESS_CHUNK
            gone = self._db.execute(delete(chunk).where(chunk.c.session == session, chunk.c.block == block)).rowcount
        return gone

    def _drop_some(self, table: Table, session: int, block: int, limit: int) -> int:
        c = table.c
        some = select(c.session, c.block, c.seq).where(c.session == session, c.block == block).limit(limit)
        statement = delete(table).where(tuple_(c.session, c.block, c.seq).in_(some))
        return self._db.execute(statement).rowcount

    def orphan_blocks(self, session: int) -> Sequence[int]:
        """Return blocks of a session that no part refers to."""
        used = select(PART.c.block).where(PART.c.session == session)
        found: set[int] = set()
        for table in (PAYLOAD, ADDRESS_CHUNK):
            query = select(table.c.block).where(
                and_(table.c.session == session, table.c.block != 0, table.c.block.not_in(used))
            )
            found.update(self._db.execute(query.distinct()).scalars())
        return sorted(found)

    def clear(self, session: int, limit: int) -> int:
        """Delete up to ``limit`` of a session's parts, payloads and address records; return how many."""
        gone = 0
        for table in (PART, PAYLOAD, ADDRESS_CHUNK):
            keys = list(table.primary_key.columns)
            some = select(*keys).where(table.c.session == session).limit(limit - gone)
            gone += self._db.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount
        return gone
