"""Bulk submissions: the executions of each, and the order in which they settled."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the table."""
    op.execute(
        """CREATE TABLE bulk_submission (
            id uuid PRIMARY KEY,
            created_at timestamptz NOT NULL DEFAULT now(),
            execution_ids integer[] NOT NULL,
            settled integer[] NOT NULL DEFAULT '{}')"""
    )


def downgrade() -> None:
    """Takes it away: what is under way goes on without it."""
    op.execute("DROP TABLE bulk_submission")
