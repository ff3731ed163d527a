"""The tables, once, for every dialect; ``migrations`` brings a database to this shape.

Compact where all goes well, rows where it does not: a batch's people are a vector of ten bytes each; only people
in an exceptional state have rows; counters move in the same commit as what they count. Times are UTC epoch
seconds; identifiers are the 16 bytes of a UUIDv7; ``session`` in other tables is the session's row number.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.schema import SchemaItem

from pagerd.core import balance

METADATA: Final = MetaData()

# SQLite numbers rows by itself only where the type is INTEGER; elsewhere it must hold more.
_Number = BigInteger().with_variant(Integer, "sqlite")
_Blob = LargeBinary
_PACKED: Final[dict[str, Any]] = {"sqlite_with_rowid": False}


def _table(name: str, *columns: SchemaItem, **options: Any) -> Table:
    return Table(name, METADATA, *columns, **options)


SESSION = _table(
    "session",
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("id", _Blob, nullable=False, unique=True),
    Column("workspace", Integer, nullable=False),
    Column("is_message", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("channel", Text, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("on_doubt", Text, nullable=False),
    Column("on_invalid", Text, nullable=False),
    Column("key_id", _Blob, nullable=False),
    Column("spec", _Blob, nullable=False),
    Column("owner", _Blob, nullable=False),
    Column("next_no", Integer, nullable=False),
    Column("stop_no", Integer, nullable=False),
    Column("last_no", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("closed_as", SmallInteger),
    Column("chores", _Blob),
    Column("paused_from", Text),
    Column("pause_reason", Text),
    Column("send_at", Float),
    Column("expires_at", Float),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("settled_key", Boolean, nullable=False),
    Column("payload_rev", Integer, nullable=False, server_default="0"),
)
FRESH: Final = text("next_no <= stop_no AND state IN ('ready', 'running')")
Index("session_fresh", SESSION.c.priority, SESSION.c.number, sqlite_where=FRESH, postgresql_where=FRESH)
_SCHEDULED = text("state = 'scheduled'")
Index("session_scheduled", SESSION.c.send_at, sqlite_where=_SCHEDULED, postgresql_where=_SCHEDULED)
_MORTAL = text("expires_at IS NOT NULL AND finished_at IS NULL")
Index("session_mortal", SESSION.c.expires_at, sqlite_where=_MORTAL, postgresql_where=_MORTAL)
_BUSY = text("chores IS NOT NULL")
Index("session_busy", SESSION.c.number, sqlite_where=_BUSY, postgresql_where=_BUSY)
_SHOWN = text("NOT is_message")
Index("session_shown", SESSION.c.workspace, SESSION.c.id, sqlite_where=_SHOWN, postgresql_where=_SHOWN)
_STAGING = text("state = 'staging'")
Index("session_staging", SESSION.c.created_at, sqlite_where=_STAGING, postgresql_where=_STAGING)
_UNSHREDDED = text("finished_at IS NOT NULL AND NOT settled_key")
Index("session_unshredded", SESSION.c.finished_at, sqlite_where=_UNSHREDDED, postgresql_where=_UNSHREDDED)
Index("session_key_id", SESSION.c.key_id)

SESSION_COUNT = _table(
    "session_count",
    Column("session", _Number, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    *(Column(name, Integer, nullable=False, server_default="0") for name in balance.FIELDS),
    PrimaryKeyConstraint("session", "shard"),
    **_PACKED,
)

SESSION_REASON = _table(
    "session_reason",
    Column("session", _Number, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("reason", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    PrimaryKeyConstraint("session", "shard", "state", "reason"),
    **_PACKED,
)

REASON_CODE = _table(
    "reason_code",
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("code", Text, nullable=False),
)
Index("reason_code_kind_code", REASON_CODE.c.kind, REASON_CODE.c.code, unique=True)

BATCH = _table(
    "batch",
    Column("session", _Number, nullable=False),
    Column("no", Integer, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("queue", SmallInteger, nullable=False),
    Column("token", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("lease_until", Float),
    Column("worker", _Blob),
    Column("run_at", Float),
    Column("vec", _Blob, nullable=False),
    Column("published_at", Float),
    PrimaryKeyConstraint("session", "no"),
    **_PACKED,
)
_WAITING = text("state = 1")
Index("batch_due", BATCH.c.queue, BATCH.c.run_at, sqlite_where=_WAITING, postgresql_where=_WAITING)
_HELD = text("state IN (2, 3)")
Index("batch_held", BATCH.c.worker, BATCH.c.lease_until, sqlite_where=_HELD, postgresql_where=_HELD)
_PUBLISHED = text("state = 0 AND published_at IS NOT NULL")
Index("batch_published", BATCH.c.published_at, sqlite_where=_PUBLISHED, postgresql_where=_PUBLISHED)

PAYLOAD = _table(
    "batch_payload",
    Column("session", _Number, nullable=False),
    Column("block", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("blob", _Blob, nullable=False),
    PrimaryKeyConstraint("session", "block", "seq"),
    **_PACKED,
)

PART = _table(
    "upload_part",
    Column("session", _Number, nullable=False),
    Column("part", Integer, nullable=False),
    Column("block", Integer, nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("batches", Integer, nullable=False),
    Column("flaws", Integer, nullable=False),
    Column("flawed", _Blob, nullable=False),
    Column("digest", _Blob, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("base", Integer),
    PrimaryKeyConstraint("session", "part"),
    **_PACKED,
)

ATTEMPT = _table(
    "attempt",
    Column("session", _Number, nullable=False),
    Column("no", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("record", _Blob, nullable=False),
    Column("period", Integer, nullable=False, server_default="0"),  # on PostgreSQL the week, and part of the key
    PrimaryKeyConstraint("session", "no", "token", "seq"),
    **_PACKED,
)

EXCEPTION = _table(
    "exception",
    Column("session", _Number, nullable=False),
    Column("no", Integer, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("reason", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    PrimaryKeyConstraint("session", "no", "idx"),
    **_PACKED,
)
Index("exception_state", EXCEPTION.c.session, EXCEPTION.c.state, EXCEPTION.c.reason)

ADDRESS_CHUNK = _table(
    "address_chunk",
    Column("session", _Number, nullable=False),
    Column("block", Integer, nullable=False),
    Column("records", _Blob, nullable=False),
    PrimaryKeyConstraint("session", "block"),
)
ADDRESS_SEGMENT = _table(
    "address_segment",
    Column("workspace", Integer, nullable=False),
    Column("first", SmallInteger, nullable=False),
    Column("session", _Number, nullable=False),
    Column("records", _Blob, nullable=False),
    PrimaryKeyConstraint("workspace", "first", "session"),
)
ADDRESS_SMALL = _table(
    "address_small",
    Column("workspace", Integer, nullable=False),
    Column("hash8", _Blob, nullable=False),
    Column("session", _Number, nullable=False),
    Column("no", Integer, nullable=False),
    Column("idx", Integer, nullable=False),
    PrimaryKeyConstraint("workspace", "hash8", "session", "no", "idx"),
    **_PACKED,
)

IDEMPOTENCY = _table(
    "idempotency",
    Column("workspace", Integer, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("key", _Blob, nullable=False),
    Column("mac", _Blob, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", _Blob, nullable=False),
    Column("expires_at", Float),
    PrimaryKeyConstraint("workspace", "live", "key"),
    **_PACKED,
)
_TIMED = text("expires_at IS NOT NULL")
Index("idempotency_expiry", IDEMPOTENCY.c.expires_at, sqlite_where=_TIMED, postgresql_where=_TIMED)

TEMPLATE = _table(
    "template",
    Column("id", _Blob, nullable=False),
    Column("workspace", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("draft", _Blob, nullable=False),
    Column("published", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    PrimaryKeyConstraint("workspace", "name"),
)
TEMPLATE_VERSION = _table(
    "template_version",
    Column("workspace", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", _Blob, nullable=False),
    Column("published_at", Float, nullable=False),
    PrimaryKeyConstraint("workspace", "name", "version"),
)
API_KEY = _table(
    "api_key",
    Column("id", _Blob, primary_key=True),
    Column("workspace", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", _Blob, nullable=False, unique=True),
    Column("live", Boolean, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
)
PROVIDER = _table(
    "provider",
    Column("id", _Blob, nullable=False),
    Column("workspace", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("settings", _Blob, nullable=False),
    Column("credential", _Blob),
    Column("enabled", Boolean, nullable=False),
    Column("paused", Text),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    PrimaryKeyConstraint("workspace", "name"),
)
PROVIDER_NUMBER = _table(
    "provider_number",
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("workspace", Integer, nullable=False),
    Column("name", Text, nullable=False),
)
Index("provider_number_name", PROVIDER_NUMBER.c.workspace, PROVIDER_NUMBER.c.name, unique=True)
QUARANTINE = _table(
    "quarantine",
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("headers", _Blob, nullable=False),
    Column("raw", _Blob, nullable=False),
    Column("reason", Text, nullable=False),
    Column("taken_at", Float, nullable=False),
    PrimaryKeyConstraint("topic", "partition", "position"),
)
FACT = _table(
    "fact",
    Column("name", Text, primary_key=True),
    Column("value", _Blob, nullable=False),
)
