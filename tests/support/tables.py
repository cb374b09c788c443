"""Tables of orders, executions, reference data and callers, declared once; `submission_tables` has the others.

The first six are those of the database that users already have (schema `public`); what submission
needs is added to `execution` as nullable or defaulted columns and in tables of its own, so that the
legacy service can still read everything.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, UUID

metadata = sa.MetaData()

QUANTITY = sa.Numeric(18, 8)
INSTANT = TIMESTAMP(timezone=True)

FILL_FACTOR = 50
"""Storage of tables whose rows are updated soon after their insert (docs/decisions/0004)."""


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)


def _version() -> sa.Column[int]:
    return sa.Column("version", sa.Integer, nullable=False, server_default="1")


def _described(name: str, abbreviation_length: int) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        _id(),
        sa.Column("abbreviation", sa.String(abbreviation_length), nullable=False),
        sa.Column("description", sa.String(60), nullable=False),
        _version(),
    )


blotter = sa.Table(
    "blotter",
    metadata,
    _id(),
    sa.Column("abbreviation", sa.String(20), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    _version(),
)
trade_type = _described("trade_type", 10)
destination = _described("destination", 20)
execution_status = _described("execution_status", 20)

trade_order = sa.Table(
    "trade_order",
    metadata,
    _id(),
    sa.Column("order_id", sa.Integer, nullable=False),
    sa.Column("portfolio_id", sa.CHAR(24), nullable=False),
    sa.Column("order_type", sa.CHAR(10), nullable=False),
    sa.Column("security_id", sa.CHAR(24), nullable=False),
    sa.Column("quantity", QUANTITY, nullable=False),
    sa.Column("quantity_sent", QUANTITY, nullable=False, server_default="0"),
    sa.Column("limit_price", QUANTITY),
    sa.Column("trade_timestamp", INSTANT, nullable=False, server_default=sa.func.current_timestamp()),
    sa.Column("blotter_id", sa.Integer, sa.ForeignKey("blotter.id", ondelete="SET NULL")),
    sa.Column("submitted", sa.Boolean, server_default=sa.false()),
    _version(),
    # Query: INSERT_ORDERS, LOCK_ORDERS_BY_ORDER_ID, KNOWN_ORDERS.
    sa.Index("trade_order_order_id_ndx", "order_id", unique=True),
    # Query: lists by portfolio or security, and where the names of all of them are looked for.
    sa.Index("trade_order_portfolio_ndx", "portfolio_id", "id"),
    sa.Index("trade_order_security_ndx", "security_id", "id"),
    # Query: lists sorted by time.
    sa.Index("trade_order_timestamp_ndx", "trade_timestamp", "id"),
    # Query: lists sorted by quantity, by blotter and by order type.
    sa.Index("trade_order_quantity_ndx", "quantity", "id"),
    sa.Index("trade_order_blotter_ndx", "blotter_id", "id"),
    sa.Index("trade_order_type_ndx", "order_type", "id"),
    postgresql_with={"fillfactor": FILL_FACTOR},
)

execution = sa.Table(
    "execution",
    metadata,
    _id(),
    sa.Column("execution_timestamp", INSTANT, nullable=False, server_default=sa.func.current_timestamp()),
    sa.Column(
        "execution_status_id",
        sa.Integer,
        sa.ForeignKey("execution_status.id", ondelete="RESTRICT"),
        nullable=False,
    ),
    sa.Column("blotter_id", sa.Integer, sa.ForeignKey("blotter.id", ondelete="SET NULL")),
    sa.Column("trade_type_id", sa.Integer, sa.ForeignKey("trade_type.id", ondelete="SET NULL")),
    sa.Column(
        "trade_order_id", sa.Integer, sa.ForeignKey("trade_order.id", ondelete="RESTRICT"), nullable=False
    ),
    sa.Column(
        "destination_id", sa.Integer, sa.ForeignKey("destination.id", ondelete="RESTRICT"), nullable=False
    ),
    sa.Column("quantity_ordered", QUANTITY, nullable=False),
    sa.Column("quantity_placed", QUANTITY, nullable=False),
    sa.Column("quantity_filled", QUANTITY, nullable=False, server_default="0"),
    sa.Column("limit_price", QUANTITY),
    sa.Column("execution_service_id", sa.Integer),
    _version(),
    # What follows is this service's own. NULL in submission_state marks a row of the legacy service.
    sa.Column("submission_state", sa.String(9)),
    sa.Column("attempt_id", UUID(as_uuid=False)),
    sa.Column("attempts_spent", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("give_up_at", INSTANT),
    # What was left of the time budget when it stopped; NULL while it runs.
    sa.Column("budget_ms", sa.Integer),
    # Query: EXECUTIONS_OF, and whether an order that is to be deleted has any.
    sa.Index("execution_trade_order_ndx", "trade_order_id"),
    # Query: lists sorted by time.
    sa.Index("execution_timestamp_ndx", "execution_timestamp", "id"),
    # Query: lists by the Execution Service's id. Updates stay HOT with it, since PostgreSQL 16.
    sa.Index(
        "execution_service_ndx",
        "execution_service_id",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 128, "autosummarize": "on"},
    ),
    postgresql_with={"fillfactor": FILL_FACTOR},
)


def _names(table: str) -> sa.Table:
    """Names that other services gave for the ids in trade orders."""
    return sa.Table(
        table,
        metadata,
        sa.Column("id", sa.CHAR(24), primary_key=True),
        # NULL: that service said that there is no such id.
        sa.Column("name", sa.String(200)),
        sa.Column("fetched_at", INSTANT, nullable=False, server_default=sa.func.now()),
    )


portfolio_name = _names("portfolio_name")
security_name = _names("security_name")

idempotency_key = sa.Table(
    "idempotency_key",
    metadata,
    # Stands for the three that follow.
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("principal", sa.Text, nullable=False),
    # Method and route.
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("holder", UUID(as_uuid=False), nullable=False),
    sa.Column("running_until", INSTANT, nullable=False),
    sa.Column("expires_at", INSTANT, nullable=False),
    # What was made of the request; NULL only within the transaction that makes it.
    sa.Column("created", JSONB),
    # The final answer; NULL while there is none, or when it is too large to be kept.
    sa.Column("status", sa.SmallInteger),
    sa.Column("headers", JSONB),
    sa.Column("body", sa.LargeBinary),
    # Query: REMOVE_OLD_KEYS.
    sa.Index("idempotency_key_expires_ndx", "expires_at"),
    postgresql_with={"fillfactor": FILL_FACTOR},
)

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("name", sa.String(60), nullable=False),
    sa.Column("role", sa.String(8), nullable=False),
    # SHA-256 of the secret.
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("created_at", INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("revoked_at", INSTANT),
    sa.Column("label", sa.String(100)),
    sa.Column("expires_at", INSTANT),
    sa.Column("last_used_at", INSTANT),
    sa.Column("replaced_by", sa.String(12)),
    # Query: ACTIVE, ADD, REVOKE.
    sa.Index(
        "api_key_name_ndx",
        "name",
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL AND replaced_by IS NULL"),
    ),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    # Append-only: a trigger refuses anything but INSERT.
    sa.Column("at", INSTANT, primary_key=True, server_default=sa.func.now()),
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("actor", sa.String(255), nullable=False),
    # none, api-key, token or command.
    sa.Column("known_by", sa.String(8), nullable=False),
    sa.Column("address", sa.String(64)),
    sa.Column("request_id", sa.String(128)),
    sa.Column("action", sa.String(20), nullable=False),
    sa.Column("object", sa.String(20), nullable=False),
    sa.Column("object_ids", ARRAY(sa.Integer), nullable=False, server_default=sa.text("'{}'")),
    sa.Column("trade_order_ids", ARRAY(sa.Integer), nullable=False, server_default=sa.text("'{}'")),
    sa.Column("object_name", sa.String(100)),
    sa.Column("details", JSONB),
)

adopted_index = sa.Table(
    "adopted_index",
    metadata,
    # Secondary indexes of the legacy service that adoption dropped, kept so that a downgrade restores them.
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("definition", sa.Text, nullable=False),
)
