-- Trade orders, and the executions sliced from them.
--
-- Rows are locked before they are changed, executions before orders and each kind in id order, as everywhere in the
-- store: nothing deadlocks. Tables that grow are read by ids, as submission.sql says.

-- name: get_order
SELECT {order_columns}, {reference_revision} FROM trade_order o WHERE o.id = :id;

-- name: get_orders
SELECT {order_columns}, {reference_revision} FROM trade_order o WHERE o.id = ANY(:ids);

-- name: lock_orders
SELECT {order_columns}, {reference_revision}
FROM trade_order o
WHERE o.id = ANY(:ids)
ORDER BY o.id
FOR NO KEY UPDATE;

-- name: lock_orders_by_order_id
SELECT {order_columns} FROM trade_order o WHERE o.order_id = ANY(:order_ids) ORDER BY o.id FOR NO KEY UPDATE;

-- name: insert_orders
-- In order-id order: two callers with the same orders wait for each other instead of deadlocking.
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
    RETURNING {order_columns}
), audit AS (
    {audit}, 'create', 'tradeOrder', array_agg(id ORDER BY id), '{}', NULL, NULL
    FROM inserted
    HAVING count(*) > 0 AND :is_audited::bool
)
SELECT *, {reference_revision} FROM inserted;

-- name: executions_of
-- Those that hold quantity of their orders. Read order by order: in a new table without statistics, the planner would
-- take the executions of 100 orders for half of the table.
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

-- name: write_slices
-- Executions, their orders and the durable intent to send them, on orders that this transaction locked.
WITH pieces AS MATERIALIZED (
    SELECT *
    FROM unnest(:order_ids::text::int[], :quantities_sent::text::numeric[], :submitted::text::bool[],
                :status_ids::text::int[], :blotter_ids::text::int[], :trade_type_ids::text::int[],
                :destination_ids::text::int[], :quantities::text::numeric[], :limit_prices::text::numeric[])
        WITH ORDINALITY AS t(order_id, quantity_sent, submitted, status_id, blotter_id, trade_type_id,
                             destination_id, quantity, limit_price, place)
), sliced AS (
    INSERT INTO execution
        (execution_status_id, blotter_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,
         quantity_placed, limit_price, submission_state, attempt_id)
    SELECT status_id, blotter_id, trade_type_id, order_id, destination_id, quantity, 0, limit_price,
           CASE WHEN :queued_attempt_id::uuid IS NULL THEN 'none' ELSE 'queued' END, :queued_attempt_id
    FROM pieces
    ORDER BY place
    RETURNING id, execution_timestamp, trade_order_id, version
), orders AS (
    UPDATE trade_order o
    SET quantity_sent = p.quantity_sent, submitted = p.submitted, version = o.version + 1
    FROM pieces p
    WHERE o.id = p.order_id
    RETURNING o.id, o.version
), ticket AS (
    INSERT INTO submission_attempt (id, state, owner, execution_ids, next_action_at)
    SELECT :queued_attempt_id, 'queued', :owner, array_agg(id ORDER BY id), now() + :grace_ms::int * interval '1 ms'
    FROM sliced
    HAVING :queued_attempt_id IS NOT NULL
), audit AS (
    {audit}, CASE WHEN :queued_attempt_id IS NULL THEN 'create' ELSE 'submit' END, 'execution',
           array_agg(id ORDER BY id), array_agg(trade_order_id ORDER BY id), NULL, NULL
    FROM sliced
    HAVING count(*) > 0 AND :is_audited::bool
)
SELECT o.id AS order_id, s.id, s.execution_timestamp, s.version, o.version AS order_version
FROM sliced s JOIN orders o ON o.id = s.trade_order_id;

