-- The one row of what all replicas know of the Execution Service's ledger, and fills fetched from that ledger.

-- name: read
-- In the order of the fields of DownstreamState, with those of Suspicion in its place. Of the ids that are known only
-- from attempts, the latest 200 attempts are enough.
SELECT d.epoch, d.base_url, d.high_water_id, d.high_water_execution_id,
       greatest(d.high_water_id, (
           SELECT max(greatest(r.top_id, r.floor_id))
           FROM (SELECT top_id, floor_id, epoch FROM submission_attempt ORDER BY id DESC LIMIT 200) r
           WHERE r.epoch = d.epoch)),
       d.first_id, d.first_execution_id,
       d.suspected_sign, d.suspicion, d.suspected_id, d.suspected_execution_id,
       extract(epoch FROM now() - d.suspected_at)::float8,
       d.blocked_reason, {last_id}
FROM downstream d;

-- name: raise_high_water
UPDATE downstream
SET high_water_id = :service_id, high_water_execution_id = :execution_id,
    first_id = CASE WHEN first_id = 0 THEN :service_id ELSE first_id END,
    first_execution_id = CASE WHEN first_id = 0 THEN :execution_id ELSE first_execution_id END
WHERE epoch = :epoch AND high_water_id < :service_id AND suspected_at IS NULL;

-- name: suspect
UPDATE downstream
SET suspected_at = now(), suspected_sign = :sign, suspicion = :reason, suspected_id = :service_id,
    suspected_execution_id = :execution_id
WHERE epoch = :epoch AND suspected_at IS NULL;

-- name: dismiss
UPDATE downstream
SET suspected_at = NULL, suspected_sign = NULL, suspicion = NULL, suspected_id = NULL,
    suspected_execution_id = NULL
WHERE epoch = :epoch AND suspicion = :reason;

-- name: begin_epoch
WITH next AS (
    UPDATE downstream
    SET epoch = epoch + 1, base_url = :base_url, high_water_id = :service_id,
        high_water_execution_id = :execution_id,
        first_id = CASE WHEN :execution_id::bigint IS NULL THEN 0 ELSE :service_id END,
        first_execution_id = :execution_id, suspected_at = NULL, suspected_sign = NULL, suspicion = NULL,
        suspected_id = NULL, suspected_execution_id = NULL, fills_offset = 0
    WHERE epoch = :after
    RETURNING epoch
), open AS MATERIALIZED (
    SELECT id, execution_ids FROM submission_attempt
    WHERE next_action_at IS NOT NULL AND state <> 'queued' AND EXISTS (SELECT FROM next)
    ORDER BY id
    FOR NO KEY UPDATE
), void AS (
    -- For replicas of the previous release, which know no epochs.
    UPDATE submission_attempt t SET floor_void = true WHERE t.id = ANY(ARRAY(SELECT id FROM open))
)
SELECT (SELECT epoch FROM next),
       ARRAY(SELECT e.id
             FROM open o
             CROSS JOIN LATERAL (
                 SELECT x.id FROM execution x
                 WHERE x.id = ANY(o.execution_ids) AND x.attempt_id = o.id
                   AND x.submission_state IN ('claimed', 'unknown')
                 OFFSET 0) e
             ORDER BY e.id);

-- name: note_ledger
UPDATE downstream
SET base_url = :base_url,
    high_water_execution_id = CASE WHEN high_water_id < :service_id THEN :execution_id
                                   ELSE high_water_execution_id END,
    high_water_id = greatest(high_water_id, :service_id),
    first_id = CASE WHEN first_id = 0 AND :execution_id::bigint IS NOT NULL THEN :service_id
                    ELSE first_id END,
    first_execution_id = CASE WHEN first_id = 0 THEN :execution_id ELSE first_execution_id END
WHERE epoch = :epoch AND suspected_at IS NULL;

-- name: leave_gap
WITH alone AS MATERIALIZED ({one_at_a_time})
SELECT setval({sequence}, {last_id} + :size::bigint)
FROM alone
WHERE {last_id} < :max_id::bigint;

-- name: held_as_unsent
WITH asked AS MATERIALIZED (
    SELECT id, submission_state, execution_service_id FROM execution WHERE id = ANY(:ids)
)
SELECT id FROM asked
WHERE submission_state IN ('none', 'queued', 'retry') AND execution_service_id IS NULL
ORDER BY id;

