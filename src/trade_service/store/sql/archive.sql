-- Finished rows that leave the database for files: pages of due rows, their removal, and what the database keeps.
--
-- A page reads a bounded number of rows along an index, from the end of the last page, and returns all of them, read
-- one by one (OFFSET ensures it). It asks for the oldest without another condition: else the planner, which
-- expects few, would sort all that are old. `line` is the row as JSON if it is due, else NULL. Removal locks the rows,
-- reads the lines again and removes only what the file holds, in the transaction that registers the file. Decimals are
-- texts in JSON, so that no reader rounds them; `to_jsonb` takes every column, also those that another program added.
--
-- Entries of the audit log and evidence are removed within the times of their file, which the index on time serves.

-- name: alone
-- Held until the transaction ends.
SELECT pg_try_advisory_xact_lock(:key);

-- name: cutoff
-- Also as a bound on UUIDs of version 7, which begin with a time.
SELECT now() - :keep_days::int * interval '1 day' AS before,
       (lpad(to_hex((extract(epoch FROM now() - :keep_days::int * interval '1 day') * 1000)::bigint + :skew_ms::int),
             12, '0') || repeat('0', 20))::uuid::text AS before_id;

-- name: place
SELECT current_database() AS database, (SELECT max(version_num) FROM trade_service_alembic_version) AS schema;

-- name: utc
-- Times in lines are the same whatever the server's time zone is.
SELECT set_config('TimeZone', 'UTC', true);

-- fragment: is_finished
-- Rejected or exhausted, or accepted and no longer traded.
(e.submission_state IN ('rejected', 'exhausted')
 OR e.submission_state = 'accepted' AND e.execution_service_id IS NOT NULL
    AND e.execution_status_id = ANY(ARRAY(
        SELECT id FROM execution_status WHERE abbreviation = ANY(:final_statuses::text[]))))

-- fragment: execution_due
(e.execution_timestamp < :before::timestamptz AND {is_finished}
 AND NOT EXISTS (SELECT FROM submission_attempt t
                 WHERE t.id = e.attempt_id AND t.next_action_at IS NOT NULL OFFSET 0))

-- fragment: execution_line
-- With the names behind its foreign keys.
to_jsonb(e) || jsonb_build_object(
    'quantity_ordered', e.quantity_ordered::text, 'quantity_placed', e.quantity_placed::text,
    'quantity_filled', e.quantity_filled::text, 'limit_price', e.limit_price::text,
    'order_id', o.order_id, 'portfolio_id', rtrim(o.portfolio_id), 'order_type', rtrim(o.order_type),
    'security_id', rtrim(o.security_id),
    'trade_type', (SELECT abbreviation FROM trade_type WHERE id = e.trade_type_id),
    'destination', (SELECT abbreviation FROM destination WHERE id = e.destination_id),
    'execution_status', (SELECT abbreviation FROM execution_status WHERE id = e.execution_status_id))

-- name: page_executions
WITH page AS MATERIALIZED (
    SELECT id
    FROM (
        SELECT id, execution_timestamp
        FROM execution
        WHERE (execution_timestamp, id) > (:after_at::timestamptz, :after_id::text::int)
        ORDER BY execution_timestamp, id
        LIMIT :limit
    ) oldest
    WHERE execution_timestamp < :before::timestamptz
)
SELECT e.execution_timestamp AS at, e.id::text AS id, CASE WHEN {execution_due} THEN ({execution_line})::text END AS line
FROM page p
CROSS JOIN LATERAL (SELECT * FROM execution x WHERE x.id = p.id OFFSET 0) e
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o
ORDER BY e.execution_timestamp, e.id;

-- name: lock_executions
-- Read by ids alone, and chosen afterwards, as submission.sql says.
WITH locked AS MATERIALIZED (
    SELECT * FROM execution WHERE id = ANY(:ids::text[]::int[]) ORDER BY id FOR UPDATE
)
SELECT e.id::text AS id, ({execution_line})::text AS line
FROM locked e
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o
WHERE {execution_due}
ORDER BY e.id;

