"""What submission needs, and the adoption of rows that the legacy service wrote.

Only additions: the legacy service can still read and write everything.
"""

import sqlalchemy as sa
from alembic import op

from trade_service.store.migrations import MigrationError
from trade_service.store.migrations.earlier_schema import catch_up_sequences

revision = "0002"
down_revision = "0001"

_UPGRADE = (
    # A constant default is stored once for all old rows (PostgreSQL >= 11): no rewrite of a big table.
    # Without it from then on, NULL marks a row that another program wrote.
    """ALTER TABLE execution
        ADD COLUMN submission_state varchar(9) DEFAULT 'accepted',
        ADD COLUMN attempt_id uuid,
        ADD COLUMN attempts_spent smallint NOT NULL DEFAULT 0,
        ADD COLUMN give_up_at timestamptz""",
    "ALTER TABLE execution ALTER COLUMN submission_state DROP DEFAULT",
    "ALTER TABLE execution SET (fillfactor = 50)",
    "ALTER TABLE trade_order SET (fillfactor = 50)",
    """CREATE TABLE submission_attempt (
        id uuid PRIMARY KEY,
        state varchar(8) NOT NULL,
        owner varchar(80) NOT NULL,
        execution_ids integer[] NOT NULL,
        started_at timestamptz NOT NULL DEFAULT now(),
        lease_until timestamptz,
        settle_ms integer NOT NULL DEFAULT 0,
        settle_from timestamptz,
        floor_id integer NOT NULL DEFAULT 0,
        floor_void boolean NOT NULL DEFAULT false,
        top_id integer,
        streak smallint NOT NULL DEFAULT 0,
        adopted boolean NOT NULL DEFAULT false,
        next_action_at timestamptz,
        next_batch_size smallint,
        observer varchar(80),
        look_ups integer NOT NULL DEFAULT 0,
        closed_at timestamptz,
        kind varchar(16),
        code varchar(60),
        message text,
        http_status smallint,
        duration_ms integer,
        finding_ids integer[] NOT NULL DEFAULT '{}',
        finding_states varchar(9)[] NOT NULL DEFAULT '{}',
        finding_codes varchar(60)[] NOT NULL DEFAULT '{}',
        finding_messages text[] NOT NULL DEFAULT '{}') WITH (fillfactor = 80)""",
    """CREATE INDEX submission_attempt_due_ndx ON submission_attempt (next_action_at)
        WHERE next_action_at IS NOT NULL""",
    "CREATE TABLE adopted_index (name varchar(63) PRIMARY KEY, definition text NOT NULL)",
)

# Ids of attempts sort by the time of their making (UUID version 7), here as everywhere. The settle time
# is twice the default read time-out of the legacy service.
_ADOPT = """
WITH unproven AS MATERIALIZED (
    SELECT e.id, (row_number() OVER (ORDER BY e.id) - 1) / 1000 AS chunk
    FROM execution e
    JOIN execution_status s ON s.id = e.execution_status_id
    WHERE e.execution_service_id IS NULL AND e.quantity_placed <= 0 AND s.abbreviation = 'NEW'
), attempt AS MATERIALIZED (
    SELECT chunk, array_agg(id ORDER BY id) AS execution_ids,
           overlay(overlay(replace(gen_random_uuid()::text, '-', '')
               PLACING lpad(to_hex(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
               FROM 1 FOR 12) PLACING '7' FROM 13 FOR 1)::uuid AS id
    FROM unproven
    GROUP BY chunk
), journal AS (
    INSERT INTO submission_attempt
        (id, state, owner, execution_ids, settle_ms, settle_from, floor_id, adopted, next_action_at,
         closed_at, kind, code, message)
    SELECT id, 'answered', 'adoption', execution_ids, 60000, now(), 0, true, now(),
           now(), 'lost', 'TAKEN_OVER', 'rows of the legacy service whose outcome is unknown'
    FROM attempt
)
UPDATE execution e
SET submission_state = 'unknown', attempt_id = a.id
FROM unproven u
JOIN attempt a ON a.chunk = u.chunk
WHERE e.id = u.id
"""

