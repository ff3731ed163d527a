"""API keys, and answers to requests that carried an Idempotency-Key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, tuple_, update

from pagerd.adapters.sql.repos.rows import columns, struct, structs
from pagerd.adapters.sql.tables import API_KEY, IDEMPOTENCY
from pagerd.core.errors import Conflict
from pagerd.ports.store import ApiKeyRow, IdempotencyRow

_K = API_KEY.c
_I = IDEMPOTENCY.c


class SqlApiKeys:
    """Implements ``ports.store.ApiKeys``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, row: ApiKeyRow) -> None:
        """Insert a key."""
        values = columns(API_KEY, row) | {"scopes": " ".join(row.scopes)}
        self._db.execute(insert(API_KEY).values(values))

    def by_digest(self, digest: bytes) -> ApiKeyRow | None:
        """Return the key with this SHA-256, revoked or not, or ``None``."""
        row = self._db.execute(select(API_KEY).where(_K.digest == digest)).first()
        return None if row is None else _key(row)

    def all(self, workspace: int) -> list[ApiKeyRow]:
        """Return all keys, newest first."""
        query = select(API_KEY).where(_K.workspace == workspace).order_by(_K.id.desc())
        return [_key(row) for row in self._db.execute(query)]

    def revoke(self, workspace: int, id: bytes, at: float) -> bool:
        """Mark a key as revoked; ``False`` if there is none. Twice keeps the first time."""
        mine = (_K.workspace == workspace, _K.id == id)
        self._db.execute(update(API_KEY).where(*mine, _K.revoked_at.is_(None)).values(revoked_at=at))
        return self._db.execute(select(_K.id).where(*mine)).first() is not None


def _key(row: Row[Any]) -> ApiKeyRow:
    found = {name: getattr(row, name) for name in ApiKeyRow.__struct_fields__}
    return ApiKeyRow(**found | {"scopes": tuple(row.scopes.split())})


class SqlIdempotency:
    """Implements ``ports.store.Idempotency``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection
        self._missed: set[tuple[int, bool, bytes]] = set()

    def get(self, workspace: int, live: bool, key: bytes, now: float) -> IdempotencyRow | None:
        """Return the answer, or ``None`` where there is none or it is past its time."""
        query = select(IDEMPOTENCY).where(_I.workspace == workspace, _I.live == live, _I.key == key)
        row = self._db.execute(query).first()
        if row is None or (row.expires_at is not None and row.expires_at <= now):
            self._missed.add((workspace, live, key))
            return None
        return struct(IdempotencyRow, row)

    def add(self, row: IdempotencyRow, now: float) -> None:
        """Keep an answer; raise :class:`Conflict` if an unexpired one is there."""
        mine = (_I.workspace == row.workspace, _I.live == row.live, _I.key == row.key)
        self._db.execute(delete(IDEMPOTENCY).where(*mine, _I.expires_at <= now))
        # Who has just looked and found none inserts, and is run again from that look where somebody was quicker.
        looked = (row.workspace, row.live, row.key) in self._missed
        if not looked and self._db.execute(select(_I.key).where(*mine)).first() is not None:
            raise Conflict("an answer is kept under this Idempotency-Key already")
        self._db.execute(insert(IDEMPOTENCY).values(columns(IDEMPOTENCY, row)))

    def expire(self, now: float, limit: int) -> int:
        """Delete up to ``limit`` rows past their time; return how many."""
        some = select(_I.workspace, _I.live, _I.key).where(_I.expires_at <= now).limit(limit)
        gone = delete(IDEMPOTENCY).where(tuple_(_I.workspace, _I.live, _I.key).in_(some))
        return self._db.execute(gone).rowcount

    def lasting(self, after: tuple[int, bool, bytes], limit: int) -> list[IdempotencyRow]:
        """Return answers without a time, those above ``after`` (workspace, live, key), in that order."""
        place = (_I.workspace, _I.live, _I.key)
        query = select(IDEMPOTENCY).where(tuple_(*place) > tuple_(*after), _I.expires_at.is_(None))
        return structs(IdempotencyRow, self._db.execute(query.order_by(*place).limit(limit)))

    def drop(self, row: IdempotencyRow) -> None:
        """Delete an answer; one that is not there is harmless."""
        mine = (_I.workspace == row.workspace, _I.live == row.live, _I.key == row.key)
        self._db.execute(delete(IDEMPOTENCY).where(*mine))