-- name: block
UPDATE downstream SET blocked_at = coalesce(blocked_at, now()), blocked_reason = :reason;

-- name: advance
WITH alone AS MATERIALIZED ({one_at_a_time}), open AS MATERIALIZED (
    SELECT EXISTS (
        SELECT FROM submission_attempt a
        CROSS JOIN LATERAL (
            SELECT FROM execution x
            WHERE x.id = ANY(a.execution_ids) AND x.attempt_id = a.id
              AND x.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
            LIMIT 1) e
        -- Adopted ones are looked for in all of the ledger anyway.
        WHERE a.next_action_at IS NOT NULL AND NOT a.adopted
          AND a.started_at < now() - :since_s::float8 * interval '1 s') AS found
), blocked AS (
    UPDATE downstream SET blocked_at = coalesce(blocked_at, now()), blocked_reason = :reason
    WHERE (SELECT found FROM open)
)
SELECT found, ({advanced}) FROM open;

-- name: begin_check
-- Where the last check ended; no row while another process checked less than `every_s` seconds ago.
UPDATE downstream
SET fills_checked_at = now()
WHERE id = 1
  AND (fills_checked_at IS NULL OR fills_checked_at <= now() - :every_s::float8 * interval '1 s')
RETURNING fills_offset;

-- name: end_check
UPDATE downstream SET fills_offset = :offset WHERE id = 1;

-- name: held
-- In the order of the fields of HeldFill. A service id proves that a legacy row was accepted.
SELECT e.id, e.execution_service_id, e.execution_status_id, e.quantity_filled, e.quantity_ordered, e.version
FROM execution e
WHERE e.id = ANY(:ids) AND coalesce(e.submission_state, 'accepted') = 'accepted'
  AND e.execution_service_id IS NOT NULL;

-- name: store_fetched
-- What `fill` does for a reported fill, for executions whose id at the Execution Service is known.
WITH locked AS MATERIALIZED (
    SELECT e.id, e.version, e.execution_service_id, e.submission_state
    FROM execution e
    WHERE e.id = ANY(:ids::int[])
    ORDER BY e.id
    FOR NO KEY UPDATE
), before AS MATERIALIZED (
    SELECT l.id, l.submission_state, t.status_id, t.quantity, t.message
    FROM locked l
    JOIN unnest(:ids::int[], :service_ids::int[], :versions::int[], :status_ids::int[], :quantities::numeric[],
                :messages::text[])
        AS t(id, service_id, version, status_id, quantity, message) ON t.id = l.id
    WHERE l.version = t.version AND l.execution_service_id = t.service_id
      AND coalesce(l.submission_state, 'accepted') = 'accepted'
), after AS (
    UPDATE execution e
    SET execution_status_id = b.status_id,
        quantity_filled = b.quantity,
        quantity_placed = CASE WHEN b.submission_state = 'accepted' THEN e.quantity_placed
                               ELSE e.quantity_ordered END,
        submission_state = 'accepted',
        version = e.version + 1
    FROM before b
    WHERE e.id = b.id
    RETURNING e.id, e.attempt_id, e.execution_service_id, b.submission_state, b.message
)
INSERT INTO submission_evidence
    (execution_id, source, code, attempt_id, state_before, state, service_id, message)
SELECT id, 'books', 'FILL_FETCHED', attempt_id, submission_state, 'accepted', execution_service_id, message
FROM after
ORDER BY id
RETURNING execution_id;

-- name: new_refusals
SELECT t.id
FROM unnest(:ids::int[], :service_ids::int[], :messages::text[]) AS t(id, service_id, message)
WHERE NOT EXISTS (
    SELECT FROM submission_evidence v
    WHERE v.execution_id = t.id AND v.code = 'FILL_REFUSED' AND v.service_id = t.service_id
      AND v.message = t.message)
ORDER BY t.id;

-- name: note_refused
INSERT INTO submission_evidence (execution_id, source, code, state_before, state, service_id, message)
SELECT t.id, 'books', 'FILL_REFUSED', 'accepted', 'accepted', t.service_id, t.message
FROM unnest(:ids::int[], :service_ids::int[], :messages::text[]) AS t(id, service_id, message)
ORDER BY t.id;
