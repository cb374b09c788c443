"""Every statement of the store with the values that its plan is tested with, and the rows of those tests."""

from typing import Any

import msgspec

from trade_service.store.statements import load

ORDERS = 50_000


ATTEMPTS = 5_000


EACH = ORDERS // ATTEMPTS


BATCH = 100


ARCHIVE_FILE = """INSERT INTO archive_file (kind, name, row_count, sha256, first_at, last_at)
                  VALUES ('executions', 'a', 1, '', now(), now())"""


FILL = (
    f"""INSERT INTO trade_order
        (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, submitted)
        SELECT n, 'P' || n, 'BUY', 'S' || n, 10, 10, true FROM generate_series(1, {ORDERS}) n""",
    # Old ones are closed; of the newest, some wait for a look-up, some hold queued executions.
    f"""INSERT INTO submission_attempt (id, state, owner, execution_ids, next_action_at, floor_id)
        SELECT overlay('01900000-0000-7000-8000-000000000000' PLACING lpad(to_hex(a), 12, '0') FROM 25)::uuid,
               CASE WHEN a > {ATTEMPTS - 20} THEN 'queued' ELSE 'answered' END, 'one',
               array(SELECT generate_series((a - 1) * {EACH} + 1, a * {EACH})),
               CASE WHEN a > {ATTEMPTS - 50} THEN now() - interval '1 s' END, 5
        FROM generate_series(1, {ATTEMPTS}) a""",
    f"""INSERT INTO execution
        (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered, quantity_placed,
         submission_state, attempt_id, execution_service_id)
        SELECT 1, 1, n, 1, 10, 0,
               CASE WHEN n <= {ORDERS - 50 * EACH} THEN 'accepted' WHEN n <= {ORDERS - 20 * EACH} THEN 'unknown'
                    ELSE 'queued' END,
               overlay('01900000-0000-7000-8000-000000000000'
                       PLACING lpad(to_hex((n - 1) / {EACH} + 1), 12, '0') FROM 25)::uuid,
               CASE WHEN n <= {ORDERS - 50 * EACH} THEN n END
        FROM generate_series(1, {ORDERS}) n""",
    f"""INSERT INTO bulk_submission (id, execution_ids)
        SELECT overlay('01900000-0000-7000-8000-000000000000' PLACING lpad(to_hex(b), 12, '0') FROM 25)::uuid,
               array(SELECT generate_series({ORDERS} - b - {BATCH} + 1, {ORDERS} - b))
        FROM generate_series(1, 200) b""",
    # Earlier than the executions above, which the statements change.
    f"""INSERT INTO failed_execution (execution_id, state, code, message, failed_at)
        SELECT n, 'rejected', 'CODE ' || n % 10, 'message ' || n % 10, now() - n * interval '1 s'
        FROM generate_series(1, {ORDERS}) n""",
    "UPDATE failed_execution_check SET due_at = now()",
    ARCHIVE_FILE,
    f"""INSERT INTO archived_execution
        (id, file_id, trade_order_id, execution_timestamp, destination, quantity_ordered, submission_state,
         is_legacy)
        SELECT {10 * ORDERS} + n, 1, n, now(), 'ML', 10, 'accepted', false FROM generate_series(1, {ORDERS}) n""",
    """INSERT INTO idempotency_key
        (id, principal, scope, key, fingerprint, holder, running_until, expires_at)
        SELECT n::text::bytea, '', 'POST /a', 'key ' || n, '', gen_random_uuid(), now(),
               now() + (n - 2500) * interval '1 s'
        FROM generate_series(1, 5000) n""",
)


_UNKNOWN_FROM = ATTEMPTS - 50 + 1


_UNKNOWN = list(range(ORDERS - 50 * EACH + 1, ORDERS - 50 * EACH + 1 + BATCH))


_ACCEPTED = list(range(1, BATCH + 1))


_QUEUED = list(range(ORDERS - BATCH + 1, ORDERS + 1))


