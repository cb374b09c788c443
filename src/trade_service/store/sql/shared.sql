-- Fragments that several files use.

-- fragment: audit
-- An entry of the audit log, up to who and from where: action, object, object_ids, trade_order_ids, object_name and
-- details have to follow.
INSERT INTO audit_log
    (actor, known_by, address, request_id, action, object, object_ids, trade_order_ids, object_name, details)
SELECT :actor::text, :known_by::text, left(:address::text, 64), :request_id::text

-- fragment: withdrawn
-- Statuses with which nothing is sent that was not on its way before, as in domain.reference.WITHDRAWN_STATUSES.
'CNCL', 'CNCLD', 'DEL', 'HOLD'

-- fragment: withdrawn_ids
-- Read once a statement.
ARRAY(SELECT id FROM execution_status WHERE abbreviation IN ({withdrawn}))

-- fragment: paused
-- The destinations to which nothing is sent; 0 stands for all, NULL is none. Read once a statement.
SELECT array_agg(coalesce(destination_id, 0)) AS ids FROM submission_pause

-- fragment: reference_revision
-- Lets a process notice that its copy of the reference data is older than the row.
(SELECT revision FROM reference_revision WHERE id = 1) AS reference_revision

-- fragment: order_columns
-- In the order of the fields of TradeOrder.
o.id, o.order_id, rtrim(o.portfolio_id), rtrim(o.order_type), rtrim(o.security_id), o.quantity,
o.quantity_sent, o.limit_price, o.trade_timestamp, o.blotter_id, coalesce(o.submitted, false), o.version

-- fragment: execution_columns
-- In the order of the fields of Execution; the last of them, the submission state, has to follow.
e.id, e.execution_timestamp, e.execution_status_id, e.blotter_id, e.trade_type_id, e.trade_order_id,
e.destination_id, e.quantity_ordered, e.quantity_placed, e.quantity_filled, e.limit_price,
e.execution_service_id, e.version

-- fragment: state_shown
-- A legacy row that is not adopted yet shows the state that its adoption will give it.
coalesce(e.submission_state, CASE
    WHEN e.execution_service_id IS NOT NULL OR e.quantity_placed > 0 OR s.abbreviation <> :status_new_name
    THEN 'accepted' ELSE 'unknown' END)

-- fragment: reasons
-- Why an execution is in its state: an operator's resolution `v`, else the last finding `f` about it, else the outcome
-- of its attempt `a`.
LEFT JOIN LATERAL (SELECT * FROM submission_attempt t WHERE t.id = e.attempt_id OFFSET 0) a ON true
LEFT JOIN LATERAL (
    SELECT f.code, f.message
    FROM unnest(a.finding_ids, a.finding_codes, a.finding_messages) WITH ORDINALITY AS f(id, code, message, place)
    WHERE f.id = e.id
    ORDER BY f.place DESC
    LIMIT 1
) f ON true
LEFT JOIN LATERAL (
    SELECT v.code, v.message FROM submission_evidence v
    WHERE v.execution_id = e.id AND v.attempt_id = e.attempt_id AND v.code = 'RESOLVED'
    ORDER BY v.id DESC
    LIMIT 1
) v ON true

-- fragment: reason_shown
-- What is accepted, or was never submitted, needs no reason.
CASE WHEN e.submission_state IN ('rejected', 'exhausted')
     THEN coalesce((SELECT x.code FROM failed_execution x WHERE x.execution_id = e.id), v.code, f.code, a.code, '')
     WHEN e.submission_state NOT IN ('accepted', 'none') THEN coalesce(v.code, f.code, a.code, '')
     ELSE '' END

-- fragment: budget_left_ms
-- What is left of a time budget that stops: never nothing, so that an execution that waited still gets a call.
least(greatest(extract(epoch FROM e.give_up_at - {budget_runs_until}) * 1000, 1), 2147483647)::int

-- fragment: budget_runs_until
-- While the execution's destination is paused, its time budget stands still.
least(now(), (SELECT min(p.paused_at) FROM submission_pause p
              WHERE p.destination_id IS NULL OR p.destination_id = e.destination_id))

