"""Evidence found beside the attempts, and what operators decided. Only an addition."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Creates the table of evidence."""
    op.execute(
        """CREATE TABLE submission_evidence (
            execution_id integer NOT NULL,
            id bigint GENERATED ALWAYS AS IDENTITY,
            found_at timestamptz NOT NULL DEFAULT now(),
            source varchar(8) NOT NULL,
            code varchar(60) NOT NULL,
            attempt_id uuid,
            state_before varchar(9),
            state varchar(9) NOT NULL,
            service_id_before integer,
            service_id integer,
            actor varchar(80),
            message text NOT NULL,
            PRIMARY KEY (execution_id, id))"""
    )


def downgrade() -> None:
    """Drops it and its rows."""
    op.execute("DROP TABLE submission_evidence")
