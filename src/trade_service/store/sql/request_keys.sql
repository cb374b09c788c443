-- Idempotency keys: written by the transaction that creates, read by repeats.

-- name: insert_key
-- Waits for another transaction with the same key, and writes nothing when that one keeps it.
INSERT INTO idempotency_key (id, principal, scope, key, fingerprint, holder, running_until, expires_at)
VALUES (:id, :principal, :scope, :key, :fingerprint, :holder, now() + :lease_ms::int * interval '1 ms',
        now() + :keep_s::int * interval '1 s')
ON CONFLICT DO NOTHING;

-- name: note_created
UPDATE idempotency_key SET created = :created WHERE id = :id;

-- name: free_key
DELETE FROM idempotency_key WHERE id = :id;

-- name: find_key
SELECT fingerprint, ceil(extract(epoch FROM greatest(running_until - now(), interval '0')) * 1000)::int,
       created, status, headers, body
FROM idempotency_key
WHERE id = :id;

-- name: take_over_key
UPDATE idempotency_key
SET holder = :holder, running_until = now() + :lease_ms::int * interval '1 ms'
WHERE id = :id AND status IS NULL AND running_until <= now();

-- name: keep_answer
UPDATE idempotency_key
SET status = :status, headers = :headers, body = :body
WHERE id = :id AND holder = :holder AND status IS NULL;

-- name: let_go_key
UPDATE idempotency_key SET running_until = now() WHERE id = :id AND holder = :holder AND status IS NULL;

-- name: remove_old_keys
WITH old AS MATERIALIZED (
    SELECT id
    FROM idempotency_key
    WHERE id = ANY(ARRAY(
        -- Asked for without a condition the oldest are read off the index; else all old ones would be sorted.
        SELECT id
        FROM (SELECT id, expires_at FROM idempotency_key ORDER BY expires_at LIMIT :limit) oldest
        WHERE expires_at <= now()))
    FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_key WHERE id = ANY(ARRAY(SELECT id FROM old));