-- fragment: settled
-- The outcomes applied to executions and orders. It starts inside of WITH, after a `gate` with `is_open`.
locked AS MATERIALIZED (
    SELECT e.id, e.submission_state AS state, e.attempt_id, e.execution_service_id AS service_id,
           e.version, e.execution_status_id AS status_id
    FROM execution e
    WHERE e.id = ANY(:ids::text::int[])
    ORDER BY e.id
    FOR NO KEY UPDATE
), before AS MATERIALIZED (
    SELECT l.*, t.state AS new_state, t.service_id AS new_service_id,
           CASE WHEN t.state = 'accepted'
                THEN l.state IS DISTINCT FROM 'accepted' OR l.service_id IS NULL
                ELSE l.attempt_id = :attempt_id AND l.state = :owned_as AND (SELECT is_open FROM gate)
           END AS changes,
           t.state = 'accepted' AND l.state IS DISTINCT FROM 'accepted' AS becomes_accepted
    FROM locked l
    JOIN unnest(:ids::text::int[], :states::text::text[], :service_ids::text::int[])
        AS t(id, state, service_id) ON t.id = l.id
), after AS (
    UPDATE execution e
    SET submission_state = b.new_state,
        attempts_spent = e.attempts_spent - CASE WHEN b.new_state = 'accepted' THEN 0 ELSE :refund END,
        budget_ms = CASE WHEN :pauses_budget AND b.new_state IN ('retry', 'unknown') AND e.give_up_at IS NOT NULL
                         THEN {budget_left_ms} ELSE e.budget_ms END,
        give_up_at = CASE WHEN :pauses_budget AND b.new_state IN ('retry', 'unknown') THEN NULL
                          ELSE e.give_up_at END,
        execution_service_id = coalesce(b.new_service_id, e.execution_service_id),
        execution_status_id = CASE WHEN b.becomes_accepted AND e.execution_status_id = :status_new
                                   THEN :status_sent ELSE e.execution_status_id END,
        quantity_placed = CASE WHEN b.new_state = 'accepted' THEN e.quantity_ordered
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
), failed AS (
    -- `failed_execution` holds the executions that are rejected or exhausted, and no others.
    INSERT INTO failed_execution (execution_id, state, code, message)
    SELECT a.id, a.state,
           coalesce((:finding_codes::varchar[])[array_position(:finding_ids::int[], a.id)], ''),
           coalesce((:finding_messages::text[])[array_position(:finding_ids::int[], a.id)], '')
    FROM after a
    WHERE a.state IN ('rejected', 'exhausted')
    ON CONFLICT (execution_id) DO UPDATE
    SET state = excluded.state, code = excluded.code, message = excluded.message, failed_at = excluded.failed_at
), corrected AS (
    DELETE FROM failed_execution
    WHERE execution_id = ANY(ARRAY(
        SELECT id FROM after
        WHERE state_before IN ('rejected', 'exhausted') AND state NOT IN ('rejected', 'exhausted')))
)

-- fragment: general
-- As in the column `reason` of failed_execution: "…" for each UUID and each number of four digits or more.
'[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+|[0-9][0-9][0-9][0-9]+', '…', 'g'

-- fragment: next_action
-- An attempt that still owns something open stays open: what the fencing token kept from being settled, what a fill
-- proved to be accepted before its id was known, and executions without an outcome (which only a closing one has to
-- search for).
CASE WHEN EXISTS (SELECT FROM before b WHERE b.attempt_id = :attempt_id AND NOT b.changes
                  AND b.state IN ('queued', 'claimed', 'retry', 'unknown'))
     THEN coalesce(next_action_at, now())
     WHEN :next_action_in_ms::float8 IS NULL
          AND EXISTS (SELECT FROM before b WHERE b.attempt_id = :attempt_id AND NOT b.changes
                      AND b.state = 'accepted' AND b.service_id IS NULL)
     THEN coalesce(next_action_at, now())
     WHEN :next_action_in_ms::float8 IS NULL
          AND cardinality(execution_ids) > (SELECT count(*) FROM before)
          AND EXISTS (SELECT FROM execution e
                      WHERE e.id = ANY(submission_attempt.execution_ids)
                        AND e.attempt_id = :attempt_id
                        AND (e.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
                             OR e.submission_state = 'accepted' AND e.execution_service_id IS NULL)
                        AND e.id <> ALL(:ids::text::int[]))
     THEN coalesce(next_action_at, now())
     ELSE now() + :next_action_in_ms::float8 * interval '1 ms' END

-- fragment: recorded
-- The rows are ours since they were locked: what `before` says of them is what `after` made of them.
SELECT b.id, b.version + CASE WHEN b.becomes_accepted THEN 1 ELSE 0 END AS version,
       CASE WHEN b.becomes_accepted AND b.status_id = :status_new THEN :status_sent ELSE b.status_id END
           AS status_id,
       b.changes AS changed,
       CASE WHEN NOT b.changes THEN nullif(coalesce(b.state, 'none'), b.new_state) END AS other_state,
       CASE WHEN NOT b.changes OR b.new_service_id IS NULL
            THEN nullif(b.service_id, b.new_service_id) END AS other_service_id,
       nullif(coalesce(b.state, 'none'), :owned_as) AS other_state_before,
       CASE WHEN b.new_service_id <> b.service_id THEN b.service_id END AS duplicate_of
FROM before b

-- fragment: needs_person
-- Whether only a person can settle the unknown executions of an attempt `a`: the ledger's ids began again since it was
-- sent, so that no reading proves their absence. As in manual_resolution.needs_person.
(a.floor_void OR a.epoch < (SELECT epoch FROM downstream))

-- fragment: sequence
pg_get_serial_sequence('execution', 'id')::regclass

-- fragment: last_id
coalesce(pg_sequence_last_value({sequence}), 0)

-- fragment: one_at_a_time
-- Two processes that move the sequence at once could move it back; one that only draws from it cannot.
SELECT epoch FROM downstream FOR NO KEY UPDATE

-- fragment: advanced
-- Moves the sequence of execution ids forward; `alone` is `one_at_a_time`.
SELECT setval({sequence}, :beyond::bigint)
FROM alone
WHERE {last_id} < :beyond::bigint

-- fragment: is_fresh
-- Whether an execution was never submitted and may be.
(e.submission_state = 'none' AND e.execution_service_id IS NULL AND e.quantity_placed <= 0
 AND e.execution_status_id <> ALL({withdrawn_ids}))
