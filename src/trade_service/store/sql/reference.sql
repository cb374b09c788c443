-- Reference data, and names of portfolios and securities as their own services reported them.
--
-- Changes of one kind of reference data take turns: each locks all rows of its table first. No statement of a
-- submission waits for that lock, since foreign keys ask for less.

-- name: load
SELECT 'blotter' AS kind, id, abbreviation, name AS description, version FROM blotter
UNION ALL SELECT 'trade_type', id, abbreviation, description, version FROM trade_type
UNION ALL SELECT 'destination', id, abbreviation, description, version FROM destination
UNION ALL SELECT 'execution_status', id, abbreviation, description, version FROM execution_status
UNION ALL SELECT 'revision', id, NULL, NULL, revision FROM reference_revision
ORDER BY kind, id;

-- fragment: text_of (trade_type, destination, execution_status)
description

-- fragment: text_of_blotter
name

-- name: take_turn (blotter, trade_type, destination, execution_status)
SELECT id FROM {each} ORDER BY id FOR NO KEY UPDATE;

-- name: rows (blotter, trade_type, destination, execution_status)
SELECT id, abbreviation, {text_of_{each}}, version FROM {each} ORDER BY id;

-- name: insert (blotter, trade_type, destination, execution_status)
INSERT INTO {each} (abbreviation, {text_of_{each}}) VALUES (:abbreviation, :text)
RETURNING id, abbreviation, {text_of_{each}}, version;

-- name: update (blotter, trade_type, destination, execution_status)
UPDATE {each} SET abbreviation = :abbreviation, {text_of_{each}} = :text, version = version + 1
WHERE id = :id
RETURNING id, abbreviation, {text_of_{each}}, version;

-- name: delete (blotter, trade_type, destination, execution_status)
DELETE FROM {each} WHERE id = :id;

-- name: lock_out (blotter, trade_type, destination, execution_status)
-- While the lock is held no new row can point to this one.
SELECT id FROM {each} WHERE id = :id FOR UPDATE;

-- name: users_blotter
-- No index serves these (docs/decisions/0004): an unused row costs a scan of the whole table.
SELECT (SELECT id FROM trade_order WHERE blotter_id = :id LIMIT 1) AS trade_order,
       (SELECT id FROM execution WHERE blotter_id = :id LIMIT 1) AS execution;

-- name: users (trade_type, destination, execution_status)
SELECT id AS execution FROM execution WHERE {each}_id = :id LIMIT 1;

-- name: known_names
SELECT 'portfolio' AS kind, rtrim(id) AS id, name, extract(epoch FROM now() - fetched_at)::float8 AS age_s
FROM portfolio_name WHERE id = ANY(:portfolio_ids)
UNION ALL
SELECT 'security', rtrim(id), name, extract(epoch FROM now() - fetched_at)::float8
FROM security_name WHERE id = ANY(:security_ids);

-- name: remember (portfolio, security)
-- In id order: two replicas with the same ids wait for each other instead of deadlocking.
INSERT INTO {each}_name AS n (id, name)
SELECT t.id, t.name FROM unnest(:ids::bpchar[], :names::text[]) AS t(id, name) ORDER BY t.id
ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, n.name), fetched_at = now()
RETURNING rtrim(id), name;

-- name: ids_of (portfolio, security)
SELECT rtrim(id), name
FROM {each}_name
WHERE lower(name) = ANY(ARRAY(SELECT lower(v) FROM unnest(:texts::text[]) v))
UNION ALL
SELECT v, v
FROM unnest(:texts::text[]) v
WHERE length(v) <= 24
  AND EXISTS (SELECT FROM trade_order o WHERE o.{each}_id = v::char(24))
  AND NOT EXISTS (SELECT FROM {each}_name n WHERE n.id = v::char(24) AND n.name IS NOT NULL);

-- name: nameless (portfolio, security)
-- A skip scan of the index finds the ids in use, however many orders share each.
WITH RECURSIVE seen (id) AS (
    (SELECT {each}_id FROM trade_order ORDER BY {each}_id LIMIT 1)
    UNION ALL
    SELECT (SELECT o.{each}_id FROM trade_order o WHERE o.{each}_id > s.id ORDER BY o.{each}_id LIMIT 1)
    FROM seen s
    WHERE s.id IS NOT NULL
), missing AS (
    SELECT s.id, NULL::timestamptz AS fetched_at
    FROM seen s
    WHERE s.id IS NOT NULL AND NOT EXISTS (SELECT FROM {each}_name n WHERE n.id = s.id)
    LIMIT :limit
), old AS (
    SELECT id, fetched_at
    FROM {each}_name
    WHERE fetched_at < now() - make_interval(secs => :older_than_s)
    ORDER BY fetched_at
    LIMIT :limit
)
SELECT rtrim(id)
FROM (SELECT * FROM missing UNION ALL SELECT * FROM old) wanted
ORDER BY fetched_at NULLS FIRST
LIMIT :limit;

-- name: forget (portfolio, security)
DELETE FROM {each}_name
WHERE id IN (SELECT id FROM {each}_name ORDER BY fetched_at DESC, id OFFSET :kept);
