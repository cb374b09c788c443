-- Hot statements of release 0.1.0, with their fragments in place and without comments.

-- name: insert_orders
WITH inserted AS (
    INSERT INTO trade_order AS o
        (order_id, portfolio_id, order_type, security_id, quantity, limit_price, trade_timestamp, blotter_id)
    SELECT order_id, portfolio_id, order_type, security_id, quantity, limit_price,
           coalesce(trade_timestamp, current_timestamp), blotter_id
    FROM unnest(:order_ids::int[], :portfolio_ids::text[], :order_types::text[], :security_ids::text[],
                :quantities::numeric[], :limit_prices::numeric[], :trade_timestamps::timestamptz[],
                :blotter_ids::int[])
        AS t(order_id, portfolio_id, order_type, security_id, quantity, limit_price, trade_timestamp, blotter_id)
    ORDER BY order_id
    ON CONFLICT (order_id) DO NOTHING
    RETURNING
o.id, o.order_id, rtrim(o.portfolio_id), rtrim(o.order_type), rtrim(o.security_id), o.quantity,
o.quantity_sent, o.limit_price, o.trade_timestamp, o.blotter_id, coalesce(o.submitted, false), o.version
), audit AS (
INSERT INTO audit_log
    (actor, known_by, address, request_id, action, object, object_ids, trade_order_ids, object_name, details)
SELECT :actor::text, :known_by::text, left(:address::text, 64), :request_id::text, 'create', 'tradeOrder', array_agg(id ORDER BY id), '{}', NULL, NULL
    FROM inserted
    HAVING count(*) > 0 AND :is_audited::bool
)
SELECT * FROM inserted;

-- name: known_orders
SELECT
o.id, o.order_id, rtrim(o.portfolio_id), rtrim(o.order_type), rtrim(o.security_id), o.quantity,
o.quantity_sent, o.limit_price, o.trade_timestamp, o.blotter_id, coalesce(o.submitted, false), o.version FROM trade_order o WHERE o.order_id = ANY(:order_ids);

-- name: executions_of
SELECT o.id, held.ids, held.destination_ids
FROM unnest(:ids::int[]) AS o(id)
CROSS JOIN LATERAL (
    SELECT array_agg(e.id ORDER BY e.id) AS ids, array_agg(e.destination_id) AS destination_ids
    FROM (
        SELECT id, destination_id, submission_state FROM execution WHERE trade_order_id = o.id
        UNION ALL
        SELECT x.id, d.id, x.submission_state
        FROM archived_execution x LEFT JOIN destination d ON d.abbreviation = x.destination
        WHERE x.trade_order_id = o.id
    ) e
    WHERE e.submission_state IS NULL OR e.submission_state NOT IN ('rejected', 'exhausted')
) held
WHERE held.ids IS NOT NULL;

