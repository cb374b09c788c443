"""Each running replica keeps a row of its own, with the state that only it knows.

Only an addition: the previous release can still read and write everything; it is not listed while it sends
nothing.
"""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Adds the table."""
    op.execute(
        """CREATE TABLE replica (
            owner varchar(80) PRIMARY KEY,
            started_at timestamptz NOT NULL DEFAULT now(),
            seen_at timestamptz NOT NULL DEFAULT now(),
            version varchar(40) NOT NULL,
            workers integer NOT NULL,
            circuit varchar(9) NOT NULL,
            circuit_reason text NOT NULL,
            circuit_since timestamptz NOT NULL DEFAULT now(),
            waits_for text NOT NULL) WITH (fillfactor = 50)"""
    )


def downgrade() -> None:
    """Drops it."""
    op.execute("DROP TABLE replica")
