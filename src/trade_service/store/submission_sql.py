"""The statements of the submission path and of recovery, as PostgreSQL text.

They are written by hand since each does in one round trip what would otherwise be four: lock in id
order, change, journal, give back. Rows are locked before they are changed: unordered updates deadlock.

Tables that grow are looked into by ids (`id = ANY(...)`) rather than joined, where that says the same: the
plan of a prepared statement is kept, and one that was made while a table was small would join it whole. Never
both at once: the planner would take it for two conditions, expect one row, and loop over all of them for each.

Rows that are looked into by ids meet no other condition in the same scan where an index serves that condition:
they are read by ids in a materialized step, and chosen afterwards. Where nearly every execution has its id of
the Execution Service, `execution_service_id IS NULL` looks as if it matched nothing, and the planner would read
the whole table by the index on that column (decision 0022).
"""

from trade_service.domain.reference import WITHDRAWN_STATUSES

WITHDRAWN = ", ".join(f"'{status}'" for status in sorted(WITHDRAWN_STATUSES))
WITHDRAWN_IDS = f"ARRAY(SELECT id FROM execution_status WHERE abbreviation IN ({WITHDRAWN}))"
"""Statuses with which nothing is sent that was not on its way before; read once a statement."""

_BUDGET_LEFT_MS = """least(greatest(extract(epoch FROM e.give_up_at - now()) * 1000, 1), 2147483647)::int"""
"""What is left of a time budget that stops: never nothing, so that what waited gets a call afterwards."""

