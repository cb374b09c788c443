"""Audits that a replica runs in the background, and what they found.

Only an addition: the previous release can still read and write everything.
"""

from alembic import op

revision = "0017"
down_revision = "0016"

_UPGRADE = (
    """CREATE TABLE audit_run (
        id uuid PRIMARY KEY,
        book varchar(8) NOT NULL,
        status varchar(8) NOT NULL,
        started_at timestamptz NOT NULL DEFAULT now(),
        started_by varchar(255) NOT NULL,
        replica varchar(80) NOT NULL,
        lease_until timestamptz NOT NULL,
        finished_at timestamptz,
        ledger_rows bigint,
        message text NOT NULL DEFAULT '',
        report jsonb)""",
    "CREATE UNIQUE INDEX audit_run_running_ndx ON audit_run (status) WHERE status = 'RUNNING'",
)


def upgrade() -> None:
    """Adds the table; its index lets one audit run at a time."""
    for statement in _UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Drops it with what was found."""
    op.execute("DROP TABLE audit_run")
