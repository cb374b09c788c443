-- Executions that are rejected or exhausted, by reason and time. The statements that end an execution, or take that
-- back, write the table; see the fragment `settled`. `reason` is a hash of state, code and the message without ids: rows
-- are found by it and then compared, since two reasons may have the same hash.

-- fragment: in_period
f.failed_at >= coalesce(:since::timestamptz, '-infinity') AND f.failed_at < coalesce(:until::timestamptz, 'infinity')

-- name: groups
-- In the order of the fields of FailureGroup. The index has all that is counted; each group's words are read once.
SELECT x.state, x.code, regexp_replace(x.message, {general}), g.count, g.first_at, g.last_at, g.sample_id
FROM (
    SELECT f.reason, count(*) AS count, min(f.failed_at) AS first_at, max(f.failed_at) AS last_at,
           max(f.execution_id) AS sample_id
    FROM failed_execution f
    WHERE {in_period}
    GROUP BY f.reason
) g
CROSS JOIN LATERAL (SELECT * FROM failed_execution t WHERE t.execution_id = g.sample_id OFFSET 0) x
WHERE :state::text IS NULL OR x.state = :state
ORDER BY g.count DESC, g.last_at DESC, g.sample_id DESC
LIMIT :limit;

-- fragment: chosen
(:state::text IS NULL OR f.state = :state)
AND (:code::text IS NULL OR f.code = :code)
AND (:message::text IS NULL
     OR regexp_replace(f.message, {general}) = regexp_replace(:message::text, {general}))

-- fragment: reason
hashtextextended(:state::text || ' ' || :code::text || ' ' || regexp_replace(:message::text, {general}), 0)

-- fragment: looked_at
-- The latest rows behind a place, without another condition: else the planner, which expects few, would sort all.
SELECT *
FROM failed_execution
WHERE (failed_at, execution_id) < (coalesce(:before_at::timestamptz, 'infinity'), :before_id::bigint)
ORDER BY failed_at DESC, execution_id DESC

-- name: last_looked_at
-- Where to look on: the place of the last row looked at, if there are as many.
SELECT f.failed_at, f.execution_id
FROM ({looked_at} OFFSET :looked_at - 1 LIMIT 1) f
WHERE f.failed_at >= coalesce(:since::timestamptz, '-infinity');

-- name: places
SELECT f.execution_id
FROM ({looked_at} LIMIT :looked_at) f
WHERE f.failed_at >= coalesce(:since::timestamptz, '-infinity') AND {chosen}
ORDER BY f.failed_at DESC, f.execution_id DESC
LIMIT :limit;

-- name: places_of_reason
-- One range of the index.
SELECT f.execution_id
FROM failed_execution f
WHERE (f.reason, f.failed_at, f.execution_id)
      < ({reason}, coalesce(:before_at::timestamptz, 'infinity'), :before_id::bigint)
  AND (f.reason, f.failed_at) >= ({reason}, coalesce(:since::timestamptz, '-infinity'))
ORDER BY f.reason DESC, f.failed_at DESC, f.execution_id DESC
LIMIT :limit;

-- name: rows
-- In the order of the fields of FailedExecution.
SELECT f.execution_id, e.trade_order_id, o.order_id, f.state, f.code, f.message, f.failed_at, e.quantity_ordered,
       rtrim(o.security_id), d.abbreviation
FROM failed_execution f
CROSS JOIN LATERAL (SELECT * FROM execution x WHERE x.id = f.execution_id OFFSET 0) e
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o
JOIN destination d ON d.id = e.destination_id
WHERE f.execution_id = ANY(:ids) AND {chosen}
ORDER BY f.failed_at DESC, f.execution_id DESC;

-- name: count
SELECT count(*) FROM failed_execution f WHERE {in_period} AND {chosen};

-- name: count_of_reason
SELECT count(*) FROM failed_execution f WHERE f.reason = {reason} AND {in_period} AND {chosen};

-- name: check
-- Compares the next executions with the table and corrects it, where another program or the previous release changed
-- them; returns how many were read, no row while no check is due. What differs is locked and read again: others may
-- be changing it.
WITH turn AS MATERIALIZED (
    SELECT next_id FROM failed_execution_check WHERE due_at <= now() FOR NO KEY UPDATE SKIP LOCKED
), page AS MATERIALIZED (
    SELECT e.id, e.submission_state
    FROM execution e
    WHERE e.id > (SELECT next_id FROM turn)
    ORDER BY e.id
    LIMIT :limit
), piece AS MATERIALIZED (
    SELECT count(*) AS size, max(id) AS last FROM page
), listed AS MATERIALIZED (
    SELECT f.execution_id AS id, f.state
    FROM failed_execution f
    WHERE f.execution_id > (SELECT next_id FROM turn)
      AND f.execution_id <= (SELECT CASE WHEN size < :limit THEN 2147483647 ELSE last END FROM piece)
), differing AS MATERIALIZED (
    SELECT coalesce(p.id, l.id) AS id
    FROM page p FULL JOIN listed l ON l.id = p.id
    WHERE l.state IS DISTINCT FROM CASE WHEN p.submission_state IN ('rejected', 'exhausted') THEN p.submission_state END
), locked AS MATERIALIZED (
    SELECT e.id, e.submission_state, e.attempt_id, e.execution_timestamp
    FROM execution e
    WHERE e.id = ANY(ARRAY(SELECT id FROM differing))
    ORDER BY e.id
    FOR NO KEY UPDATE
), added AS (
    INSERT INTO failed_execution (execution_id, state, code, message, failed_at)
    SELECT e.id, e.submission_state, coalesce(v.code, f.code, a.code, ''),
           coalesce(v.message, f.message, a.message, ''), coalesce(a.closed_at, e.execution_timestamp)
    FROM locked e
    {reasons}
    WHERE e.submission_state IN ('rejected', 'exhausted')
    ON CONFLICT (execution_id) DO UPDATE
    SET state = excluded.state, code = excluded.code, message = excluded.message, failed_at = excluded.failed_at
    WHERE failed_execution.state <> excluded.state
), removed AS (
    DELETE FROM failed_execution
    WHERE execution_id = ANY(ARRAY(
        SELECT d.id FROM differing d LEFT JOIN locked e ON e.id = d.id
        WHERE e.submission_state IN ('rejected', 'exhausted') IS NOT TRUE))
)
UPDATE failed_execution_check
SET next_id = CASE WHEN p.size < :limit THEN 0 ELSE p.last END,
    due_at = CASE WHEN p.size < :limit THEN now() + interval '1 day' ELSE due_at END
FROM piece p
WHERE EXISTS (SELECT FROM turn)
RETURNING p.size AS read, (SELECT count(*) FROM differing) AS corrected;
