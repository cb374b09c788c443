-- What the attempts show: the backlog, and how executions became exhausted.

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
