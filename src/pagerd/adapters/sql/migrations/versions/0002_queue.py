"""What a queue needs: when a batch was published, the payloads' revision, records that can't be read."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what a queue beside the database needs."""
    op.add_column("session", sa.Column("payload_rev", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("batch", sa.Column("published_at", sa.Float(), nullable=True))
    published = sa.text("state = 0 AND published_at IS NOT NULL")
    op.create_index("batch_published", "batch", ["published_at"], sqlite_where=published, postgresql_where=published)
    op.create_table(
        "quarantine",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("headers", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "position"),
    )
