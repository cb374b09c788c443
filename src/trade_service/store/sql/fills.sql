-- Fills that are fetched from the Execution Service's ledger.

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