-- name: remove_executions
-- On locked rows; each leaves a row that the audit reads.
WITH kept AS (
    INSERT INTO archived_execution
        (id, file_id, trade_order_id, execution_timestamp, trade_type, destination, quantity_ordered,
         submission_state, execution_service_id, is_legacy)
    SELECT e.id, :file_id, e.trade_order_id, e.execution_timestamp, tt.abbreviation, d.abbreviation,
           e.quantity_ordered, e.submission_state, e.execution_service_id,
           e.submission_state = 'accepted' AND e.attempt_id IS NULL
           OR EXISTS (SELECT FROM submission_attempt t WHERE t.id = e.attempt_id AND t.adopted OFFSET 0)
    FROM execution e
    JOIN destination d ON d.id = e.destination_id
    LEFT JOIN trade_type tt ON tt.id = e.trade_type_id
    WHERE e.id = ANY(:ids::text[]::int[])
    ORDER BY e.id
), gone AS (
    DELETE FROM failed_execution WHERE execution_id = ANY(:ids::text[]::int[])
)
DELETE FROM execution WHERE id = ANY(:ids::text[]::int[]);

-- fragment: attempt_due
-- Closed, and needed by no execution. An open one needs it to be settled, a legacy one to be recognised, and one
-- whose fill came before it was sent to be known as never sent.
(t.started_at < :before::timestamptz AND t.state = 'answered' AND t.next_action_at IS NULL
 AND NOT EXISTS (
     SELECT FROM execution e
     WHERE e.id = ANY(t.execution_ids) AND e.attempt_id = t.id
       AND (t.adopted OR t.code = 'FILL_REPORTED'
            OR e.submission_state IN ('none', 'queued', 'claimed', 'retry', 'unknown')
            OR e.submission_state = 'accepted' AND e.execution_service_id IS NULL) OFFSET 0))

-- name: page_attempts
-- The newest ones stay: start-up reads their ledger ids.
WITH page AS MATERIALIZED (
    SELECT id
    FROM (SELECT id FROM submission_attempt WHERE id > :after_id::text::uuid ORDER BY id LIMIT :limit) oldest
    WHERE id < :before_id::text::uuid
      AND id <= (SELECT id FROM submission_attempt ORDER BY id DESC OFFSET :newest LIMIT 1)
)
SELECT t.started_at AS at, t.id::text AS id, CASE WHEN {attempt_due} THEN to_jsonb(t)::text END AS line
FROM page p
CROSS JOIN LATERAL (SELECT * FROM submission_attempt x WHERE x.id = p.id OFFSET 0) t
ORDER BY t.id;

-- name: lock_attempts
SELECT t.id::text AS id, to_jsonb(t)::text AS line
FROM submission_attempt t
WHERE t.id = ANY(:ids::text[]::uuid[]) AND {attempt_due}
ORDER BY t.id
FOR UPDATE OF t;

-- name: remove_attempts
DELETE FROM submission_attempt WHERE id = ANY(:ids::text[]::uuid[]);

-- fragment: evidence_due
-- The execution is finished or gone. Evidence of a refused fill stays, or the alarm would be raised again.
(v.found_at < :before::timestamptz
 AND NOT EXISTS (SELECT FROM execution e
                 WHERE e.id = v.execution_id AND (v.code = 'FILL_REFUSED' OR ({is_finished}) IS NOT TRUE) OFFSET 0))

-- name: page_evidence
WITH page AS MATERIALIZED (
    SELECT execution_id, id
    FROM (
        SELECT execution_id, id, found_at
        FROM submission_evidence
        WHERE (found_at, id) > (:after_at::timestamptz, :after_id::text::bigint)
        ORDER BY found_at, id
        LIMIT :limit
    ) oldest
    WHERE found_at < :before::timestamptz
)
SELECT v.found_at AS at, v.id::text AS id, CASE WHEN {evidence_due} THEN to_jsonb(v)::text END AS line
FROM page p
CROSS JOIN LATERAL (SELECT * FROM submission_evidence x
                    WHERE x.execution_id = p.execution_id AND x.id = p.id OFFSET 0) v
ORDER BY v.found_at, v.id;

