-- Trade orders, and the executions sliced from them.
--
-- Rows are locked before they are changed, executions before orders and each kind in id order, as everywhere in the
-- store: nothing deadlocks. Tables that grow are read by ids, as submission.sql says.

-- name: get_order
SELECT {order_columns} FROM trade_order o WHERE o.id = :id;

-- name: get_orders
SELECT {order_columns} FROM trade_order o WHERE o.id = ANY(:ids);

-- name: lock_orders
SELECT {order_columns} FROM trade_order o WHERE o.id = ANY(:ids) ORDER BY o.id FOR NO KEY UPDATE;

-- name: lock_orders_by_order_id
SELECT {order_columns} FROM trade_order o WHERE o.order_id = ANY(:order_ids) ORDER BY o.id FOR NO KEY UPDATE;

-- name: insert_orders
-- In order-id order: two callers with the same orders wait for each other instead of deadlocking.
INSERT INTO trade_order AS o
    (order_id, portfolio_id, order_type, security_id, quantity, limit_price, trade_timestamp, blotter_id)
SELECT order_id, portfolio_id, order_type, security_id, quantity, limit_price,
       coalesce(trade_timestamp, current_timestamp), blotter_id
FROM unnest(:order_ids::int[], :portfolio_ids::text[], :order_types::text[], :security_ids::text[],
            :quantities::numeric[], :limit_prices::numeric[], :trade_timestamps::timestamptz[], :blotter_ids::int[])
    AS t(order_id, portfolio_id, order_type, security_id, quantity, limit_price, trade_timestamp, blotter_id)
ORDER BY order_id
ON CONFLICT (order_id) DO NOTHING
RETURNING {order_columns};

-- name: executions_of
-- Those that hold quantity of their orders. Order by order: while nothing is known of a new table, all executions of
-- 100 orders would be taken for half of the table.
SELECT o.id, held.ids
FROM unnest(:ids::int[]) AS o(id)
CROSS JOIN LATERAL (
    SELECT array_agg(e.id ORDER BY e.id) AS ids
    FROM execution e
    WHERE e.trade_order_id = o.id
      AND (e.submission_state IS NULL OR e.submission_state NOT IN ('rejected', 'exhausted'))
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
)
SELECT o.id AS order_id, s.id, s.execution_timestamp, s.version, o.version AS order_version
FROM sliced s JOIN orders o ON o.id = s.trade_order_id;
