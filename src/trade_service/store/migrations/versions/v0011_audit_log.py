"""The audit log, API keys that expire and are rotated, and how an operator's name is known.

Only additions: the previous release can still read and write everything. Its replicas know no expiry: they
accept an expired key until they are upgraded. Two keys may have one name while a rotation lasts.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

_UPGRADE = (
    """CREATE TABLE audit_log (
        at timestamptz NOT NULL DEFAULT now(),
        id bigint GENERATED ALWAYS AS IDENTITY,
        actor varchar(255) NOT NULL,
        known_by varchar(8) NOT NULL,
        address varchar(64),
        request_id varchar(128),
        action varchar(20) NOT NULL,
        object varchar(20) NOT NULL,
        object_ids integer[] NOT NULL DEFAULT '{}',
        trade_order_ids integer[] NOT NULL DEFAULT '{}',
        object_name varchar(100),
        details jsonb,
        PRIMARY KEY (at, id))""",
    """CREATE FUNCTION audit_log_refuses_changes() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
           RAISE EXCEPTION 'audit_log is append-only, % is refused', TG_OP
               USING ERRCODE = 'insufficient_privilege';
       END $$""",
    """CREATE TRIGGER audit_log_is_append_only
       BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
       FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuses_changes()""",
    """ALTER TABLE api_key
        ADD COLUMN label varchar(100),
        ADD COLUMN expires_at timestamptz,
        ADD COLUMN last_used_at timestamptz,
        ADD COLUMN replaced_by varchar(12)""",
    "DROP INDEX api_key_name_ndx",
    """CREATE UNIQUE INDEX api_key_name_ndx ON api_key (name)
        WHERE revoked_at IS NULL AND replaced_by IS NULL""",
    "ALTER TABLE submission_evidence ADD COLUMN actor_known_by varchar(8)",
)

_DOWNGRADE = (
    "ALTER TABLE submission_evidence DROP COLUMN actor_known_by",
    # The previous release knows no expiry: what has expired or was replaced must not come to life again.
    """UPDATE api_key SET revoked_at = least(coalesce(expires_at, now()), now())
        WHERE revoked_at IS NULL AND (replaced_by IS NOT NULL OR expires_at <= now())""",
    "DROP INDEX api_key_name_ndx",
    "CREATE UNIQUE INDEX api_key_name_ndx ON api_key (name) WHERE revoked_at IS NULL",
    """ALTER TABLE api_key
        DROP COLUMN replaced_by, DROP COLUMN last_used_at, DROP COLUMN expires_at, DROP COLUMN label""",
    "DROP TABLE audit_log",
    "DROP FUNCTION audit_log_refuses_changes()",
)


def upgrade() -> None:
    """Adds the table, its trigger and the columns."""
    for statement in _UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Drops them with all entries; keys that were replaced are revoked."""
    for statement in _DOWNGRADE:
        op.execute(statement)