-- name: slice_and_claim
WITH gate AS MATERIALIZED (
    SELECT epoch, high_water_id, high_water_execution_id
    FROM downstream
    WHERE epoch = :epoch AND suspected_at IS NULL AND blocked_at IS NULL
), locked(id, order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, limit_price,
          trade_timestamp, blotter_id, submitted, version) AS MATERIALIZED (
    SELECT
o.id, o.order_id, rtrim(o.portfolio_id), rtrim(o.order_type), rtrim(o.security_id), o.quantity,
o.quantity_sent, o.limit_price, o.trade_timestamp, o.blotter_id, coalesce(o.submitted, false), o.version
    FROM trade_order o
    WHERE o.id = ANY(:order_ids::text::int[]) AND EXISTS (SELECT FROM gate)
    ORDER BY o.id
    FOR NO KEY UPDATE SKIP LOCKED
), judged AS MATERIALIZED (
    SELECT a.place, a.quantity AS wanted, l.*, d.id AS destination_id, d.abbreviation AS destination,
           tt.id AS trade_type_id,
           CASE WHEN l.id IS NULL THEN 'order'
                WHEN d.id IS NULL THEN 'destination'
                WHEN tt.id IS NULL THEN 'type'
                WHEN a.quantity > 0 AND a.quantity <= l.quantity - l.quantity_sent AND l.quantity < 'NaN'
                     AND l.quantity_sent < 'NaN' THEN NULL
                ELSE 'quantity' END AS verdict
    FROM unnest(:order_ids::text::int[], :quantities::text::numeric[], :destination_ids::text::int[])
        WITH ORDINALITY AS a(order_id, quantity, destination_id, place)
    LEFT JOIN locked l ON l.id = a.order_id
    LEFT JOIN destination d ON d.id = a.destination_id
    LEFT JOIN unnest(:type_names::text[], :type_ids::int[]) AS tt(name, id) ON tt.name = upper(btrim(l.order_type))
), sound AS MATERIALIZED (
    SELECT * FROM judged
    WHERE verdict IS NULL AND (:each_alone::bool OR NOT EXISTS (SELECT FROM judged WHERE verdict IS NOT NULL))
), sliced AS (
    INSERT INTO execution
        (execution_status_id, blotter_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,
         quantity_placed, limit_price, submission_state, attempt_id, attempts_spent, give_up_at)
    SELECT :status_id, blotter_id, trade_type_id, id, destination_id, wanted, 0, limit_price,
           'claimed', :attempt_id, :counted, now() + :give_up_after_ms::int * interval '1 ms'
    FROM sound
    ORDER BY place
    RETURNING id, execution_timestamp, trade_order_id, version
), journal AS (
    INSERT INTO submission_attempt
        (id, state, owner, execution_ids, lease_until, settle_ms, floor_id, floor_execution_id, epoch,
         retry_count, next_action_at)
    SELECT :attempt_id, 'sent', :owner, array_agg(id ORDER BY id), now() + :lease_ms::int * interval '1 ms',
           :settle_ms, (SELECT high_water_id FROM gate), (SELECT high_water_execution_id FROM gate),
           (SELECT epoch FROM gate), 0, now() + :lease_ms::int * interval '1 ms'
    FROM sliced
    HAVING count(*) > 0
), audit AS (
    INSERT INTO audit_log
        (actor, known_by, address, request_id, action, object, object_ids, trade_order_ids)
    SELECT (:actors::text[])[place], (:known_by::text[])[place], left((:addresses::text[])[place], 64),
           (:request_ids::text[])[place], 'submit', 'execution', array_agg(id ORDER BY id),
           array_agg(trade_order_id ORDER BY id)
    FROM (
        SELECT id, trade_order_id, (SELECT :asked_by::text::int[])[
            array_position((SELECT :order_ids::text::int[]), trade_order_id)] AS place
        FROM sliced
        WHERE :is_audited::bool
    ) asked
    GROUP BY place
), orders AS (
    UPDATE trade_order o
    SET quantity_sent = s.quantity_sent + s.wanted,
        submitted = s.quantity - (s.quantity_sent + s.wanted) <= :submitted_when_left,
        version = s.version + 1
    FROM sound s
    WHERE o.id = s.id
    RETURNING o.id, o.version
)
SELECT j.verdict, j.id AS order_id, s.id, s.execution_timestamp, s.version, o.version AS order_version,
       j.destination, (SELECT high_water_id FROM gate) AS low_water_id,
       j.id, j.order_id, j.portfolio_id, j.order_type, j.security_id, j.quantity, j.quantity_sent, j.limit_price,
       j.trade_timestamp, j.blotter_id, j.submitted, j.version
FROM judged j
LEFT JOIN sliced s ON s.trade_order_id = j.id
LEFT JOIN orders o ON o.id = j.id
ORDER BY j.place;

-- name: record_accepted
WITH asked AS MATERIALIZED (
    SELECT e.id, e.attempt_id = :attempt_id AND e.submission_state = 'claimed'
                 AND e.execution_service_id IS NULL AS as_claimed
    FROM execution e
    WHERE e.id = ANY(:ids::text::int[])
    ORDER BY e.id
    FOR NO KEY UPDATE
), locked AS MATERIALIZED (
    SELECT id FROM asked WHERE as_claimed
), after AS (
    UPDATE execution e
    SET submission_state = 'accepted',
        execution_service_id = (SELECT :service_ids::text::int[])[
            array_position((SELECT :ids::text::int[]), e.id)],
        execution_status_id = CASE WHEN e.execution_status_id = :status_new THEN :status_sent
                                   ELSE e.execution_status_id END,
        quantity_placed = e.quantity_ordered,
        version = e.version + 1
    WHERE e.id = ANY(ARRAY(SELECT id FROM locked))
      AND (SELECT count(*) FROM locked) = cardinality(:ids::text::int[])
      AND (SELECT count(*) FROM locked) = (SELECT cardinality(execution_ids) FROM submission_attempt
                                           WHERE id = :attempt_id)
    RETURNING e.id, e.execution_service_id, e.version, e.execution_status_id
), attempt AS (
    UPDATE submission_attempt
    SET state = 'answered', closed_at = now(), settle_from = now(), kind = :kind, code = :code,
message = :message, http_status = :http_status, duration_ms = :duration_ms,
next_batch_size = :next_batch_size, top_id = :top_id, next_action_at = NULL
    WHERE id = :attempt_id AND EXISTS (SELECT FROM after)
)
SELECT id, execution_service_id, version, execution_status_id FROM after;

