-- What the database holds, for the audit, `db status`, the metrics and the log: each statement sees one moment.

-- fragment: is_legacy
-- Rows that the legacy service wrote, adopted or not.
(e.submission_state IS NULL
 OR e.submission_state = 'accepted' AND e.attempt_id IS NULL
 OR e.attempt_id IN (SELECT id FROM submission_attempt WHERE adopted))

-- fragment: orders
WITH per_order AS (
    SELECT e.trade_order_id,
           count(*) AS executions,
           count(*) FILTER (WHERE e.submission_state <> 'none') AS submitted,
           count(*) FILTER (WHERE e.submission_state = 'none') AS state_none,
           count(*) FILTER (WHERE e.submission_state = 'queued') AS state_queued,
           count(*) FILTER (WHERE e.submission_state = 'claimed') AS state_claimed,
           count(*) FILTER (WHERE e.submission_state = 'retry') AS state_retry,
           count(*) FILTER (WHERE e.submission_state = 'unknown') AS state_unknown,
           count(*) FILTER (WHERE e.submission_state = 'accepted') AS state_accepted,
           count(*) FILTER (WHERE e.submission_state = 'rejected') AS state_rejected,
           count(*) FILTER (WHERE e.submission_state = 'exhausted') AS state_exhausted,
           sum(e.quantity_ordered) FILTER (
               WHERE coalesce(e.submission_state, '') NOT IN ('rejected', 'exhausted')) AS held,
           bool_or({is_legacy}) AS has_legacy
    FROM execution e
    GROUP BY e.trade_order_id
), archived AS (
    SELECT trade_order_id, count(*) AS archived,
           coalesce(sum(quantity_ordered) FILTER (WHERE submission_state NOT IN ('rejected', 'exhausted')), 0) AS held,
           bool_or(is_legacy) AS has_legacy
    FROM archived_execution
    GROUP BY trade_order_id
), orders AS (
    SELECT o.id, o.order_id, o.quantity_sent, a.archived, coalesce(p.held, 0) + coalesce(a.held, 0) AS quantity_held,
           o.quantity_sent <> coalesce(p.held, 0) + coalesce(a.held, 0) AS differs,
           -- An order without executions may be the legacy service's, where that one has run.
           coalesce(p.has_legacy OR a.has_legacy, p.has_legacy, a.has_legacy,
                    to_regclass('flyway_schema_history') IS NOT NULL) AS legacy,
           p.*
    FROM trade_order o
    LEFT JOIN per_order p ON p.trade_order_id = o.id
    LEFT JOIN archived a ON a.trade_order_id = o.id
)

-- name: balance
{orders}
SELECT count(*) AS orders,
       coalesce(sum(executions), 0)::bigint AS executions,
       coalesce(sum(submitted), 0)::bigint AS submitted,
       coalesce(sum(state_none), 0)::bigint AS state_none,
       coalesce(sum(state_queued), 0)::bigint AS state_queued,
       coalesce(sum(state_claimed), 0)::bigint AS state_claimed,
       coalesce(sum(state_retry), 0)::bigint AS state_retry,
       coalesce(sum(state_unknown), 0)::bigint AS state_unknown,
       coalesce(sum(state_accepted), 0)::bigint AS state_accepted,
       coalesce(sum(state_rejected), 0)::bigint AS state_rejected,
       coalesce(sum(state_exhausted), 0)::bigint AS state_exhausted,
       coalesce(sum(quantity_sent), 0) AS quantity_sent,
       coalesce(sum(quantity_held), 0) AS quantity_held,
       count(*) FILTER (WHERE differs AND NOT legacy) AS wrong_orders,
       count(*) FILTER (WHERE differs AND legacy) AS legacy_orders,
       coalesce(sum(archived), 0)::bigint AS archived
FROM orders;

-- name: wrong_orders
{orders}
SELECT id, order_id, quantity_sent, quantity_held
FROM orders
WHERE differs AND NOT legacy
ORDER BY id
LIMIT :limit;

-- name: accepted_without_id
SELECT e.id, e.submission_state, count(*) OVER () AS total
FROM execution e LEFT JOIN submission_attempt a ON a.id = e.attempt_id
WHERE e.submission_state = 'accepted' AND e.execution_service_id IS NULL AND a.next_action_at IS NULL
  AND NOT {is_legacy}
ORDER BY e.id
LIMIT :limit;

-- name: stranded
SELECT e.id, e.submission_state, count(*) OVER () AS total
FROM execution e LEFT JOIN submission_attempt a ON a.id = e.attempt_id
WHERE e.submission_state IN ('queued', 'claimed', 'retry', 'unknown') AND a.next_action_at IS NULL
ORDER BY e.id
LIMIT :limit;

