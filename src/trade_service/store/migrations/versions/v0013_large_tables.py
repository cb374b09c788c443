"""For tables of millions of rows: an execution's attempts are found by a range of ids, and vacuum comes in time.

An attempt holds its execution ids in ascending order, and attempts are made in about the order of the executions,
so a block-range index on the first and the last id finds the few pages that may name an execution. As in 0008 it
leaves updates HOT since PostgreSQL 16; an older server goes without. Ranges of 128 pages instead of 32 make the
index on the Execution Service's id small enough to be read for one row among tens of millions.

By default a table of 10 million rows is vacuumed once 2 million of them have changed.

The audit asks for each page of executions which attempts are adopted ones; they are few, or none.

Only settings and indexes: the legacy service and the previous release can still read and write everything. Writers
wait while the indexes are made, in the one transaction of the migration: 9 s for ten million executions.
"""

from alembic import op

revision = "0013"
down_revision = "0012"

_BRIN = """DO $$ BEGIN
    IF current_setting('server_version_num')::int >= 160000 THEN
        {statements}
    END IF;
    END $$"""
_SERVICE_ID = """DROP INDEX IF EXISTS execution_service_ndx;
        CREATE INDEX execution_service_ndx ON execution USING brin (execution_service_id)
        WITH (pages_per_range = {pages}, autosummarize = on);"""
_ATTEMPTS = """CREATE INDEX submission_attempt_range_ndx ON submission_attempt
        USING brin ((execution_ids[1]), (execution_ids[cardinality(execution_ids)]))
        WITH (pages_per_range = 32, autosummarize = on);"""
_ADOPTED = "CREATE INDEX submission_attempt_adopted_ndx ON submission_attempt (id) WHERE adopted"
_VACUUM = (
    "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05, "
    "autovacuum_analyze_scale_factor = 0.02"
)
_TABLES = ("trade_order", "execution", "submission_attempt")

_UPGRADE = (
    _BRIN.format(statements=_SERVICE_ID.format(pages=128) + _ATTEMPTS),
    _ADOPTED,
    *(f"ALTER TABLE {table} SET ({_VACUUM})" for table in _TABLES),
)
_NAMES = ", ".join(setting.partition(" = ")[0] for setting in _VACUUM.split(", "))
_DOWNGRADE = (
    *(f"ALTER TABLE {table} RESET ({_NAMES})" for table in _TABLES),
    "DROP INDEX submission_attempt_adopted_ndx",
    "DROP INDEX IF EXISTS submission_attempt_range_ndx",
    _BRIN.format(statements=_SERVICE_ID.format(pages=32)),
)


def upgrade() -> None:
    """Makes the indexes and sets when the tables are vacuumed."""
    for statement in _UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Reverts both."""
    for statement in _DOWNGRADE:
        op.execute(statement)
