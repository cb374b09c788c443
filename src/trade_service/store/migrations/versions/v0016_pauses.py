"""Pauses of sending, which every claim reads, and attempts that wait for the end of one.

Only additions: the legacy service and the previous release can still read and write everything. Their replicas
know no pauses: they send what is paused until they are upgraded.
"""

from alembic import op

revision = "0016"
down_revision = "0015"

_UPGRADE = (
    """CREATE TABLE submission_pause (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        destination_id integer REFERENCES destination ON DELETE CASCADE,
        reason text NOT NULL,
        paused_by varchar(255) NOT NULL,
        paused_at timestamptz NOT NULL DEFAULT now())""",
    # 0 stands for all destinations: NULL would not be unique.
    "CREATE UNIQUE INDEX submission_pause_ndx ON submission_pause (coalesce(destination_id, 0))",
    "ALTER TABLE submission_attempt ADD COLUMN parked_at timestamptz",
)

_DOWNGRADE = (
    # The previous release would wait until they are due.
    """UPDATE submission_attempt SET next_action_at = now()
        WHERE next_action_at IS NOT NULL AND parked_at IS NOT NULL""",
    "ALTER TABLE submission_attempt DROP COLUMN parked_at",
    "DROP TABLE submission_pause",
)


def upgrade() -> None:
    """Adds the table and the column."""
    for statement in _UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Drops them."""
    for statement in _DOWNGRADE:
        op.execute(statement)
