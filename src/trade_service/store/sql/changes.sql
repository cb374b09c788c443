-- Trade orders and executions that clients write directly: one row at a time, rules checked between statements.

-- name: order_use
SELECT coalesce((SELECT e.id FROM execution e WHERE e.trade_order_id = :id LIMIT 1),
                (SELECT x.id FROM archived_execution x WHERE x.trade_order_id = :id LIMIT 1)) AS any_id,
       (SELECT e.id
        FROM execution e
        WHERE e.trade_order_id = :id
          AND (e.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
               OR e.submission_state IS NULL AND e.execution_service_id IS NULL AND e.quantity_placed <= 0
                  AND e.execution_status_id = (SELECT min(s.id) FROM execution_status s
                                               WHERE s.abbreviation = :status_new_name))
        LIMIT 1) AS in_flight_id;

-- name: update_order
UPDATE trade_order AS o
SET order_id = :order_id, portfolio_id = :portfolio_id, order_type = :order_type, security_id = :security_id,
    quantity = :quantity, limit_price = :limit_price, trade_timestamp = :trade_timestamp,
    blotter_id = :blotter_id, submitted = :submitted, version = o.version + 1
WHERE o.id = :id
RETURNING {order_columns}, {reference_revision};

-- name: move_orders
-- Orders that this transaction has locked.
UPDATE trade_order AS o
SET blotter_id = :blotter_id, version = o.version + 1
WHERE o.id = ANY(:ids)
RETURNING {order_columns}, {reference_revision};

-- name: delete_order
DELETE FROM trade_order WHERE id = :id;

-- name: lock_execution
SELECT {execution_columns}, {state_shown}
FROM execution e
JOIN execution_status s ON s.id = e.execution_status_id
WHERE e.id = :id
FOR UPDATE OF e;

-- name: insert_execution
INSERT INTO execution
    (execution_timestamp, execution_status_id, blotter_id, trade_type_id, trade_order_id, destination_id,
     quantity_ordered, quantity_placed, quantity_filled, limit_price, execution_service_id, submission_state)
VALUES (coalesce(:execution_timestamp, current_timestamp), :execution_status_id, :blotter_id, :trade_type_id,
        :trade_order_id, :destination_id, :quantity_ordered, :quantity_placed, :quantity_filled, :limit_price,
        :execution_service_id, :submission_state)
RETURNING id, execution_timestamp, version;

-- name: update_execution
WITH corrected AS (
    DELETE FROM failed_execution WHERE execution_id = :id AND :submission_state NOT IN ('rejected', 'exhausted')
)
UPDATE execution
SET execution_timestamp = :execution_timestamp, execution_status_id = :execution_status_id,
    blotter_id = :blotter_id, trade_type_id = :trade_type_id, trade_order_id = :trade_order_id,
    destination_id = :destination_id, quantity_ordered = :quantity_ordered, quantity_placed = :quantity_placed,
    quantity_filled = :quantity_filled, limit_price = :limit_price, execution_service_id = :execution_service_id,
    submission_state = :submission_state, version = version + 1
WHERE id = :id
RETURNING version;

-- name: delete_execution
WITH gone AS (DELETE FROM failed_execution WHERE execution_id = :id)
DELETE FROM execution WHERE id = :id;

-- name: move_quantities
-- Orders that this transaction has locked.
UPDATE trade_order o
SET quantity_sent = p.quantity_sent, submitted = p.submitted, version = o.version + 1
FROM unnest(:ids::int[], :quantities_sent::numeric[], :submitted::bool[]) AS p(id, quantity_sent, submitted)
WHERE o.id = p.id
RETURNING o.id, o.version;
