-- Reference data. Changes of one kind take turns: each locks all rows of its table first. No statement of a
-- submission waits for that lock, since foreign keys ask for less.

-- name: load
SELECT 'blotter' AS kind, id, abbreviation, name AS description, version FROM blotter
UNION ALL SELECT 'trade_type', id, abbreviation, description, version FROM trade_type
UNION ALL SELECT 'destination', id, abbreviation, description, version FROM destination
UNION ALL SELECT 'execution_status', id, abbreviation, description, version FROM execution_status
ORDER BY kind, id;

-- name: take_turn_blotter
SELECT id FROM blotter ORDER BY id FOR NO KEY UPDATE;

-- name: take_turn_trade_type
SELECT id FROM trade_type ORDER BY id FOR NO KEY UPDATE;

-- name: take_turn_destination
SELECT id FROM destination ORDER BY id FOR NO KEY UPDATE;

-- name: take_turn_execution_status
SELECT id FROM execution_status ORDER BY id FOR NO KEY UPDATE;

-- name: rows_blotter
SELECT id, abbreviation, name, version FROM blotter ORDER BY id;

-- name: rows_trade_type
SELECT id, abbreviation, description, version FROM trade_type ORDER BY id;

-- name: rows_destination
SELECT id, abbreviation, description, version FROM destination ORDER BY id;

-- name: rows_execution_status
SELECT id, abbreviation, description, version FROM execution_status ORDER BY id;

-- name: insert_blotter
INSERT INTO blotter (abbreviation, name) VALUES (:abbreviation, :text)
RETURNING id, abbreviation, name, version;

-- name: insert_trade_type
INSERT INTO trade_type (abbreviation, description) VALUES (:abbreviation, :text)
RETURNING id, abbreviation, description, version;

-- name: insert_destination
INSERT INTO destination (abbreviation, description) VALUES (:abbreviation, :text)
RETURNING id, abbreviation, description, version;

-- name: insert_execution_status
INSERT INTO execution_status (abbreviation, description) VALUES (:abbreviation, :text)
RETURNING id, abbreviation, description, version;

-- name: update_blotter
UPDATE blotter SET abbreviation = :abbreviation, name = :text, version = version + 1
WHERE id = :id
RETURNING id, abbreviation, name, version;

-- name: update_trade_type
UPDATE trade_type SET abbreviation = :abbreviation, description = :text, version = version + 1
WHERE id = :id
RETURNING id, abbreviation, description, version;

-- name: update_destination
UPDATE destination SET abbreviation = :abbreviation, description = :text, version = version + 1
WHERE id = :id
RETURNING id, abbreviation, description, version;

-- name: update_execution_status
UPDATE execution_status SET abbreviation = :abbreviation, description = :text, version = version + 1
WHERE id = :id
RETURNING id, abbreviation, description, version;

-- name: delete_blotter
DELETE FROM blotter WHERE id = :id;

-- name: delete_trade_type
DELETE FROM trade_type WHERE id = :id;

-- name: delete_destination
DELETE FROM destination WHERE id = :id;

-- name: delete_execution_status
DELETE FROM execution_status WHERE id = :id;

-- name: lock_out_blotter
-- While the lock is held no new row can point to this one.
SELECT id FROM blotter WHERE id = :id FOR UPDATE;

-- name: lock_out_trade_type
SELECT id FROM trade_type WHERE id = :id FOR UPDATE;

-- name: lock_out_destination
SELECT id FROM destination WHERE id = :id FOR UPDATE;

-- name: lock_out_execution_status
SELECT id FROM execution_status WHERE id = :id FOR UPDATE;

-- name: users_blotter
-- No index serves these (docs/decisions/0004): an unused row costs a scan of the whole table.
SELECT (SELECT id FROM trade_order WHERE blotter_id = :id LIMIT 1) AS trade_order,
       (SELECT id FROM execution WHERE blotter_id = :id LIMIT 1) AS execution;

-- name: users_trade_type
SELECT id AS execution FROM execution WHERE trade_type_id = :id LIMIT 1;

-- name: users_destination
SELECT id AS execution FROM execution WHERE destination_id = :id LIMIT 1;

-- name: users_execution_status
SELECT id AS execution FROM execution WHERE execution_status_id = :id LIMIT 1;
