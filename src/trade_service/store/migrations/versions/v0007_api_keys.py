"""API keys: their names, roles and digests."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds the table."""
    op.execute(
        """CREATE TABLE api_key (
            id varchar(12) PRIMARY KEY,
            name varchar(60) NOT NULL,
            role varchar(8) NOT NULL,
            digest bytea NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            revoked_at timestamptz)"""
    )
    op.execute("CREATE UNIQUE INDEX api_key_name_ndx ON api_key (name) WHERE revoked_at IS NULL")


def downgrade() -> None:
    """Takes it away, with all keys."""
    op.execute("DROP TABLE api_key")
