"""What was archived: its files, a line for each archived execution, and how entries leave the audit log.

Only additions: the legacy service and the previous release can still read and write everything. The audit of the
previous release does not know archived executions, so archive once every replica runs this one.
"""

import sqlalchemy as sa
from alembic import op

from trade_service.store.migrations import MigrationError

revision = "0012"
down_revision = "0011"

_UPGRADE = (
    """CREATE TABLE archive_file (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind varchar(20) NOT NULL,
        name varchar(100) NOT NULL UNIQUE,
        row_count integer NOT NULL,
        sha256 varchar(64) NOT NULL,
        first_execution_id integer,
        last_execution_id integer,
        first_at timestamptz NOT NULL,
        last_at timestamptz NOT NULL,
        oldest_epoch integer,
        removed_at timestamptz NOT NULL DEFAULT now())""",
    # Enough of each to audit orders and the Execution Service's ledger without the files.
    """CREATE TABLE archived_execution (
        id integer PRIMARY KEY,
        file_id integer NOT NULL REFERENCES archive_file (id) ON DELETE RESTRICT,
        trade_order_id integer NOT NULL REFERENCES trade_order (id) ON DELETE RESTRICT,
        execution_timestamp timestamptz NOT NULL,
        trade_type varchar(10),
        destination varchar(20) NOT NULL,
        quantity_ordered numeric(18, 8) NOT NULL,
        submission_state varchar(9) NOT NULL,
        execution_service_id integer,
        is_legacy boolean NOT NULL)""",
    "CREATE INDEX archived_execution_order_ndx ON archived_execution (trade_order_id)",
    "CREATE INDEX submission_evidence_found_ndx ON submission_evidence (found_at, id)",
    # An entry leaves only in the transaction that registers the file it is in.
    """CREATE OR REPLACE FUNCTION audit_log_refuses_changes() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
           IF TG_OP = 'DELETE' AND EXISTS (
               SELECT FROM archive_file
               WHERE id = nullif(current_setting('trade_service.archive_file', true), '')::int
                 AND kind = 'audit_log' AND removed_at = now()) THEN
               RETURN NULL;
           END IF;
           RAISE EXCEPTION 'audit_log is append-only, % is refused', TG_OP
               USING ERRCODE = 'insufficient_privilege';
       END $$""",
)

_DOWNGRADE = (
    """CREATE OR REPLACE FUNCTION audit_log_refuses_changes() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
           RAISE EXCEPTION 'audit_log is append-only, % is refused', TG_OP
               USING ERRCODE = 'insufficient_privilege';
       END $$""",
    "DROP INDEX submission_evidence_found_ndx",
    "DROP TABLE archived_execution",
    "DROP TABLE archive_file",
)


def upgrade() -> None:
    """Adds the tables and indexes, and lets the trigger tell archiving from other deletions."""
    for statement in _UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Drops them; refused once something was archived.

    Raises:
        MigrationError: rows are in files; without these tables sums of orders and requeues would be wrong.
    """
    files = op.get_bind().scalar(sa.text("SELECT count(*) FROM archive_file"))
    if files:
        raise MigrationError(
            f"{files} files of archived rows are registered, and the previous release does not know them: nothing "
            "was changed. Keep this release, or restore a backup from before the first archive"
        )
    for statement in _DOWNGRADE:
        op.execute(statement)
