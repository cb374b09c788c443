"""Finding an execution by its id at the Execution Service, without an index entry for each.

Ids are given in the order in which executions are made, more or less, so a block-range index finds the few pages
that may have one. Since PostgreSQL 16 it leaves updates HOT; an older server goes without.
"""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds the index where it costs submission nothing."""
    op.execute(
        """DO $$ BEGIN
        IF current_setting('server_version_num')::int >= 160000 THEN
            CREATE INDEX execution_service_ndx ON execution USING brin (execution_service_id)
            WITH (pages_per_range = 32, autosummarize = on);
        END IF;
        END $$"""
    )


def downgrade() -> None:
    """Takes it away."""
    op.execute("DROP INDEX IF EXISTS execution_service_ndx")
