"""The revision of the reference data: every change of it, whoever makes it, counts it up in the same transaction.

A statement that reads orders reads it too, so a process notices that its copy of the reference data is older than
the rows. Only additions: the legacy service and the previous release can still read and write everything; the
function runs with its owner's rights, so they need none on the new table.
"""

from alembic import op

revision = "0019"
down_revision = "0018"

_TABLES = ("blotter", "trade_type", "destination", "execution_status")


def upgrade() -> None:
    """Adds the table with its only row, and a trigger to each table of reference data."""
    op.execute(
        """CREATE TABLE reference_revision (
            id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
            revision integer NOT NULL DEFAULT 1)"""
    )
    op.execute("INSERT INTO reference_revision DEFAULT VALUES")
    op.execute(
        """CREATE FUNCTION reference_data_changed() RETURNS trigger LANGUAGE plpgsql
           SECURITY DEFINER SET search_path FROM CURRENT AS $$
           BEGIN
               UPDATE reference_revision SET revision = revision + 1;
               RETURN NULL;
           END $$"""
    )
    for table in _TABLES:
        op.execute(
            f"""CREATE TRIGGER {table}_revision AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION reference_data_changed()"""
        )


def downgrade() -> None:
    """Drops them."""
    for table in _TABLES:
        op.execute(f"DROP TRIGGER {table}_revision ON {table}")
    op.execute("DROP FUNCTION reference_data_changed()")
    op.execute("DROP TABLE reference_revision")
