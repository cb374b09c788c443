"""The statements of trade orders and of single executions, as PostgreSQL text.

Rows are locked before they are changed, executions before orders and each kind in id order, as
everywhere in the store: nothing deadlocks. Tables that grow are looked into by ids, as submission_sql says.
"""

from trade_service.store.submission_sql import WITHDRAWN_IDS

TICKET_GRACE_MS = 5_000
"""How long queued work is left to the process that wrote it before anybody's recovery picks it up."""

ORDER_WIDTH = 12
ORDER_COLUMNS = """
    o.id, o.order_id, rtrim(o.portfolio_id), rtrim(o.order_type), rtrim(o.security_id), o.quantity,
    o.quantity_sent, o.limit_price, o.trade_timestamp, o.blotter_id, coalesce(o.submitted, false), o.version
"""
"""In the order of the fields of TradeOrder."""

EXECUTION_WIDTH = 14
EXECUTION_COLUMNS = """
    e.id, e.execution_timestamp, e.execution_status_id, e.blotter_id, e.trade_type_id, e.trade_order_id,
    e.destination_id, e.quantity_ordered, e.quantity_placed, e.quantity_filled, e.limit_price,
    e.execution_service_id, e.version
"""
"""In the order of the fields of Execution; the last of them, the submission state, has to follow."""

STATE_SHOWN = """
    coalesce(e.submission_state, CASE
        WHEN e.execution_service_id IS NOT NULL OR e.quantity_placed > 0 OR s.abbreviation <> :status_new_name
        THEN 'accepted' ELSE 'unknown' END)
"""
"""A row of the earlier service that nobody took over yet shows what taking it over will make of it."""

LOCK_ORDERS = f"""
SELECT {ORDER_COLUMNS} FROM trade_order o WHERE o.id = ANY(:ids) ORDER BY o.id FOR NO KEY UPDATE
"""

READ_EXECUTIONS = f"""
SELECT {ORDER_COLUMNS}, {EXECUTION_COLUMNS}, {STATE_SHOWN}
FROM execution e
-- OFFSET keeps it a look-up an execution.
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o
JOIN execution_status s ON s.id = e.execution_status_id
WHERE e.id = ANY(:ids)
"""

IS_FRESH = f"""
    (e.submission_state = 'none' AND e.execution_service_id IS NULL AND e.quantity_placed <= 0
     AND e.execution_status_id <> ALL({WITHDRAWN_IDS}))
"""
"""Whether an execution was never submitted and may be."""

ENQUEUE = f"""
WITH asked AS MATERIALIZED (
    SELECT e.id, {IS_FRESH} AS is_fresh
    FROM execution e
    WHERE e.id = ANY(:ids)
    ORDER BY e.id
    FOR NO KEY UPDATE
), fresh AS MATERIALIZED (
    SELECT id FROM asked WHERE is_fresh
), queued AS (
    UPDATE execution e
    SET submission_state = 'queued', attempt_id = :ticket_id
    WHERE e.id = ANY(ARRAY(SELECT id FROM fresh))
    RETURNING e.id
)
INSERT INTO submission_attempt (id, state, owner, execution_ids, next_action_at)
SELECT :ticket_id, 'queued', :owner, array_agg(id ORDER BY id), now() + :grace_ms * interval '1 ms'
FROM queued
HAVING count(*) > 0
"""

EXISTING = "SELECT id FROM execution WHERE id = ANY(:ids)"

HELD_AS_NEVER_SENT = """
    coalesce(CASE WHEN e.submission_state IN ('none', 'queued')
        THEN e.execution_service_id IS NULL AND e.quantity_placed <= 0
             AND NOT EXISTS (SELECT FROM submission_attempt t WHERE t.id = e.attempt_id AND t.adopted)
        WHEN e.submission_state <> 'accepted'
        THEN EXISTS (SELECT FROM submission_attempt t
                     WHERE t.id = e.attempt_id AND t.code = 'FILL_REPORTED' AND NOT t.adopted)
        END, false)
"""
"""Whether this service wrote the execution and never sent it: a fill of it proves nothing."""

