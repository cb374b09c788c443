-- Recovery of a database that was restored from a backup: whatever is not final becomes unknown.

-- fragment: is_open
(e.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
 OR e.submission_state = 'none' AND e.execution_service_id IS NULL AND e.quantity_placed <= 0)

-- fragment: is_of_earlier_epoch
(e.submission_state IN ('claimed', 'unknown') AND a.epoch < (SELECT epoch FROM downstream))

-- name: count_open
SELECT e.submission_state, coalesce({is_of_earlier_epoch}, false), count(*)
FROM execution e LEFT JOIN submission_attempt a ON a.id = e.attempt_id
WHERE {is_open}
GROUP BY 1, 2;

-- name: lock_open
SELECT e.id, e.submission_state = 'none' OR coalesce(a.adopted, false) AS adopted, a.lease_until
FROM execution e
LEFT JOIN LATERAL (SELECT * FROM submission_attempt t WHERE t.id = e.attempt_id OFFSET 0) a ON true
WHERE {is_open} AND (:same_ledger OR {is_of_earlier_epoch} IS NOT TRUE)
ORDER BY e.id
FOR NO KEY UPDATE OF e;

-- name: recover
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(:ids::int[], :leases::timestamptz[]) AS t(id, lease_until)
), evidence AS (
    INSERT INTO submission_evidence
        (execution_id, source, code, attempt_id, state_before, state, actor, message)
    SELECT e.id, 'operator', 'RECOVERED', :attempt_id, e.submission_state, 'unknown', :actor, :reason
    FROM execution e WHERE e.id = ANY(:ids::int[])
), again AS (
    UPDATE execution e
    SET submission_state = 'unknown', attempt_id = :attempt_id, attempts_spent = 0, give_up_at = NULL,
        budget_ms = NULL
    WHERE e.id = ANY(:ids::int[])
)
INSERT INTO submission_attempt
    (id, state, owner, execution_ids, settle_ms, settle_from, floor_id, epoch, adopted, next_action_at,
     closed_at, kind, code, message)
SELECT :attempt_id, 'answered', :actor, array_agg(id ORDER BY id), :settle_ms,
       greatest(now(), max(lease_until)),
       0, (SELECT epoch FROM downstream), :adopted, now(), now(), 'lost',
       'RECOVERED', :reason
FROM wanted;

-- name: unblock
WITH alone AS MATERIALIZED (
    {one_at_a_time}
), unblocked AS (
    UPDATE downstream SET blocked_at = NULL, blocked_reason = NULL
)
{advanced};
