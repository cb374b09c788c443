"""Every statement of the store with the values that its plan is tested with."""

from typing import Any

import msgspec

from tests.store.plan_rows import ATTEMPTS, BATCH, EACH, ORDERS

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
    "overview.waiting_for_person": Case(),
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