-- name: lock_evidence
SELECT v.id::text AS id, to_jsonb(v)::text AS line
FROM submission_evidence v
WHERE v.found_at BETWEEN :first_at AND :last_at AND v.id = ANY(:ids::text[]::bigint[]) AND {evidence_due}
ORDER BY v.execution_id, v.id
FOR UPDATE OF v;

-- name: remove_evidence
DELETE FROM submission_evidence WHERE found_at BETWEEN :first_at AND :last_at AND id = ANY(:ids::text[]::bigint[]);

-- name: page_audit_log
SELECT l.at, l.id::text AS id, to_jsonb(l)::text AS line
FROM (
    SELECT *
    FROM audit_log
    WHERE (at, id) > (:after_at::timestamptz, :after_id::text::bigint)
    ORDER BY at, id
    LIMIT :limit
) l
WHERE l.at < :before::timestamptz
ORDER BY l.at, l.id;

-- name: lock_audit_log
SELECT l.id::text AS id, to_jsonb(l)::text AS line
FROM audit_log l
WHERE l.at BETWEEN :first_at AND :last_at AND l.id = ANY(:ids::text[]::bigint[]) AND l.at < :before::timestamptz
ORDER BY l.at, l.id
FOR UPDATE OF l;

-- name: remove_audit_log
DELETE FROM audit_log WHERE at BETWEEN :first_at AND :last_at AND id = ANY(:ids::text[]::bigint[]);

-- fragment: bulk_due
(b.created_at < :before::timestamptz
 AND NOT EXISTS (SELECT FROM execution e
                 WHERE e.id = ANY(b.execution_ids)
                   AND e.submission_state IN ('queued', 'claimed', 'retry', 'unknown') OFFSET 0))

-- name: page_bulk_submissions
WITH page AS MATERIALIZED (
    SELECT id
    FROM (SELECT id FROM bulk_submission WHERE id > :after_id::text::uuid ORDER BY id LIMIT :limit) oldest
    WHERE id < :before_id::text::uuid
)
SELECT b.created_at AS at, b.id::text AS id, CASE WHEN {bulk_due} THEN to_jsonb(b)::text END AS line
FROM page p
CROSS JOIN LATERAL (SELECT * FROM bulk_submission x WHERE x.id = p.id OFFSET 0) b
ORDER BY b.id;

-- name: lock_bulk_submissions
SELECT b.id::text AS id, to_jsonb(b)::text AS line
FROM bulk_submission b
WHERE b.id = ANY(:ids::text[]::uuid[]) AND {bulk_due}
ORDER BY b.id
FOR UPDATE OF b;

-- name: remove_bulk_submissions
DELETE FROM bulk_submission WHERE id = ANY(:ids::text[]::uuid[]);

-- name: register
WITH file AS (
    INSERT INTO archive_file
        (kind, name, row_count, sha256, first_execution_id, last_execution_id, first_at, last_at, oldest_epoch)
    VALUES (:kind, :name, :rows, :sha256, :first_execution_id, :last_execution_id, :first_at, :last_at,
            :oldest_epoch)
    RETURNING id
)
SELECT id, set_config('trade_service.archive_file', id::text, true) FROM file;

-- name: files
-- In the order of the fields of ArchiveFile.
SELECT kind, name, row_count, sha256, first_at, last_at, first_execution_id, last_execution_id, oldest_epoch, id
FROM archive_file
WHERE id > :after
ORDER BY id
LIMIT :limit;

-- name: known_executions
SELECT count(*)
FROM archived_execution x
WHERE x.id = ANY(:ids::int[]) AND x.file_id = (SELECT f.id FROM archive_file f WHERE f.name = :name);

-- name: search_order
-- A trade order by its client's id, and its executions, here or archived.
SELECT o.id, array(SELECT e.id FROM execution e WHERE e.trade_order_id = o.id
                   UNION ALL SELECT x.id FROM archived_execution x WHERE x.trade_order_id = o.id) AS execution_ids
FROM trade_order o
WHERE o.order_id = :order_id;

-- name: search_service_id
SELECT id FROM execution WHERE execution_service_id = :service_id
UNION SELECT id FROM archived_execution WHERE execution_service_id = :service_id;
