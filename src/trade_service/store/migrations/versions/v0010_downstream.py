"""The state of the Execution Service's ledger, in one row that every replica reads when it claims.

Only additions: the legacy service and the previous release can still read and write everything. What the previous
release writes belongs to the first epoch; an attempt whose floor it declared void belongs to none.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

_RECENT_ATTEMPTS = 200

_UPGRADE = (
    """CREATE TABLE downstream (
        id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
        epoch integer NOT NULL DEFAULT 1,
        base_url text,
        high_water_id integer NOT NULL DEFAULT 0,
        high_water_execution_id bigint,
        first_id integer NOT NULL DEFAULT 0,
        first_execution_id bigint,
        suspected_at timestamptz,
        suspected_sign varchar(8),
        suspicion text,
        suspected_id integer,
        suspected_execution_id integer,
        blocked_at timestamptz,
        blocked_reason text,
        fills_checked_at timestamptz,
        fills_offset integer NOT NULL DEFAULT 0)""",
    f"""INSERT INTO downstream (high_water_id)
        SELECT coalesce(max(greatest(top_id, floor_id)), 0)
        FROM (SELECT top_id, floor_id FROM submission_attempt ORDER BY id DESC LIMIT {_RECENT_ATTEMPTS}) recent""",
    """ALTER TABLE submission_attempt
        ADD COLUMN epoch integer NOT NULL DEFAULT 1,
        ADD COLUMN floor_execution_id bigint,
        ADD COLUMN retry_count smallint NOT NULL DEFAULT 0""",
    "UPDATE submission_attempt SET epoch = 0 WHERE next_action_at IS NOT NULL AND floor_void",
    "ALTER TABLE execution ADD COLUMN budget_ms integer",
)

_DOWNGRADE = (
    "ALTER TABLE execution DROP COLUMN budget_ms",
    "ALTER TABLE submission_attempt DROP COLUMN retry_count, DROP COLUMN floor_execution_id, DROP COLUMN epoch",
    "DROP TABLE downstream",
)


def upgrade() -> None:
    """Adds the table and the columns."""
    for statement in _UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Drops them."""
    for statement in _DOWNGRADE:
        op.execute(statement)
