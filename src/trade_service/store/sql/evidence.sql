-- Evidence by execution, code and time, the latest first.

-- fragment: shown
v.found_at, v.id, v.found_at, v.source, v.code, v.attempt_id::text, v.state_before, v.state, v.service_id_before,
v.service_id, v.actor, v.actor_known_by, v.message, v.execution_id

-- fragment: behind
(v.found_at, v.id) < (coalesce(:before_at::timestamptz, 'infinity'), :before_id::bigint)

-- fragment: looked_at
-- The latest behind a place, without another condition: else the planner, which expects few, would sort all.
SELECT *
FROM submission_evidence v
WHERE {behind}
ORDER BY v.found_at DESC, v.id DESC

-- name: page
-- Place, then the fields of FoundEvidence in order.
SELECT {shown}
FROM ({looked_at} LIMIT :looked_at) v
WHERE v.found_at >= coalesce(:since::timestamptz, '-infinity') AND (:code::text IS NULL OR v.code = :code)
ORDER BY v.found_at DESC, v.id DESC
LIMIT :limit;

-- name: last_looked_at
-- Only if there are more behind it.
SELECT v.found_at, v.id
FROM ({looked_at} OFFSET :looked_at - 1 LIMIT 1) v
WHERE v.found_at >= coalesce(:since::timestamptz, '-infinity');

-- name: page_of_execution
SELECT {shown}
FROM submission_evidence v
WHERE v.execution_id = :execution_id AND {behind}
  AND v.found_at >= coalesce(:since::timestamptz, '-infinity') AND (:code::text IS NULL OR v.code = :code)
ORDER BY v.found_at DESC, v.id DESC
LIMIT :limit;