-- name: take_due
WITH due AS MATERIALIZED (
    SELECT id
    FROM submission_attempt
    WHERE next_action_at <= now()
      AND (observer IS NULL OR observer = :owner
           OR next_action_at <= now() - :grace_ms::int * interval '1 ms')
    ORDER BY next_action_at
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE submission_attempt t
SET next_action_at = now() + :hold_ms::int * interval '1 ms',
    observer = :owner,
    state = CASE WHEN t.state = 'sent' THEN 'answered' ELSE t.state END,
    kind = CASE WHEN t.state = 'sent' THEN 'lost' ELSE t.kind END,
    code = CASE WHEN t.state = 'sent' THEN 'OWNER_LOST' ELSE t.code END,
    message = CASE WHEN t.state = 'sent'
                   THEN 'its owner ' || t.owner || ' did not record an outcome within the lease'
                   ELSE t.message END,
    settle_from = CASE WHEN t.state = 'sent' THEN t.lease_until ELSE t.settle_from END
WHERE t.id = ANY(ARRAY(SELECT id FROM due))
RETURNING t.id, t.floor_id AS low_water_id, t.floor_execution_id AS low_water_execution_id,
          CASE WHEN t.floor_void THEN 0 ELSE t.epoch END AS epoch,
          t.settle_ms, t.look_ups, t.next_batch_size, t.adopted, t.execution_ids,
          coalesce(t.settle_from + t.settle_ms * interval '1 ms' <= now(), false) AS settled,
          t.retry_count, cardinality(t.execution_ids) AS size, t.kind, t.code, coalesce(t.message, '') AS message,
          t.http_status, extract(epoch FROM now() - t.started_at)::float8 AS age_s,
          CASE WHEN t.code = 'OWNER_LOST' THEN round(extract(epoch FROM t.lease_until - t.started_at) * 1000)::int
               ELSE 0 END AS lease_ms,
          coalesce(t.kind = 'requeued', false) AS requeued;

-- name: open_items
SELECT e.attempt_id, e.id, e.submission_state, tt.abbreviation AS trade_type, d.abbreviation AS destination,
       (SELECT rtrim(o.security_id) FROM trade_order o WHERE o.id = e.trade_order_id) AS security_id,
       e.quantity_ordered, e.attempts_spent,
       coalesce(extract(epoch FROM e.give_up_at - now())::float8, e.budget_ms / 1000.0::float8, 'infinity')
           AS budget_left_s
FROM execution e
JOIN destination d ON d.id = e.destination_id
LEFT JOIN trade_type tt ON tt.id = e.trade_type_id
WHERE e.id = ANY(:ids)
  AND e.attempt_id = ANY(:attempt_ids)
  AND (e.submission_state IN ('queued', 'retry', 'unknown')
       OR e.submission_state = 'accepted' AND e.execution_service_id IS NULL)
ORDER BY e.id;

-- name: states
SELECT e.submission_state, e.execution_service_id, s.abbreviation AS withdrawn, e.id
FROM execution e
LEFT JOIN execution_status s ON s.id = e.execution_status_id AND e.submission_state = 'none'
    AND s.abbreviation IN (
'CNCL', 'CNCLD', 'DEL', 'HOLD')
WHERE e.id = ANY(:ids)
UNION ALL
SELECT x.submission_state, x.execution_service_id, NULL, x.id
FROM archived_execution x
WHERE x.id = ANY(:ids)
ORDER BY id;

-- name: read
SELECT
o.id, o.order_id, rtrim(o.portfolio_id), rtrim(o.order_type), rtrim(o.security_id), o.quantity,
o.quantity_sent, o.limit_price, o.trade_timestamp, o.blotter_id, coalesce(o.submitted, false), o.version,
e.id, e.execution_timestamp, e.execution_status_id, e.blotter_id, e.trade_type_id, e.trade_order_id,
e.destination_id, e.quantity_ordered, e.quantity_placed, e.quantity_filled, e.limit_price,
e.execution_service_id, e.version,
coalesce(e.submission_state, CASE
    WHEN e.execution_service_id IS NOT NULL OR e.quantity_placed > 0 OR s.abbreviation <> :status_new_name
    THEN 'accepted' ELSE 'unknown' END)
FROM execution e
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o
JOIN execution_status s ON s.id = e.execution_status_id
WHERE e.id = ANY(:ids);

-- name: fill
WITH before AS MATERIALIZED (
    SELECT e.id, e.submission_state,
coalesce(e.submission_state, CASE
    WHEN e.execution_service_id IS NOT NULL OR e.quantity_placed > 0 OR s.abbreviation <> :status_new_name
    THEN 'accepted' ELSE 'unknown' END) AS state_shown,
coalesce(CASE WHEN e.submission_state IN ('none', 'queued')
    THEN e.execution_service_id IS NULL AND e.quantity_placed <= 0
         AND NOT EXISTS (SELECT FROM submission_attempt t WHERE t.id = e.attempt_id AND t.adopted)
    WHEN e.submission_state <> 'accepted'
    THEN EXISTS (SELECT FROM submission_attempt t
                 WHERE t.id = e.attempt_id AND t.code = 'FILL_REPORTED' AND NOT t.adopted)
    END, false) AS is_unsent
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
    UPDATE execution e
    SET submission_state = 'unknown', attempt_id = :look_up_id, version = e.version + 1
    FROM before b
    WHERE e.id = :id AND b.is_unsent AND b.submission_state IN ('queued', 'retry')
    RETURNING e.id, e.trade_order_id
), audit AS (
INSERT INTO audit_log
    (actor, known_by, address, request_id, action, object, object_ids, trade_order_ids, object_name, details)
SELECT :actor::text, :known_by::text, left(:address::text, 64), :request_id::text, 'fill', 'execution', ARRAY[c.id], ARRAY[c.trade_order_id], NULL,
           jsonb_build_object('executionStatusId', :status_id, 'quantityFilled', :quantity_filled::numeric::text)
    FROM (SELECT id, trade_order_id FROM after UNION ALL SELECT id, trade_order_id FROM doubted) c
    WHERE :is_audited::bool
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
), id_missing AS (
    UPDATE submission_attempt t
    SET next_action_at = now()
    WHERE t.id = (SELECT attempt_id FROM after WHERE execution_service_id IS NULL) AND t.next_action_at IS NULL
), returned AS MATERIALIZED (
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
    SET quantity_sent = o.quantity_sent + r.quantity,
        submitted = o.quantity - (o.quantity_sent + r.quantity) <= :submitted_when_left,
        version = o.version + 1
    FROM returned r
    WHERE o.id = r.id
    RETURNING o.*
)
SELECT
o.id, o.order_id, rtrim(o.portfolio_id), rtrim(o.order_type), rtrim(o.security_id), o.quantity,
o.quantity_sent, o.limit_price, o.trade_timestamp, o.blotter_id, coalesce(o.submitted, false), o.version,
e.id, e.execution_timestamp, e.execution_status_id, e.blotter_id, e.trade_type_id, e.trade_order_id,
e.destination_id, e.quantity_ordered, e.quantity_placed, e.quantity_filled, e.limit_price,
e.execution_service_id, e.version, e.submission_state, b.state_shown AS state_before, b.is_unsent
FROM before b
LEFT JOIN after e ON e.id = b.id
LEFT JOIN (
    SELECT * FROM retaken
    UNION ALL
    SELECT o.*
    FROM trade_order o
    WHERE o.id = (SELECT trade_order_id FROM after) AND NOT EXISTS (SELECT FROM retaken)
) o ON o.id = e.trade_order_id;

-- name: backlog
WITH open AS MATERIALIZED (
    SELECT id, execution_ids, started_at, next_action_at
    FROM submission_attempt
    WHERE next_action_at IS NOT NULL
    ORDER BY next_action_at
    LIMIT :attempts
), owned AS MATERIALIZED (
    SELECT a.started_at, a.next_action_at, e.submission_state
    FROM open a
    CROSS JOIN LATERAL unnest(a.execution_ids) AS u(id)
    CROSS JOIN LATERAL (
        SELECT x.submission_state, x.attempt_id FROM execution x WHERE x.id = u.id OFFSET 0
    ) e
    WHERE e.attempt_id = a.id
)
SELECT submission_state, count(*) AS executions,
       coalesce(extract(epoch FROM now() - min(started_at)), 0)::float8 AS oldest_s,
       coalesce(extract(epoch FROM now() - min(next_action_at)), 0)::float8 AS overdue_s
FROM owned
GROUP BY submission_state;

-- name: read_downstream
SELECT d.epoch, d.base_url, d.high_water_id, d.high_water_execution_id,
       greatest(d.high_water_id, (
           SELECT max(greatest(r.top_id, r.floor_id))
           FROM (SELECT top_id, floor_id, epoch FROM submission_attempt ORDER BY id DESC LIMIT 200) r
           WHERE r.epoch = d.epoch)),
       d.first_id, d.first_execution_id,
       d.suspected_sign, d.suspicion, d.suspected_id, d.suspected_execution_id,
       extract(epoch FROM now() - d.suspected_at)::float8,
       d.blocked_reason, coalesce(pg_sequence_last_value(pg_get_serial_sequence('execution', 'id')::regclass), 0)
FROM downstream d;