-- name: slice_and_claim
-- Locks orders, checks rules, writes executions, claims and journals them: one round trip. If the ledger is in doubt, it
-- writes nothing. It skips an order that is missing, locked, paused or breaks a rule, and its verdict says why; unless each order
-- stands alone, none is then written. It waits for no lock, since waiting would use up the lease.
--
-- `judged` sees the orders as locked, which may be newer than the statement's snapshot. Nothing else may read
-- trade_order here.
WITH gate AS MATERIALIZED (
    SELECT epoch, high_water_id, high_water_execution_id
    FROM downstream
    WHERE epoch = :epoch AND suspected_at IS NULL AND blocked_at IS NULL
), paused AS MATERIALIZED (
    {paused}
), locked(id, order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, limit_price,
          trade_timestamp, blotter_id, submitted, version) AS MATERIALIZED (
    SELECT {order_columns}
    FROM trade_order o
    WHERE o.id = ANY(:order_ids::text::int[]) AND EXISTS (SELECT FROM gate)
    ORDER BY o.id
    FOR NO KEY UPDATE SKIP LOCKED
), judged AS MATERIALIZED (
    SELECT a.place, a.quantity AS wanted, l.*, d.id AS destination_id, d.abbreviation AS destination,
           tt.id AS trade_type_id,
           CASE WHEN l.id IS NULL THEN 'order'
                WHEN d.id IS NULL THEN 'destination'
                WHEN (SELECT ids FROM paused) IS NOT NULL AND (SELECT ids FROM paused) && ARRAY[0, d.id] THEN 'paused'
                WHEN tt.id IS NULL THEN 'type'
                -- NaN is greater than every number.
                WHEN a.quantity > 0 AND a.quantity <= l.quantity - l.quantity_sent AND l.quantity < 'NaN'
                     AND l.quantity_sent < 'NaN' THEN NULL
                ELSE 'quantity' END AS verdict
    FROM unnest(:order_ids::text::int[], :quantities::text::numeric[], :destination_ids::text::int[])
        WITH ORDINALITY AS a(order_id, quantity, destination_id, place)
    LEFT JOIN locked l ON l.id = a.order_id
    LEFT JOIN destination d ON d.id = a.destination_id
    CROSS JOIN LATERAL (
        SELECT (SELECT :type_ids::text::int[])[
            array_position((SELECT :type_names::text::text[]), upper(btrim(l.order_type)))]
    ) AS tt(id)
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
    -- An entry for each request. Found by place: a join would read execution by execution.
    INSERT INTO audit_log
        (actor, known_by, address, request_id, action, object, object_ids, trade_order_ids)
    SELECT (SELECT :actors::text::text[])[place], (SELECT :known_by::text::text[])[place],
           left((SELECT :addresses::text::text[])[place], 64), (SELECT :request_ids::text::text[])[place],
           'submit', 'execution', array_agg(id ORDER BY id), array_agg(trade_order_id ORDER BY id)
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
)
SELECT j.verdict, j.id AS order_id, s.id, s.execution_timestamp, s.version, j.version + 1 AS order_version,
       j.destination, (SELECT high_water_id FROM gate) AS low_water_id, {reference_revision},
       j.id, j.order_id, j.portfolio_id, j.order_type, j.security_id, j.quantity, j.quantity_sent, j.limit_price,
       j.trade_timestamp, j.blotter_id, j.submitted, j.version
FROM judged j
LEFT JOIN sliced s ON s.trade_order_id = j.id
ORDER BY j.place;

-- name: known_orders
SELECT {order_columns} FROM trade_order o WHERE o.order_id = ANY(:order_ids);

-- fragment: within_limits
-- Queued executions were within the limits, and are sent in any case.
(e.submission_state = 'queued'
 OR ((:max_quantity::numeric IS NULL OR e.quantity_ordered <= :max_quantity::numeric)
     AND (:max_value::numeric IS NULL OR e.limit_price IS NULL OR e.quantity_ordered * e.limit_price <= :max_value::numeric)
     AND (NOT :needs_price::boolean OR e.limit_price IS NOT NULL)))

-- name: never_submitted
SELECT max(id) AS last,
       array_agg(id ORDER BY id) FILTER (WHERE submission_state IN ('none', 'queued') AND {within_limits}) AS ids
FROM (SELECT id, submission_state, quantity_ordered, limit_price
      FROM execution WHERE id > :after ORDER BY id LIMIT :limit) e;

-- name: refused_orders
-- OFFSET 0: one index read for each order, never a join with all executions.
SELECT o.order_id
FROM trade_order o
WHERE o.id = ANY(:ids)
  AND (EXISTS (SELECT FROM execution e
               WHERE e.trade_order_id = o.id AND e.submission_state IN ('rejected', 'exhausted') OFFSET 0)
       OR EXISTS (SELECT FROM archived_execution x
                  WHERE x.trade_order_id = o.id AND x.submission_state IN ('rejected', 'exhausted') OFFSET 0));

-- name: unsent_groups
-- The same executions as never_submitted, counted; those beyond the limits apart.
SELECT rtrim(o.order_type) AS order_type, d.abbreviation, rtrim(o.portfolio_id) AS portfolio_id,
       count(*) FILTER (WHERE e.is_within) AS executions,
       coalesce(sum(e.quantity_ordered) FILTER (WHERE e.is_within), 0) AS quantity,
       coalesce(sum(e.quantity_ordered * e.limit_price) FILTER (WHERE e.is_within), 0) AS value,
       count(*) FILTER (WHERE e.is_within AND e.limit_price IS NULL) AS unpriced,
       count(*) FILTER (WHERE NOT e.is_within) AS over_limits,
       sum(coalesce(sum(e.quantity_ordered * e.limit_price) FILTER (WHERE e.is_within), 0)) OVER () AS value_of_all
FROM (SELECT e.*, {within_limits} AS is_within FROM execution e WHERE e.submission_state IN ('none', 'queued')) e
JOIN trade_order o ON o.id = e.trade_order_id
JOIN destination d ON d.id = e.destination_id
GROUP BY o.order_type, d.abbreviation, o.portfolio_id
ORDER BY 6 DESC, 4 DESC
LIMIT 10000;
