-- What a blotter file would do, and executions that were never submitted.

-- name: known_orders
SELECT {order_columns} FROM trade_order o WHERE o.order_id = ANY(:order_ids);

-- name: never_submitted
SELECT max(id) AS last, array_agg(id ORDER BY id) FILTER (WHERE submission_state IN ('none', 'queued')) AS ids
FROM (SELECT id, submission_state FROM execution WHERE id > :after ORDER BY id LIMIT :limit) page;
