"""Statements of the store whose plans are not tested, and why."""

from tests.store.statement_cases import HOT
from trade_service.store.statements import load

READS_EVERYTHING = {
    # Of the API keys, of which there are a few.
    *(f"api_keys.{name}" for name in load("api_keys")),
    # Of every open attempt, once in the life of the Execution Service's ledger.
    "downstream.begin_epoch",
    "operator.count_open",
    "operator.lock_open",
    "operator.unknowns",
    "operator.holder",
    "operator.first_attempts",
    "operator.find_failed",
    "operator.list_executions",
    "operator.attempts_of",
    "reports.balance",
    "reports.wrong_orders",
    "reports.accepted_without_id",
    "reports.stranded",
    "reports.idle_attempts",
    "reports.failed_differ",
    "failed_executions.groups",
    "failed_executions.count",
    "failed_executions.count_of_reason",
    "reports.archive_differs",
    "archive.search_order",
    "archive.search_service_id",
    # The small tables of reference data, and the large ones until a row that uses one is found. Every name, now
    # and then; the orders are passed over from one id to the next.
    *(f"reference.{name}" for name in load("reference") if f"reference.{name}" not in HOT),
    "orders.unsent_groups",
    # Of every open attempt.
    "pauses.stop_budgets",
    "pauses.wake",
    "reports.counts",
    "reports.states",
    # At most a thousand pages, and 20,000 rows.
    "overview.states",
    "overview.failed",
}
"""For people, who ask now and then."""

ONE_ROW = {
    *(f"downstream.{name}" for name in ("raise_high_water", "note_ledger", "suspect", "dismiss", "block")),
    "downstream.leave_gap",
    "operator.unblock",
    *(f"pauses.{name}" for name in ("list", "destinations", "pause", "lock", "resume")),
    "reports.pauses",
}
"""Of the table `downstream`, which has no other, of a sequence, or of the few pauses and destinations."""

NOT_A_QUERY = {
    *(f"migrate.{name}" for name in load("migrate")),
    # A trigger refuses it outside of archiving.
    "archive.remove_audit_log",
    # It inserts one row beside the one that it belongs to.
    "blotters.keep",
    # Of the server's sessions.
    "promises.refused_sessions",
}
