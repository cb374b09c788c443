-- Bulk submissions: a list of executions whose progress clients follow.

-- name: begin
-- Queues what was never submitted, a hundred executions an attempt, and writes the bulk submission.
WITH known AS MATERIALIZED (
    SELECT e.id, e.trade_order_id, {is_fresh} AS is_fresh
    FROM execution e
    WHERE e.id = ANY(:ids::int[])
    ORDER BY e.id
    FOR NO KEY UPDATE
), numbered AS MATERIALIZED (
    SELECT id, (:attempt_ids::uuid[])[1 + (row_number() OVER (ORDER BY id) - 1) / :attempt_size::int] AS attempt_id
    FROM known
    WHERE is_fresh
), queued AS (
    UPDATE execution e
    SET submission_state = 'queued', attempt_id = n.attempt_id
    FROM numbered n
    WHERE e.id = n.id
    RETURNING e.id, e.attempt_id
), attempts AS (
    INSERT INTO submission_attempt (id, state, owner, execution_ids, next_action_at)
    SELECT attempt_id, 'queued', :owner, array_agg(id ORDER BY id), now() + :grace_ms::int * interval '1 ms'
    FROM queued
    GROUP BY attempt_id
), audit AS (
    {audit}, 'submit', 'execution', :ids::int[], array(SELECT trade_order_id FROM known), NULL,
           jsonb_build_object('submissionId', :id::uuid)
    WHERE :is_audited::bool
)
INSERT INTO bulk_submission (id, execution_ids) VALUES (:id, :ids);

-- name: execution_ids
SELECT execution_ids FROM bulk_submission WHERE id = :id;

-- name: progress
SELECT b.created_at, cardinality(b.execution_ids) AS total, s.*
FROM bulk_submission b
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE e.submission_state = 'accepted') AS successful,
           count(*) FILTER (WHERE (e.submission_state = ANY(:settled_states)) IS NOT TRUE) AS pending
    FROM (
        SELECT submission_state FROM execution WHERE id = ANY(b.execution_ids)
        UNION ALL
        SELECT submission_state FROM archived_execution WHERE id = ANY(b.execution_ids)
    ) e
) s
WHERE b.id = :id;

