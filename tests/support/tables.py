"""All tables, declared once.

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

submission_attempt = sa.Table(
    "submission_attempt",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    # queued: a durable intent without a lease; sent: its call may be on the wire; answered: recorded.
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("owner", sa.String(80), nullable=False),
    sa.Column("execution_ids", ARRAY(sa.Integer), nullable=False),
    sa.Column("started_at", INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("lease_until", INSTANT),
    sa.Column("settle_ms", sa.Integer, nullable=False, server_default="0"),
    sa.Column("settle_from", INSTANT),
    sa.Column("floor_id", sa.Integer, nullable=False, server_default="0"),
    sa.Column("floor_void", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("top_id", sa.Integer),
    sa.Column("streak", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("adopted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("next_action_at", INSTANT),
    sa.Column("next_batch_size", sa.SmallInteger),
    sa.Column("observer", sa.String(80)),
    sa.Column("look_ups", sa.Integer, nullable=False, server_default="0"),
    sa.Column("closed_at", INSTANT),
    sa.Column("kind", sa.String(16)),
    sa.Column("code", sa.String(60)),
    sa.Column("message", sa.Text),
    sa.Column("http_status", sa.SmallInteger),
    sa.Column("duration_ms", sa.Integer),
    # The journal of what was found out, in order: everything but a plain acceptance.
    sa.Column("finding_ids", ARRAY(sa.Integer), nullable=False, server_default="{}"),
    sa.Column("finding_states", ARRAY(sa.String(9)), nullable=False, server_default="{}"),
    sa.Column("finding_codes", ARRAY(sa.String(60)), nullable=False, server_default="{}"),
    sa.Column("finding_messages", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("epoch", sa.Integer, nullable=False, server_default="1"),
    sa.Column("floor_execution_id", sa.BigInteger),
    sa.Column("retry_count", sa.SmallInteger, nullable=False, server_default="0"),
    # Since when it waits for the end of a pause.
    sa.Column("parked_at", INSTANT),
    # Query: TAKE_DUE, VOID_FLOORS.
    sa.Index(
        "submission_attempt_due_ndx",
        "next_action_at",
        postgresql_where=sa.text("next_action_at IS NOT NULL"),
    ),
    # Query: accepted (of the audit).
    sa.Index("submission_attempt_adopted_ndx", "id", postgresql_where=sa.text("adopted")),
    # Query: attempts_of.
    sa.Index(
        "submission_attempt_range_ndx",
        sa.text("(execution_ids[1])"),
        sa.text("(execution_ids[cardinality(execution_ids)])"),
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
    ),
    postgresql_with={"fillfactor": 80},
)

submission_pause = sa.Table(
    "submission_pause",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    # NULL: all destinations.
    sa.Column("destination_id", sa.Integer, sa.ForeignKey("destination.id", ondelete="CASCADE")),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("paused_by", sa.String(255), nullable=False),
    sa.Column("paused_at", INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Index("submission_pause_ndx", sa.text("COALESCE(destination_id, 0)"), unique=True),
)

downstream = sa.Table(
    "downstream",
    metadata,
    sa.Column("id", sa.SmallInteger, primary_key=True, server_default="1"),
    sa.Column("epoch", sa.Integer, nullable=False, server_default="1"),
    sa.Column("base_url", sa.Text),
    sa.Column("high_water_id", sa.Integer, nullable=False, server_default="0"),
    sa.Column("high_water_execution_id", sa.BigInteger),
    sa.Column("first_id", sa.Integer, nullable=False, server_default="0"),
    sa.Column("first_execution_id", sa.BigInteger),
    sa.Column("suspected_at", INSTANT),
    sa.Column("suspected_sign", sa.String(8)),
    sa.Column("suspicion", sa.Text),
    sa.Column("suspected_id", sa.Integer),
    sa.Column("suspected_execution_id", sa.Integer),
    sa.Column("blocked_at", INSTANT),
    sa.Column("blocked_reason", sa.Text),
    sa.Column("fills_checked_at", INSTANT),
    sa.Column("fills_offset", sa.Integer, nullable=False, server_default="0"),
    sa.CheckConstraint("id = 1", name="downstream_id_check"),
)

bulk_submission = sa.Table(
    "bulk_submission",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("created_at", INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("execution_ids", ARRAY(sa.Integer), nullable=False),
    # Places in execution_ids, from 0, in the order in which they were seen to be settled.
    sa.Column("settled", ARRAY(sa.Integer), nullable=False, server_default="{}"),
)

submitted_blotter = sa.Table(
    "submitted_blotter",
    metadata,
    sa.Column(
        "submission_id",
        UUID(as_uuid=False),
        sa.ForeignKey("bulk_submission.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    # Every row of the file, and what it became: MessagePack of trading.blotter_submissions.KeptBlotter.
    sa.Column("kept_rows", sa.LargeBinary, nullable=False),
)

submission_evidence = sa.Table(
    "submission_evidence",
    metadata,
    # What came to light, or was done by a person, beside the attempts. It outlives the execution's row.
    sa.Column("execution_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("found_at", INSTANT, nullable=False, server_default=sa.func.now()),
    # operator, answer, look_up, fill or books.
    sa.Column("source", sa.String(8), nullable=False),
    sa.Column("code", sa.String(60), nullable=False),
    sa.Column("attempt_id", UUID(as_uuid=False)),
    sa.Column("state_before", sa.String(9)),
    sa.Column("state", sa.String(9), nullable=False),
    sa.Column("service_id_before", sa.Integer),
    sa.Column("service_id", sa.Integer),
    sa.Column("actor", sa.String(80)),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("actor_known_by", sa.String(8)),
    # Query: PAGE_EVIDENCE.
    sa.Index("submission_evidence_found_ndx", "found_at", "id"),
)

archive_file = sa.Table(
    "archive_file",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    # executions, attempts, evidence, audit_log or bulk_submissions.
    sa.Column("kind", sa.String(20), nullable=False),
    # Its path in the archive folder.
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    sa.Column("row_count", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    # The least and the greatest execution that its rows are about.
    sa.Column("first_execution_id", sa.Integer),
    sa.Column("last_execution_id", sa.Integer),
    sa.Column("first_at", INSTANT, nullable=False),
    sa.Column("last_at", INSTANT, nullable=False),
    # Of attempts: the oldest life of the ledger that one was sent to; 0 for an attempt that knew none.
    sa.Column("oldest_epoch", sa.Integer),
    # When its rows left the database.
    sa.Column("removed_at", INSTANT, nullable=False, server_default=sa.func.now()),
)

replica = sa.Table(
    "replica",
    metadata,
    # As in submission_attempt.
    sa.Column("owner", sa.String(80), primary_key=True),
    sa.Column("started_at", INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("seen_at", INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("version", sa.String(40), nullable=False),
    # Of the command that it belongs to.
    sa.Column("workers", sa.Integer, nullable=False),
    # closed, open or half_open.
    sa.Column("circuit", sa.String(9), nullable=False),
    sa.Column("circuit_reason", sa.Text, nullable=False),
    sa.Column("circuit_since", INSTANT, nullable=False, server_default=sa.func.now()),
    # Why it sends nothing, where another reason than the circuit keeps it from sending.
    sa.Column("waits_for", sa.Text, nullable=False),
    postgresql_with={"fillfactor": FILL_FACTOR},
)

audit_run = sa.Table(
    "audit_run",
    metadata,
    # Made by the service; sorts by its time.
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    # database or both.
    sa.Column("book", sa.String(8), nullable=False),
    # RUNNING, CLEAN, FINDINGS or FAILED.
    sa.Column("status", sa.String(8), nullable=False),
    sa.Column("started_at", INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("started_by", sa.String(255), nullable=False),
    # The one that runs it, as in submission_attempt.
    sa.Column("replica", sa.String(80), nullable=False),
    # When it counts as failed unless the replica has renewed it.
    sa.Column("lease_until", INSTANT, nullable=False),
    sa.Column("finished_at", INSTANT),
    # How many of the ledger were compared so far.
    sa.Column("ledger_rows", sa.BigInteger),
    sa.Column("message", sa.Text, nullable=False, server_default=""),
    # An AuditReport.
    sa.Column("report", JSONB),
    sa.Index("audit_run_running_ndx", "status", unique=True, postgresql_where=sa.text("status = 'RUNNING'")),
)

archived_execution = sa.Table(
    "archived_execution",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("file_id", sa.Integer, sa.ForeignKey("archive_file.id", ondelete="RESTRICT"), nullable=False),
    sa.Column(
        "trade_order_id", sa.Integer, sa.ForeignKey("trade_order.id", ondelete="RESTRICT"), nullable=False
    ),
    sa.Column("execution_timestamp", INSTANT, nullable=False),
    sa.Column("trade_type", sa.String(10)),
    sa.Column("destination", sa.String(20), nullable=False),
    sa.Column("quantity_ordered", QUANTITY, nullable=False),
    sa.Column("submission_state", sa.String(9), nullable=False),
    sa.Column("execution_service_id", sa.Integer),
    sa.Column("is_legacy", sa.Boolean, nullable=False),
    # Query: EXECUTIONS_OF, REFUSED_ORDERS, ORDER_USE.
    sa.Index("archived_execution_order_ndx", "trade_order_id"),
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

REASON = """hashtextextended(state || ' ' || code || ' ' || regexp_replace(
    message, '[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+|[0-9][0-9][0-9][0-9]+', '…', 'g'), 0)"""

failed_execution = sa.Table(
    "failed_execution",
    metadata,
    # Rejected and exhausted executions. No foreign key: its triggers would run with every update of an execution.
    sa.Column("execution_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(9), nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("failed_at", INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column(
        "reason",
        sa.BigInteger,
        sa.Computed(REASON, persisted=True),
        nullable=False,
    ),
    # Query: ROWS_OF_REASON, GROUPS.
    sa.Index("failed_execution_reason_ndx", "reason", "failed_at", "execution_id"),
    # Query: ROWS.
    sa.Index("failed_execution_at_ndx", "failed_at", "execution_id"),
)

failed_execution_check = sa.Table(
    "failed_execution_check",
    metadata,
    sa.Column(
        "id", sa.SmallInteger, sa.CheckConstraint("id = 1"), primary_key=True, server_default=sa.text("1")
    ),
    sa.Column("next_id", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("due_at", INSTANT, nullable=False),
)

adopted_index = sa.Table(
    "adopted_index",
    metadata,
    # Secondary indexes of the legacy service that adoption dropped, kept so that a downgrade restores them.
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("definition", sa.Text, nullable=False),
)
