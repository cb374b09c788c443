-- Pauses of sending, and what they keep waiting.

-- name: list
-- In the order of the fields of Pause. No destination: all of them.
SELECT p.id, p.destination_id, d.abbreviation, p.reason, p.paused_by, p.paused_at
FROM submission_pause p LEFT JOIN destination d ON d.id = p.destination_id
ORDER BY p.paused_at, p.id;

-- name: destinations
SELECT id FROM destination WHERE abbreviation = :abbreviation ORDER BY id;

-- name: waiting
-- Of the first open attempts, by destination: how many executions wait to be sent, and how many are being sent.
WITH open AS MATERIALIZED (
    SELECT id, execution_ids FROM submission_attempt WHERE next_action_at IS NOT NULL
    ORDER BY next_action_at
    LIMIT :attempts
)
SELECT e.destination_id, count(*) FILTER (WHERE e.submission_state <> 'claimed') AS waiting,
       count(*) FILTER (WHERE e.submission_state = 'claimed') AS in_flight
FROM open a
CROSS JOIN LATERAL (
    SELECT x.destination_id, x.submission_state FROM execution x
    WHERE x.id = ANY(a.execution_ids) AND x.attempt_id = a.id
      AND x.submission_state IN ('queued', 'retry', 'claimed')
    OFFSET 0
) e
GROUP BY e.destination_id;

-- name: pause
-- Those that are paused already stay as they are. An id of 0 is all destinations.
INSERT INTO submission_pause (destination_id, reason, paused_by)
SELECT nullif(id, 0), :reason, :actor FROM unnest(:destination_ids::int[]) AS t(id)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: lock
-- Waits for attempts that are being parked at this moment; until the transaction ends, no other one is.
SELECT id FROM submission_pause WHERE coalesce(destination_id, 0) = ANY(:destination_ids) ORDER BY id FOR UPDATE;

-- name: stop_budgets
-- The time budgets of what the pauses kept stand still from their beginning until the executions are claimed again.
WITH open AS MATERIALIZED (
    SELECT id, execution_ids FROM submission_attempt WHERE next_action_at IS NOT NULL AND state <> 'queued'
), kept AS MATERIALIZED (
    SELECT e.id
    FROM open a
    CROSS JOIN LATERAL (
        SELECT x.id, x.destination_id FROM execution x
        WHERE x.id = ANY(a.execution_ids) AND x.attempt_id = a.id AND x.give_up_at IS NOT NULL
          AND x.submission_state IN ('claimed', 'retry', 'unknown')
        OFFSET 0
    ) e
    WHERE (0 = ANY(:destination_ids::int[]) OR e.destination_id = ANY(:destination_ids::int[]))
), locked AS MATERIALIZED (
    SELECT e.id
    FROM execution e
    WHERE e.id = ANY(ARRAY(SELECT id FROM kept))
    ORDER BY e.id
    FOR NO KEY UPDATE
)
UPDATE execution e
SET budget_ms = {budget_left_ms}, give_up_at = NULL
WHERE e.id = ANY(ARRAY(SELECT id FROM locked))
  AND e.give_up_at IS NOT NULL AND e.submission_state IN ('claimed', 'retry', 'unknown');

-- name: resume
DELETE FROM submission_pause WHERE id = ANY(:ids);

-- name: wake
-- Any replica may take up at once what waited; what is still paused is parked again.
WITH waiting AS MATERIALIZED (
    SELECT id
    FROM submission_attempt
    WHERE next_action_at IS NOT NULL AND (parked_at IS NOT NULL OR state = 'queued')
    ORDER BY id
    FOR NO KEY UPDATE
)
UPDATE submission_attempt
SET next_action_at = least(next_action_at, now()), observer = NULL, parked_at = NULL
WHERE id = ANY(ARRAY(SELECT id FROM waiting));
