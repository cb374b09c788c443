"""For lists: names that other services own, and indexes on columns that never change.

Only additions: the legacy service can still read and write everything.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

_NAMES = """CREATE TABLE {table} (
    id char(24) PRIMARY KEY,
    name varchar(200),
    fetched_at timestamptz NOT NULL DEFAULT now())"""

_UPGRADE = (
    _NAMES.format(table="portfolio_name"),
    _NAMES.format(table="security_name"),
    "CREATE INDEX trade_order_portfolio_ndx ON trade_order (portfolio_id, id)",
    "CREATE INDEX trade_order_security_ndx ON trade_order (security_id, id)",
    "CREATE INDEX trade_order_timestamp_ndx ON trade_order (trade_timestamp, id)",
    "CREATE INDEX execution_timestamp_ndx ON execution (execution_timestamp, id)",
)

_DOWNGRADE = (
    "DROP INDEX execution_timestamp_ndx",
    "DROP INDEX trade_order_timestamp_ndx",
    "DROP INDEX trade_order_security_ndx",
    "DROP INDEX trade_order_portfolio_ndx",
    "DROP TABLE security_name",
    "DROP TABLE portfolio_name",
)


def upgrade() -> None:
    """Adds the tables and indexes."""
    for statement in _UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Takes them away; names are asked for again."""
    for statement in _DOWNGRADE:
        op.execute(statement)