-- name: failed_differ
-- Executions that the table of failed executions lacks, or has wrongly.
SELECT count(*)
FROM (SELECT id, submission_state FROM execution WHERE submission_state IN ('rejected', 'exhausted')) e
FULL JOIN failed_execution f ON f.execution_id = e.id
WHERE e.submission_state IS DISTINCT FROM f.state;

-- name: idle_attempts
SELECT count(*)
FROM submission_attempt a
WHERE a.next_action_at IS NOT NULL
  AND NOT EXISTS (
      SELECT FROM execution e
      WHERE e.id = ANY(a.execution_ids) AND e.attempt_id = a.id
        AND (e.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
             OR e.submission_state = 'accepted' AND e.execution_service_id IS NULL));

-- name: own
SELECT e.id, e.submission_state, e.execution_service_id, e.execution_timestamp, t.abbreviation AS trade_type,
       rtrim(o.security_id) AS security_id, e.quantity_ordered, d.abbreviation AS destination, false AS archived
FROM execution e
-- OFFSET keeps it one index read per execution.
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o
JOIN destination d ON d.id = e.destination_id
LEFT JOIN trade_type t ON t.id = e.trade_type_id
WHERE e.id = ANY(:ids)
UNION ALL
SELECT x.id, x.submission_state, x.execution_service_id, x.execution_timestamp, x.trade_type, rtrim(o.security_id),
       x.quantity_ordered, x.destination, true
FROM archived_execution x
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = x.trade_order_id OFFSET 0) o
WHERE x.id = ANY(:ids);

-- name: accepted
SELECT *
FROM (
    SELECT e.id, e.execution_service_id, {is_legacy} AS legacy, e.submission_state = 'accepted' AS accepted
    FROM (SELECT * FROM execution WHERE id > :after ORDER BY id LIMIT :limit) e
    UNION ALL
    (SELECT id, execution_service_id, is_legacy, submission_state = 'accepted'
     FROM archived_execution WHERE id > :after ORDER BY id LIMIT :limit)
) page
ORDER BY id
LIMIT :limit;

-- name: archive_differs
-- Files whose executions are not all known as archived, and executions that are both here and archived.
SELECT f.name AS what, f.row_count AS expected, count(x.id) AS found
FROM archive_file f LEFT JOIN archived_execution x ON x.file_id = f.id
WHERE f.kind = 'executions'
GROUP BY f.id
HAVING f.row_count <> count(x.id)
UNION ALL
SELECT 'execution ' || x.id, 0, 1
FROM archived_execution x
WHERE EXISTS (SELECT FROM execution e WHERE e.id = x.id)
ORDER BY 1
LIMIT :limit;

-- name: server
SELECT current_setting('server_version') AS server, current_database() AS database;

-- name: counts
SELECT (SELECT count(*) FROM trade_order) AS trade_orders,
       (SELECT count(*) FROM submission_attempt) AS attempts,
       (SELECT count(*) FROM submission_attempt WHERE next_action_at IS NOT NULL) AS open_attempts;

-- name: states
SELECT coalesce(submission_state, 'legacy') AS state, count(*) AS executions
FROM execution
GROUP BY submission_state
ORDER BY submission_state;

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

-- name: pauses
SELECT count(*) FROM submission_pause;

-- name: tries
-- An attempt's id begins with its time, so the attempts since the first claim are one range of the primary key. No
-- index leads from an execution to its attempts: the submission path would pay for it with every batch.
WITH first AS MATERIALIZED (
    SELECT min(coalesce(e.give_up_at, now()) - :give_up_after_ms::int * interval '1 ms') AS claimed_at
    FROM execution e
    WHERE e.id = ANY(:ids)
)
SELECT u.id AS execution_id, a.id::text AS attempt_id, a.started_at, a.kind, a.code, a.http_status,
       array(SELECT f.code
             FROM unnest(a.finding_ids, a.finding_codes) WITH ORDINALITY AS f(id, code, place)
             WHERE f.id = u.id
             ORDER BY f.place) AS findings
FROM submission_attempt a
CROSS JOIN LATERAL unnest(a.execution_ids) AS u(id)
WHERE a.id >= (
        SELECT (lpad(to_hex((extract(epoch FROM claimed_at) * 1000)::bigint - :skew_ms::int), 12, '0')
                || repeat('0', 20))::uuid
        FROM first)
  AND a.execution_ids && :ids::int[]
  AND a.state <> 'queued'
  AND u.id = ANY(:ids)
ORDER BY a.id
LIMIT :limit;
