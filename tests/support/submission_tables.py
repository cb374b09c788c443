"""Tables of the submission and of what is kept about it, declared once; `metadata` has all tables."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from tests.support import tables
from tests.support.tables import FILL_FACTOR, INSTANT, QUANTITY

metadata = tables.metadata

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

reference_revision = sa.Table(
    "reference_revision",
    metadata,
    sa.Column(
        "id", sa.SmallInteger, sa.CheckConstraint("id = 1"), primary_key=True, server_default=sa.text("1")
    ),
    sa.Column("revision", sa.Integer, nullable=False, server_default=sa.text("1")),
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
