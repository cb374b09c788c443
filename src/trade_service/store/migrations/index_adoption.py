"""Dropping the earlier service's overlapping secondary indexes, remembered so that they can come back.

Measured on two cores: the submission path's two updates of 100 rows cost 12.8 ms with all of them and
3.5 ms without (docs/decisions/0004).
"""

import sqlalchemy as sa
from alembic import op

from trade_service.store.migrations import MigrationError

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


def adopt_indexes() -> None:
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


def restore_indexes() -> None:
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
