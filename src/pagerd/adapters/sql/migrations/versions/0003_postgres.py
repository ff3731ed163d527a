"""What several processes on PostgreSQL need: row-level security, attempts by week.

``attempt.period`` is the week in which the session was made; on SQLite it is always 0, for a file has no partitions.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OWN = (
    "session",
    "address_segment",
    "address_small",
    "idempotency",
    "template",
    "template_version",
    "api_key",
    "provider",
    "provider_number",
)
_BY_SESSION = (
    "session_count",
    "session_reason",
    "batch",
    "batch_payload",
    "upload_part",
    "attempt",
    "exception",
    "address_chunk",
)
_ASKED = "(SELECT current_setting('pagerd.workspace', true))"


def upgrade() -> None:
    """Add the period; on PostgreSQL, cut the attempts up by it and bind every row to its workspace."""
    if op.get_bind().dialect.name != "postgresql":
        op.add_column("attempt", sa.Column("period", sa.Integer(), nullable=False, server_default="0"))
        return
    _partition()
    for table in _OWN:
        _bind(table, f"{_ASKED} IN ('*', workspace::text)")
    for table in _BY_SESSION:
        # The session is seen only by its own workspace, and so is what belongs to it. It is looked up row by row:
        # for EXISTS the planner may read all sessions first.
        _bind(table, f"{_ASKED} = '*' OR (SELECT true FROM session s WHERE s.number = {table}.session)")  # noqa: S608


def _partition() -> None:
    """Make the attempts anew: no release before this one ran on PostgreSQL, so there are none."""
    op.drop_table("attempt")
    op.create_table(
        "attempt",
        sa.Column("session", sa.BigInteger(), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("session", "no", "token", "seq", "period"),
        postgresql_partition_by="RANGE (period)",
    )
    op.execute("CREATE TABLE attempt_other PARTITION OF attempt DEFAULT")
    # Reached through the parent only, whose policy counts: asked by its own name it shows nothing to anybody.
    op.execute("ALTER TABLE attempt_other ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE attempt_other FORCE ROW LEVEL SECURITY")


def _bind(table: str, rule: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY workspace ON {table} USING ({rule}) WITH CHECK ({rule})")