_OWNERS = [f"01900000-0000-7000-8000-{a:012x}" for a in range(_UNKNOWN_FROM, _UNKNOWN_FROM + BATCH // EACH)]


_FRESH = "01a00000-0000-7000-8000-000000000001"


_BULK = "01900000-0000-7000-8000-000000000007"


class Case(msgspec.Struct, frozen=True):
    """What a statement is run with."""

    values: dict[str, Any] = {}
    whole: frozenset[str] = frozenset()
    """Tables that it may read from end to end all the same."""


_OUTCOMES = {
    "ids": _UNKNOWN,
    "attempt_id": _OWNERS[0],
    "states": ["accepted", "rejected"] * (BATCH // 2),
    "service_ids": [ORDERS + i if i % 2 else None for i in range(1, BATCH + 1)],
    "owned_as": "unknown",
    "refund": 0,
    "status_new": 1,
    "status_sent": 2,
    "submitted_when_left": "0.01",
    "next_action_in_ms": None,
    **{f"finding_{what}": [] for what in ("ids", "states", "codes", "messages")},
}


_ANSWER = {"kind": "answered", "code": "OK", "message": "", "http_status": 207, "next_batch_size": None}


_CALLER = {"actor": "ann", "known_by": "api-key", "address": "::1", "request_id": "1", "is_audited": True}


_ATTEMPT = {"attempt_id": _FRESH, "owner": "one", "settle_ms": 1}


_EXECUTION = {
    **{
        f"{name}_id": 1
        for name in ("execution_status", "blotter", "trade_type", "trade_order", "destination")
    },
    "execution_service_id": 8,
    "quantity_ordered": 10,
    "quantity_placed": 10,
    "quantity_filled": 0,
    "limit_price": None,
    "submission_state": "accepted",
    "execution_timestamp": "2026-01-30 15:30Z",
}


_IDS = [f"S{n}" for n in range(BATCH)]


_NEW = {"status_new_name": "NEW"}


_SETTLED = {"settled_states": ["accepted", "exhausted", "none", "rejected"]}


_REASON = {"state": "rejected", "code": "CODE 7", "message": "message 7"}


_FAILED = {
    **dict.fromkeys(("before_at", "since", "until", "state", "code", "message")),
    "before_id": 0,
}


_AUDIT_PAGE = {
    **dict.fromkeys(("actor", "action", "object", "object_id", "before_at", "before_id", "since", "until")),
    "looked_at": 10,
}


HOT = {
    "submission.claim": Case(
        {"ids": _QUEUED, "claimable": ["none", "queued"], "give_up_after_ms": 1, "lease_ms": 1}
        | {"epoch": 1, "retry_count": 0, "counted": 1}
        | {"submitted_ids": _QUEUED, "request_ids": [None] * BATCH}
        | {name: ["a"] * BATCH for name in ("actors", "known_by", "addresses")}
        | _ATTEMPT
    ),
    "submission.record": Case(_OUTCOMES | _ANSWER | {"duration_ms": 3, "top_id": 4}),
    "submission.record_accepted": Case(_OUTCOMES | _ANSWER | {"duration_ms": 3, "top_id": 4}),
    "submission.record_look_up": Case(_OUTCOMES | {"epoch": 1}),
    "submission.take_due": Case({"owner": "one", "limit": 10, "hold_ms": 1, "grace_ms": 1}),
    "submission.under_way": Case({"limit": 10}),
    "submission.mark_lost": Case({"ids": _UNKNOWN, "attempt_ids": _OWNERS}),
    "submission.open_items": Case({"ids": _UNKNOWN, "attempt_ids": _OWNERS}),
    "submission.states": Case({"ids": _UNKNOWN}),
    "submission.postpone": Case({"attempt_id": _OWNERS[0], "delay_ms": 1}),
    "submission.park": Case({"attempt_ids": _OWNERS, "wait_ms": 1}),
    "pauses.waiting": Case({"attempts": 10}),
    "submission.pause_budgets": Case({"attempt_id": _OWNERS[0]}),
    "downstream.read": Case(),
    "downstream.held_as_unsent": Case({"ids": _UNKNOWN}),
    "downstream.advance": Case({"beyond": 1, "since_s": 0.0, "reason": "why"}),
    "submission.adopt": Case({"ids": _QUEUED, "status_new": 1} | _ATTEMPT),
    "orders.get_order": Case({"id": 7}),
    "orders.lock_orders": Case({"ids": _QUEUED}),
    "orders.lock_orders_by_order_id": Case({"order_ids": _QUEUED}),
    "orders.executions_of": Case({"ids": _QUEUED}),
    "orders.insert_orders": Case(
        {"order_ids": [ORDERS + n for n in range(BATCH // 2, 3 * BATCH // 2)]}
        | {name: ["1"] * BATCH for name in ("portfolio_ids", "order_types", "security_ids", "quantities")}
        | {name: [None] * BATCH for name in ("limit_prices", "trade_timestamps", "blotter_ids")}
        | _CALLER
    ),
    "orders.write_slices": Case(
        {"order_ids": _QUEUED, "quantities": [1] * BATCH, "quantities_sent": [10] * BATCH}
        | {"submitted": [True] * BATCH, "limit_prices": [None] * BATCH}
        | {f"{name}_ids": [1] * BATCH for name in ("status", "blotter", "trade_type", "destination")}
        | {"queued_attempt_id": _FRESH, "owner": "one", "grace_ms": 1}
        | _CALLER
    ),
    "orders.slice_and_claim": Case(
        {"order_ids": _QUEUED, "quantities": [1] * BATCH, "destination_ids": [1] * BATCH}
        | {"attempt_id": _FRESH, "owner": "one", "lease_ms": 1, "settle_ms": 1, "epoch": 1}
        | {"give_up_after_ms": 1, "counted": 0, "submitted_when_left": "0.01", "status_id": 1}
        | {"type_names": ["BUY"], "type_ids": [1], "asked_by": [1] * BATCH, "each_alone": False}
        | {"actors": ["one"], "known_by": ["none"], "addresses": [None], "request_ids": [None]}
        | {"is_audited": True}
    ),
    "executions.read": Case({"ids": _QUEUED} | _NEW),
    "executions.enqueue": Case(
        {"ids": _QUEUED, "attempt_id": _FRESH, "owner": "one", "grace_ms": 1} | _CALLER
    ),
    "executions.fill": Case(
        {"id": _UNKNOWN[0], "version": 1, "quantity_filled": 1, "status_id": 5, "look_up_id": _FRESH}
        | {"owner": "one", "settle_ms": 1, "submitted_when_left": "0.01"}
        | _NEW
        | _CALLER
    ),
    "downstream.begin_check": Case({"every_s": 1}),
    "downstream.end_check": Case({"offset": 100}),
    "downstream.held": Case({"ids": _UNKNOWN}),
    "downstream.store_fetched": Case(
        {"ids": _ACCEPTED, "service_ids": _ACCEPTED, "versions": [1] * BATCH, "status_ids": [5] * BATCH}
        | {"quantities": [1] * BATCH, "messages": ["why"] * BATCH}
    ),
    "downstream.new_refusals": Case({"ids": _UNKNOWN, "service_ids": _UNKNOWN, "messages": ["why"] * BATCH}),
    "downstream.note_refused": Case({"ids": _UNKNOWN, "service_ids": _UNKNOWN, "messages": ["why"] * BATCH}),
    "bulk.begin": Case(
        {"id": _FRESH, "ids": _QUEUED, "attempt_ids": [_FRESH], "attempt_size": BATCH, "owner": "one"}
        | {"grace_ms": 0}
        | _CALLER
    ),
    "audit_log.add": Case(
        {"action": "create", "object": "tradeOrder", "object_ids": [1], "trade_order_ids": []}
        | {"object_name": None, "details": "{}"}
        | _CALLER
    ),
    "audit_log.page": Case(_AUDIT_PAGE | {"limit": 10, "shown": 10}),
    "audit_log.last_looked_at": Case(_AUDIT_PAGE),
    "reports.backlog": Case({"attempts": 10}),
    "overview.calls": Case(
        {"starts": [1], "lows": [_OWNERS[0]], "highs": [_OWNERS[-1]], "latency_steps": 20}
    ),
    "overview.open_attempts": Case({"attempts": BATCH, "overdue_s": 30}),
    "overview.waiting_for_person": Case({"attempts": 10}),
    "overview.ledger": Case(),
    "overview.pages": Case(),
    "audit_runs.start": Case(
        {"id": _FRESH, "book": "both", "started_by": "", "replica": "one", "lease_s": 1}
    ),
    "audit_runs.renew": Case({"id": _FRESH, "ledger_rows": 1, "lease_s": 1}),
    "audit_runs.finish": Case(
        {"id": _FRESH, "status": "CLEAN", "ledger_rows": 1, "message": "", "report": None}
    ),
    "audit_runs.end_lost": Case(),
    "audit_runs.remove_old": Case({"kept": 5}),
    "audit_runs.get": Case({"id": _FRESH}),
    "audit_runs.page": Case({"before": None, "limit": 10}),
    "overview.beat": Case(
        {
            "owner": "one",
            "version": "1",
            "workers": 1,
            "circuit": "closed",
            "circuit_reason": "",
            "waits_for": "",
        }
    ),
    "overview.leave": Case({"owner": "one", "forget_s": 1}),
    "overview.circuits": Case({"alive_s": 1}),
    "overview.replicas": Case({"within_s": 10, "attempts": BATCH, "listed_s": 1, "alive_s": 1}),
    "bulk.execution_ids": Case({"id": _BULK}),
    "reports.tries": Case({"ids": _QUEUED, "give_up_after_ms": 1, "skew_ms": 1, "limit": 10}),
    "bulk.progress": Case({"id": _BULK} | _SETTLED),
    "bulk.page": Case({"before": None, "limit": 1, "most_executions": 10_000} | _SETTLED),
    "bulk.older": Case({"id": _BULK}),
    "bulk.items": Case({"id": _BULK, "places": list(range(BATCH))}),
    "bulk.lock_settled": Case({"id": _BULK}),
    "bulk.note_settled": Case({"id": _BULK} | _SETTLED),
    "bulk.settled_since": Case({"id": _BULK, "seen": 0, "limit": BATCH}),
    "bulk.attempts": Case({"id": _BULK, "after": _OWNERS[-1], "limit": 10}),
    "bulk.remove_old": Case({"keep_s": 0, "limit": BATCH}),
    "changes.lock_execution": Case({"id": 7} | _NEW),
    "changes.insert_execution": Case(_EXECUTION),
    "changes.update_execution": Case(_EXECUTION | {"id": 7}),
    "changes.delete_execution": Case({"id": 7}),
    "changes.move_quantities": Case({"ids": [7, 8], "quantities_sent": [1, 2], "submitted": [False] * 2}),
    "changes.order_use": Case({"id": 7} | _NEW),
    "changes.update_order": Case(
        {"id": 7, "order_id": 7, "blotter_id": 2, "quantity": 1, "limit_price": None, "submitted": False}
        | {"portfolio_id": "P", "order_type": "BUY", "security_id": "S"}
        | {"trade_timestamp": "2026-01-30 15:30Z"}
    ),
    "changes.move_orders": Case({"ids": _QUEUED, "blotter_id": 3}),
    "changes.delete_order": Case({"id": 0}),
    "operator.cases": Case({"ids": _UNKNOWN} | _NEW),
    "operator.one_resolution_of_a_service_id": Case({"key": 1, "service_id": 7}),
    "operator.lock": Case({"ids": _UNKNOWN}),
    "operator.resolve": Case(
        _OUTCOMES | {"actor": "ann", "actor_known_by": "none", "reason": "why", "code": "RESOLVED"}
    ),
    "operator.ended": Case({"ids": _UNKNOWN} | _NEW),
    "operator.requeue": Case(
        {"ids": _UNKNOWN, "attempt_ids": [_FRESH] * BATCH, "floor_ids": [0] * BATCH, "settle_ms": [0] * BATCH}
        | {
            "epochs": [1] * BATCH,
            "settle_from": [None] * BATCH,
            "actor": "ann",
            "actor_known_by": "none",
            "reason": "why",
        }
        | {"order_ids": _UNKNOWN, "quantities_sent": [10] * BATCH, "submitted": [True] * BATCH}
    ),
    "operator.recover": Case(
        {"ids": _UNKNOWN, "leases": [None] * BATCH, "attempt_id": _FRESH, "adopted": False, "settle_ms": 1}
        | {"actor": "ann", "actor_known_by": "none", "reason": "why"}
    ),
    "failed_executions.places": Case(_FAILED | {"looked_at": 2 * BATCH, "limit": BATCH}),
    "failed_executions.last_looked_at": Case(_FAILED | {"looked_at": 2 * BATCH}),
    "failed_executions.places_of_reason": Case(_FAILED | _REASON | {"limit": BATCH}),
    "failed_executions.rows": Case(_FAILED | {"ids": _ACCEPTED}),
    "evidence.page": Case(_FAILED | {"looked_at": 2 * BATCH, "limit": BATCH}),
    "evidence.last_looked_at": Case(_FAILED | {"looked_at": 2 * BATCH}),
    "evidence.page_of_execution": Case(_FAILED | {"execution_id": 7, "limit": BATCH}),
    "failed_executions.check": Case({"limit": BATCH}),
    "operator.executions_of_order": Case({"order_id": 7, "limit": 10}),
    "operator.follow": Case({"id": _FRESH, "ids": _UNKNOWN}),
    "operator.evidence_of": Case({"id": 7, "limit": BATCH}),
    "orders.get_orders": Case({"ids": _QUEUED}),
    "executions.reasons": Case({"ids": _QUEUED}),
    "executions.existing": Case({"ids": _QUEUED}),
    "request_keys.insert_key": Case(
        {"id": "new", "principal": "", "scope": "", "key": "", "fingerprint": "", "holder": _FRESH}
        | {"lease_ms": 1, "keep_s": 1}
    ),
    "request_keys.note_created": Case({"id": "7", "created": "{}"}),
    "request_keys.free_key": Case({"id": "7"}),
    "request_keys.find_key": Case({"id": "7"}),
    "request_keys.take_over_key": Case({"id": "7", "holder": _FRESH, "lease_ms": 1}),
    "request_keys.keep_answer": Case(
        {"id": "7", "holder": _FRESH, "status": 201, "headers": "{}", "body": ""}
    ),
    "request_keys.let_go_key": Case({"id": "7", "holder": _FRESH}),
    "request_keys.remove_old_keys": Case({"limit": BATCH}),
    "orders.known_orders": Case({"order_ids": _QUEUED}),
    "orders.refused_orders": Case({"ids": _QUEUED}),
    "orders.never_submitted": Case(
        {"after": 5, "limit": BATCH, "max_quantity": None, "max_value": None, "needs_price": False}
    ),
    "reports.own": Case({"ids": _QUEUED}),
    "reports.accepted": Case({"after": 5, "limit": BATCH}),
    "reference.known_names": Case({"portfolio_ids": _IDS, "security_ids": _IDS}),
    "reference.remember_portfolio": Case({"ids": _IDS, "names": _IDS}),
    "reference.remember_security": Case({"ids": _IDS, "names": _IDS}),
    "reference.load": Case(),
    "reports.server": Case(),
    "promises.promises": Case(),
    "blotters.read": Case({"id": _BULK}),
}


_OLD = {
    "after_at": "0001-01-01 00:00Z",
    "before": "2100-01-01 00:00Z",
    "final_statuses": ["FULL"],
    "newest": 10,
}


_OLD_IDS = {"after_id": "00000000-0000-0000-0000-000000000000", "before_id": _FRESH} | _OLD


_TIMES = {"first_at": "2026-01-30 15:30Z", "last_at": "2026-01-30 15:31Z", "ids": ["7"]}


HOT |= {
    "archive.alone": Case({"key": 7}),
    "archive.cutoff": Case({"keep_days": 1, "skew_ms": 1}),
    "archive.place": Case(),
    "archive.utc": Case(),
    "archive.page_executions": Case(_OLD | {"after_id": "0", "limit": BATCH}),
    "archive.lock_executions": Case(_OLD | {"ids": _ACCEPTED}),
    "archive.remove_executions": Case({"ids": _ACCEPTED, "file_id": 1}),
    "archive.page_attempts": Case(_OLD_IDS | {"limit": 10}),
    "archive.lock_attempts": Case(_OLD | {"ids": _OWNERS}),
    "archive.remove_attempts": Case({"ids": _OWNERS}),
    "archive.page_bulk_submissions": Case(_OLD_IDS | {"limit": 2}),
    "archive.lock_bulk_submissions": Case(_OLD | {"ids": [_BULK]}),
    "archive.remove_bulk_submissions": Case({"ids": [_BULK]}),
    "archive.page_evidence": Case(_OLD | {"after_id": "0", "limit": BATCH}),
    "archive.lock_evidence": Case(_OLD | _TIMES),
    "archive.remove_evidence": Case(_TIMES),
    "archive.page_audit_log": Case(_OLD | {"after_id": "0", "limit": BATCH}),
    "archive.lock_audit_log": Case(_OLD | _TIMES),
    "archive.register": Case(
        {"kind": "attempts", "name": "b", "rows": 1, "sha256": ""}
        | {"first_at": "2026-01-30 15:30Z", "last_at": "2026-01-30 15:30Z"}
    ),
    "archive.files": Case({"after": 0, "limit": 10}),
    "archive.known_executions": Case({"ids": _ACCEPTED, "name": "a"}),
    "executions.archived_in": Case({"id": 7}),
    "submission.archived": Case({"ids": _ACCEPTED}),
}


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