FILL = f"""
WITH before AS MATERIALIZED (
    SELECT e.id, e.submission_state, {STATE_SHOWN} AS state_shown, {HELD_AS_NEVER_SENT} AS is_unsent
    FROM execution e
    JOIN execution_status s ON s.id = e.execution_status_id
    WHERE e.id = :id AND e.version = :version AND e.quantity_ordered >= :quantity_filled
    FOR NO KEY UPDATE OF e
), after AS (
    UPDATE execution e
    SET execution_status_id = :status_id,
        quantity_filled = :quantity_filled,
        quantity_placed = CASE WHEN b.submission_state = 'accepted' THEN e.quantity_placed
                               ELSE e.quantity_ordered END,
        submission_state = 'accepted',
        attempt_id = CASE WHEN e.execution_service_id IS NULL THEN coalesce(e.attempt_id, :look_up_id)
                          ELSE e.attempt_id END,
        version = e.version + 1
    FROM before b
    WHERE e.id = :id AND NOT b.is_unsent
    RETURNING e.*
), doubted AS (
    -- The version keeps a report that waited for this one from taking it for an execution that was sent.
    UPDATE execution e
    SET submission_state = 'unknown', attempt_id = :look_up_id, version = e.version + 1
    FROM before b
    WHERE e.id = :id AND b.is_unsent AND b.submission_state IN ('queued', 'retry')
    RETURNING e.id
), to_look_up AS (
    SELECT id, false AS adopted, 'a fill was reported before it was sent: it is looked up first' AS message
    FROM doubted
    UNION ALL
    SELECT id, true, 'a fill was reported, and its id at the Execution Service is not known'
    FROM after
    WHERE execution_service_id IS NULL AND attempt_id = :look_up_id
), look_up AS (
    INSERT INTO submission_attempt
        (id, state, owner, execution_ids, settle_ms, settle_from, floor_id, epoch, adopted, next_action_at,
         closed_at, kind, code, message)
    SELECT :look_up_id, 'answered', :owner, ARRAY[l.id], :settle_ms, now(),
           0, d.epoch, adopted, now(), now(), 'lost', 'FILL_REPORTED', message
    FROM to_look_up l, downstream d
), nameless AS (
    -- Which id it has there is still to be looked up.
    UPDATE submission_attempt t
    SET next_action_at = now()
    WHERE t.id = (SELECT attempt_id FROM after WHERE execution_service_id IS NULL) AND t.next_action_at IS NULL
), given_back AS MATERIALIZED (
    SELECT o.id, a.quantity_ordered AS quantity
    FROM after a
    JOIN before b ON b.id = a.id
    JOIN trade_order o ON o.id = a.trade_order_id
    WHERE o.id = (SELECT trade_order_id FROM after) AND b.submission_state IN ('rejected', 'exhausted')
    FOR NO KEY UPDATE OF o
), evidence AS (
    INSERT INTO submission_evidence
        (execution_id, source, code, attempt_id, state_before, state, service_id, message)
    SELECT a.id, 'fill', 'ACCEPTED_LATE', a.attempt_id, b.submission_state, 'accepted', a.execution_service_id, ''
    FROM after a JOIN before b ON b.id = a.id
    WHERE b.submission_state IN ('rejected', 'exhausted')
), retaken AS (
    UPDATE trade_order o
    SET quantity_sent = o.quantity_sent + g.quantity,
        submitted = o.quantity - (o.quantity_sent + g.quantity) <= :submitted_when_left,
        version = o.version + 1
    FROM given_back g
    WHERE o.id = g.id
    RETURNING o.*
)
SELECT {ORDER_COLUMNS}, {EXECUTION_COLUMNS}, e.submission_state, b.state_shown AS state_before, b.is_unsent
FROM before b
LEFT JOIN after e ON e.id = b.id
LEFT JOIN (
    SELECT * FROM retaken
    UNION ALL
    SELECT o.*
    FROM trade_order o
    WHERE o.id = (SELECT trade_order_id FROM after) AND NOT EXISTS (SELECT FROM retaken)
) o ON o.id = e.trade_order_id
"""
"""One statement; no row when the execution does not exist, has another version or was ordered for less.

Of what is held as never sent nothing is stored; what waits to be sent is looked up first.
"""

LOCK_EXECUTION = f"""
SELECT {EXECUTION_COLUMNS}, {STATE_SHOWN}
FROM execution e
JOIN execution_status s ON s.id = e.execution_status_id
WHERE e.id = :id
FOR UPDATE OF e
"""

INSERT_EXECUTION = """
INSERT INTO execution
    (execution_timestamp, execution_status_id, blotter_id, trade_type_id, trade_order_id, destination_id,
     quantity_ordered, quantity_placed, quantity_filled, limit_price, execution_service_id, submission_state)
VALUES (coalesce(:moment, current_timestamp), :status_id, :blotter_id, :trade_type_id, :trade_order_id,
        :destination_id, :ordered, :placed, :filled, :limit_price, :service_id, :state)
RETURNING id, execution_timestamp, version
"""

UPDATE_EXECUTION = """
UPDATE execution
SET execution_timestamp = :moment, execution_status_id = :status_id, blotter_id = :blotter_id,
    trade_type_id = :trade_type_id, trade_order_id = :trade_order_id, destination_id = :destination_id,
    quantity_ordered = :ordered, quantity_placed = :placed, quantity_filled = :filled,
    limit_price = :limit_price, execution_service_id = :service_id, submission_state = :state,
    version = version + 1
WHERE id = :id
RETURNING version
"""

DELETE_EXECUTION = "DELETE FROM execution WHERE id = :id"

MOVE_QUANTITIES = """
UPDATE trade_order o
SET quantity_sent = p.quantity_sent, submitted = p.submitted, version = o.version + 1
FROM unnest(:ids, :quantities_sent, :submitted) AS p(id, quantity_sent, submitted)
WHERE o.id = p.id
RETURNING o.id, o.version
"""
"""On orders locked by this transaction."""

ORDER_USE = """
SELECT (SELECT e.id FROM execution e WHERE e.trade_order_id = :id LIMIT 1) AS any_id,
       (SELECT e.id
        FROM execution e
        WHERE e.trade_order_id = :id
          AND (e.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
               OR e.submission_state IS NULL AND e.execution_service_id IS NULL AND e.quantity_placed <= 0
                  AND e.execution_status_id = (SELECT min(s.id) FROM execution_status s
                                               WHERE s.abbreviation = :status_new_name))
        LIMIT 1) AS in_flight_id
"""

MOVE_ORDERS = f"""
UPDATE trade_order AS o
SET blotter_id = :blotter_id, version = o.version + 1
WHERE o.id = ANY(:ids)
RETURNING {ORDER_COLUMNS}
"""
"""Of orders that this transaction locked."""

UPDATE_ORDER = f"""
UPDATE trade_order AS o
SET order_id = :order_id, portfolio_id = :portfolio_id, order_type = :order_type, security_id = :security_id,
    quantity = :quantity, limit_price = :limit_price, trade_timestamp = :trade_timestamp,
    blotter_id = :blotter_id, submitted = :submitted, version = o.version + 1
WHERE o.id = :id
RETURNING {ORDER_COLUMNS}
"""

DELETE_ORDER = "DELETE FROM trade_order WHERE id = :id"
