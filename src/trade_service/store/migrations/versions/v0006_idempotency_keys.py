"""Idempotency keys of requests, with the rows created and the answer given. Only additions."""

from alembic import op

revision = "0006"
down_revision = "0005"

_UPGRADE = (
    """CREATE TABLE idempotency_key (
        id bytea PRIMARY KEY,
        principal text NOT NULL,
        scope text NOT NULL,
        key text NOT NULL,
        fingerprint bytea NOT NULL,
        holder uuid NOT NULL,
        running_until timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        created jsonb,
        status smallint,
        headers jsonb,
        body bytea) WITH (fillfactor = 50)""",
    "CREATE INDEX idempotency_key_expires_ndx ON idempotency_key (expires_at)",
)


def upgrade() -> None:
    """Adds the table."""
    for statement in _UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Forgets all keys: repeats of what was asked before are new requests then."""
    op.execute("DROP TABLE idempotency_key")