SETTLE = """
WITH locked AS MATERIALIZED (
    SELECT e.id, e.submission_state AS state, e.attempt_id, e.execution_service_id AS service_id,
           e.version, e.execution_status_id AS status_id
    FROM execution e
    WHERE e.id = ANY(cast(:ids AS int[]))
    ORDER BY e.id
    FOR NO KEY UPDATE
), before AS MATERIALIZED (
    SELECT l.*, t.state AS told_state, t.service_id AS told_service_id,
           CASE WHEN t.state = 'accepted'
                THEN l.state IS DISTINCT FROM 'accepted' OR l.service_id IS NULL
                ELSE l.attempt_id = :attempt_id AND l.state = :owned_as {fence}
           END AS changes,
           t.state = 'accepted' AND l.state IS DISTINCT FROM 'accepted' AS becomes_accepted
    FROM locked l
    JOIN unnest(cast(:ids AS int[]), cast(:states AS text[]), cast(:service_ids AS int[]))
        AS t(id, state, service_id) ON t.id = l.id
), after AS (
    UPDATE execution e
    SET submission_state = b.told_state,
        attempts_spent = e.attempts_spent - CASE WHEN b.told_state = 'accepted' THEN 0 ELSE :refund END,
        budget_ms = CASE WHEN :pauses_budget AND b.told_state IN ('retry', 'unknown') AND e.give_up_at IS NOT NULL
                         THEN {budget_left_ms} ELSE e.budget_ms END,
        give_up_at = CASE WHEN :pauses_budget AND b.told_state IN ('retry', 'unknown') THEN NULL
                          ELSE e.give_up_at END,
        execution_service_id = coalesce(b.told_service_id, e.execution_service_id),
        execution_status_id = CASE WHEN b.becomes_accepted AND e.execution_status_id = :status_new
                                   THEN :status_sent ELSE e.execution_status_id END,
        quantity_placed = CASE WHEN b.told_state = 'accepted' THEN e.quantity_ordered
                               ELSE e.quantity_placed END,
        version = e.version + CASE WHEN b.becomes_accepted THEN 1 ELSE 0 END
    FROM before b
    WHERE e.id = b.id AND b.changes
    RETURNING e.id, e.trade_order_id, e.submission_state AS state, e.execution_service_id AS service_id,
              e.quantity_ordered, b.state AS state_before
), moved AS MATERIALIZED (
    SELECT a.trade_order_id AS id,
           sum(CASE WHEN a.state IN ('rejected', 'exhausted') THEN -a.quantity_ordered
                    ELSE a.quantity_ordered END) AS quantity
    FROM after a
    WHERE (a.state IN ('rejected', 'exhausted')) <> (coalesce(a.state_before, '') IN ('rejected', 'exhausted'))
    GROUP BY a.trade_order_id
), orders AS MATERIALIZED (
    SELECT o.id
    FROM trade_order o
    WHERE o.id = ANY(ARRAY(SELECT id FROM moved))
    ORDER BY o.id
    FOR NO KEY UPDATE
), given_back AS (
    UPDATE trade_order o
    SET quantity_sent = o.quantity_sent + m.quantity,
        submitted = o.quantity - (o.quantity_sent + m.quantity) <= :submitted_when_left,
        version = o.version + 1
    FROM orders JOIN moved m ON m.id = orders.id
    WHERE o.id = orders.id
), attempt AS (
    UPDATE submission_attempt
    SET {attempt},
        -- An attempt that still owns something open stays open: what the fencing token kept from being
        -- settled, what a fill proved to be accepted before its id was known, and what nobody told about
        -- (which only a closing one has to search for).
        next_action_at = CASE
            WHEN EXISTS (SELECT FROM before b WHERE b.attempt_id = :attempt_id AND NOT b.changes
                         AND b.state IN ('queued', 'claimed', 'retry', 'unknown'))
            THEN coalesce(next_action_at, now())
            WHEN cast(:next_action_in_ms AS float8) IS NULL
                 AND EXISTS (SELECT FROM before b WHERE b.attempt_id = :attempt_id AND NOT b.changes
                             AND b.state = 'accepted' AND b.service_id IS NULL)
            THEN coalesce(next_action_at, now())
            WHEN cast(:next_action_in_ms AS float8) IS NULL
                 AND cardinality(execution_ids) > (SELECT count(*) FROM before)
                 AND EXISTS (SELECT FROM execution e
                             WHERE e.id = ANY(submission_attempt.execution_ids)
                               AND e.attempt_id = :attempt_id
                               AND (e.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
                                    OR e.submission_state = 'accepted' AND e.execution_service_id IS NULL)
                               AND e.id <> ALL(cast(:ids AS int[])))
            THEN coalesce(next_action_at, now())
            ELSE now() + cast(:next_action_in_ms AS float8) * interval '1 ms' END,
        finding_ids = finding_ids || CASE WHEN {news} THEN cast(:finding_ids AS int[]) END,
        finding_states = finding_states || CASE WHEN {news} THEN cast(:finding_states AS varchar[]) END,
        finding_codes = finding_codes || CASE WHEN {news} THEN cast(:finding_codes AS varchar[]) END,
        finding_messages = finding_messages || CASE WHEN {news} THEN cast(:finding_messages AS text[]) END
    WHERE id = :attempt_id
), evidence AS ({evidence}
)
-- The rows are ours since they were locked: what `before` says of them is what `after` made of them.
SELECT b.id, b.version + CASE WHEN b.becomes_accepted THEN 1 ELSE 0 END AS version,
       CASE WHEN b.becomes_accepted AND b.status_id = :status_new THEN :status_sent ELSE b.status_id END
           AS status_id,
       b.changes AS changed,
       CASE WHEN NOT b.changes THEN nullif(coalesce(b.state, 'none'), b.told_state) END AS other_state,
       CASE WHEN NOT b.changes OR b.told_service_id IS NULL
            THEN nullif(b.service_id, b.told_service_id) END AS other_service_id,
       nullif(coalesce(b.state, 'none'), :owned_as) AS other_state_before,
       CASE WHEN b.told_service_id <> b.service_id THEN b.service_id END AS duplicate_of
FROM before b
""".replace("{budget_left_ms}", _BUDGET_LEFT_MS)