_OPEN = """
SELECT count(*)
FROM execution e
LEFT JOIN submission_attempt a ON a.id = e.attempt_id
WHERE e.submission_state IN ('queued', 'claimed', 'retry', 'unknown') AND a.adopted IS NOT TRUE
"""

_DOWNGRADE = (
    "DROP TABLE adopted_index",
    "DROP TABLE submission_attempt",
    """ALTER TABLE execution
        DROP COLUMN submission_state,
        DROP COLUMN attempt_id,
        DROP COLUMN attempts_spent,
        DROP COLUMN give_up_at""",
    "ALTER TABLE execution RESET (fillfactor)",
    "ALTER TABLE trade_order RESET (fillfactor)",
)

# The legacy service's secondary indexes overlap. Measured on two cores: the submission path's two updates of 100
# rows cost 12.8 ms with all of them and 3.5 ms without (docs/decisions/0004). The dropped ones can come back.
_SECONDARY = """
SELECT i.indexrelid::regclass::text AS name, c.relname, pg_get_indexdef(i.indexrelid) AS definition,
       i.indisvalid AS valid
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid IN (to_regclass('execution'), to_regclass('trade_order'))
  AND NOT i.indisprimary
  AND NOT i.indisunique
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
ORDER BY c.relname
"""

_UNIQUE_ORDER_ID = """
SELECT count(*)
FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = to_regclass('trade_order')
  AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = 1
  AND a.attname = 'order_id'
"""


def upgrade() -> None:
    """Adds columns and tables, thins out the indexes, and sorts old rows into accepted and unknown."""
    _lock()
    for statement in _UPGRADE:
        op.execute(statement)
    op.execute(sa.text(_ADOPT))
    catch_up_sequences(op.get_bind())
    _adopt_indexes()


def downgrade() -> None:
    """Takes away what `upgrade` added and restores the indexes; refused while outcomes are open.

    Raises:
        MigrationError: executions are queued, under way or unknown; the knowledge of them would be lost.
    """
    _lock()
    still_open = op.get_bind().scalar(sa.text(_OPEN))
    if still_open:
        raise MigrationError(
            f"{still_open} executions are still queued, under way or unknown, and the legacy service could "
            "not tell: nothing was changed. Let the service settle them first"
        )
    _restore_indexes()
    for statement in _DOWNGRADE:
        op.execute(statement)


def _lock() -> None:
    """Both tables at once and before anything else: nobody is waited for half way through."""
    op.execute("LOCK TABLE execution, trade_order IN ACCESS EXCLUSIVE MODE")


def _adopt_indexes() -> None:
    """Keeps what a constraint or uniqueness needs, saves and drops the rest, adds what our queries need."""
    for name, relname, definition, valid in op.get_bind().execute(sa.text(_SECONDARY)).all():
        if valid:
            saved = sa.text("INSERT INTO adopted_index (name, definition) VALUES (:name, :definition)")
            op.execute(saved.bindparams(name=relname, definition=definition))
        op.execute(f"DROP INDEX {name}")
    op.execute("CREATE INDEX execution_trade_order_ndx ON execution (trade_order_id)")
    if not op.get_bind().scalar(sa.text(_UNIQUE_ORDER_ID)):
        _check_order_ids()
        op.execute("CREATE UNIQUE INDEX trade_order_order_id_ndx ON trade_order (order_id)")


def _restore_indexes() -> None:
    """Drops ours and creates the saved ones again. The unique index on order_id stays, whosever it is."""
    op.execute("DROP INDEX execution_trade_order_ndx")
    saved = op.get_bind().execute(
        sa.text("SELECT quote_ident(name), definition FROM adopted_index ORDER BY name")
    )
    for name, definition in saved.all():
        op.execute(f"DROP INDEX IF EXISTS {name}")
        op.execute(sa.text(definition.replace(":", r"\:")))


def _check_order_ids() -> None:
    twice = op.get_bind().execute(
        sa.text("SELECT order_id FROM trade_order GROUP BY order_id HAVING count(*) > 1 ORDER BY 1 LIMIT 5")
    )
    ids = [str(order_id) for order_id in twice.scalars()]
    if ids:
        raise MigrationError(
            f"trade_order has order_id {', '.join(ids)} more than once, and it must be unique: nothing was "
            "changed. Give those orders different ids first"
        )