-- name: page
-- The newest before a place, with their progress. Who began one is in the audit log's entry of the same transaction.
WITH newest AS MATERIALIZED (
    SELECT id, created_at, execution_ids, cardinality(execution_ids) AS total
    FROM bulk_submission
    WHERE id < coalesce(:before::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    ORDER BY id DESC
    LIMIT :limit
), looked_at AS MATERIALIZED (
    SELECT n.*, coalesce(sum(total) OVER (ORDER BY id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS behind
    FROM newest n
)
SELECT n.id::text, n.created_at, n.total, s.successful, s.pending, nullif(w.actor, '') AS created_by,
       CASE WHEN s.pending = 0 THEN (
           SELECT max(a.closed_at) FROM submission_attempt a WHERE a.id = ANY(s.attempt_ids)) END AS finished_at,
       EXISTS (SELECT FROM submitted_blotter x WHERE x.submission_id = n.id) AS is_blotter
FROM looked_at n
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE e.submission_state = 'accepted') AS successful,
           count(*) FILTER (WHERE (e.submission_state = ANY(:settled_states)) IS NOT TRUE) AS pending,
           array_agg(DISTINCT e.attempt_id) FILTER (WHERE e.attempt_id IS NOT NULL) AS attempt_ids
    FROM (
        SELECT submission_state, attempt_id FROM execution WHERE id = ANY(n.execution_ids)
        UNION ALL
        SELECT submission_state, NULL FROM archived_execution WHERE id = ANY(n.execution_ids)
    ) e
) s
LEFT JOIN LATERAL (
    SELECT l.actor
    FROM audit_log l
    WHERE l.at = n.created_at AND l.details ->> 'submissionId' = n.id::text
    LIMIT 1
) w ON true
WHERE n.behind < :most_executions
ORDER BY n.id DESC;

-- name: older
SELECT id FROM bulk_submission WHERE id < :id ORDER BY id DESC LIMIT 1;

-- name: items
SELECT p.place, p.id, e.submission_state, e.execution_service_id, f.code, f.message, s.abbreviation AS withdrawn
FROM (
    SELECT place, b.execution_ids[place + 1] AS id, nth
    FROM bulk_submission b, unnest(:places::int[]) WITH ORDINALITY AS t(place, nth)
    WHERE b.id = :id AND place >= 0 AND place < cardinality(b.execution_ids)
) p
-- OFFSET keeps it one index read per row.
LEFT JOIN LATERAL (
    SELECT x.submission_state, x.execution_service_id, x.attempt_id, x.execution_status_id
    FROM execution x WHERE x.id = p.id
    UNION ALL
    SELECT x.submission_state, x.execution_service_id, NULL, NULL
    FROM archived_execution x WHERE x.id = p.id OFFSET 0
) e ON true
LEFT JOIN execution_status s ON s.id = e.execution_status_id AND e.submission_state = 'none'
    AND s.abbreviation IN ({withdrawn})
LEFT JOIN LATERAL (
    SELECT u.code, u.message
    FROM submission_attempt a,
         unnest(a.finding_ids, a.finding_codes, a.finding_messages)
             WITH ORDINALITY AS u(execution_id, code, message, nth)
    WHERE a.id = e.attempt_id AND e.submission_state <> 'accepted' AND u.execution_id = p.id
    ORDER BY u.nth DESC
    LIMIT 1
) f ON true
ORDER BY p.nth;

-- name: lock_settled
SELECT cardinality(settled) AS settled, cardinality(execution_ids) AS total
FROM bulk_submission
WHERE id = :id
FOR NO KEY UPDATE;

-- name: note_settled
WITH open AS MATERIALIZED (
    SELECT t.id, t.place - 1 AS place
    FROM bulk_submission b, unnest(b.execution_ids) WITH ORDINALITY AS t(id, place)
    WHERE b.id = :id AND t.place - 1 NOT IN (SELECT unnest(settled) FROM bulk_submission WHERE id = :id)
), news AS MATERIALIZED (
    SELECT array_agg(o.place ORDER BY o.place) AS places
    FROM open o
    LEFT JOIN LATERAL (SELECT x.id, x.submission_state FROM execution x WHERE x.id = o.id OFFSET 0) e ON true
    WHERE e.id IS NULL OR e.submission_state = ANY(:settled_states)
)
UPDATE bulk_submission b
SET settled = b.settled || n.places
FROM news n
WHERE b.id = :id AND n.places IS NOT NULL;

-- name: settled_since
SELECT settled[:seen::int + 1 : :seen::int + :limit::int]
FROM bulk_submission
WHERE id = :id;

-- name: attempts
-- Membership is tested in a filter: as a join it may become a loop over the whole set for each row.
WITH wanted AS MATERIALIZED (
    SELECT unnest(execution_ids) AS id FROM bulk_submission WHERE id = :id
), touched AS MATERIALIZED (
    SELECT t.id, array_agg(x.id ORDER BY x.id) FILTER (WHERE x.id IN (SELECT id FROM wanted)) AS mine
    FROM submission_attempt t CROSS JOIN LATERAL unnest(t.execution_ids) x(id)
    -- Ids sort by their creation time, on clocks that differ a little.
    WHERE t.id > :after
    GROUP BY t.id
    HAVING count(*) FILTER (WHERE x.id IN (SELECT id FROM wanted)) > 0
    ORDER BY t.id
    LIMIT :limit
)
SELECT t.id::text, t.state, t.owner, t.started_at, t.closed_at, t.kind, t.code, t.message, t.http_status,
       t.duration_ms, t.look_ups, m.mine, t.finding_ids, t.finding_states, t.finding_codes, t.finding_messages
FROM touched m
CROSS JOIN LATERAL (SELECT * FROM submission_attempt a WHERE a.id = m.id OFFSET 0) t
ORDER BY t.id;

-- name: remove_old
DELETE FROM bulk_submission
WHERE id = ANY(ARRAY(
    -- Ids sort by their creation time.
    SELECT id
    FROM (SELECT id, created_at FROM bulk_submission ORDER BY id LIMIT :limit) oldest
    WHERE created_at < now() - :keep_s::float8 * interval '1 s'));
