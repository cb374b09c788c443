"""The rows of blotters that were submitted whole. Only an addition."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Adds the table."""
    op.execute(
        """CREATE TABLE submitted_blotter (
            submission_id uuid PRIMARY KEY REFERENCES bulk_submission (id) ON DELETE CASCADE,
            kept_rows bytea NOT NULL)"""
    )


def downgrade() -> None:
    """Takes it away: the submissions go on, and their rows can no longer be downloaded."""
    op.execute("DROP TABLE submitted_blotter")
