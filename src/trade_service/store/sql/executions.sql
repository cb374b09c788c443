-- Single executions: read, queued, filled.

-- name: read
SELECT {order_columns}, {execution_columns}, {state_shown}, {reference_revision}
FROM execution e
-- OFFSET keeps it one index read per execution.
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o
JOIN execution_status s ON s.id = e.execution_status_id
WHERE e.id = ANY(:ids);

-- name: reasons
SELECT e.id, {reason_shown} AS code
FROM execution e
{reasons}
WHERE e.id = ANY(:ids);

-- name: existing
SELECT id FROM execution WHERE id = ANY(:ids);

-- name: archived_in
SELECT f.name FROM archived_execution x JOIN archive_file f ON f.id = x.file_id WHERE x.id = :id;

-- name: enqueue
WITH asked AS MATERIALIZED (
    SELECT e.id, {is_fresh} AS is_fresh
    FROM execution e
    WHERE e.id = ANY(:ids)
    ORDER BY e.id
    FOR NO KEY UPDATE
), fresh AS MATERIALIZED (
    SELECT id FROM asked WHERE is_fresh
), queued AS (
    UPDATE execution e
    SET submission_state = 'queued', attempt_id = :attempt_id
    WHERE e.id = ANY(ARRAY(SELECT id FROM fresh))
    RETURNING e.id, e.trade_order_id
), audit AS (
    {audit}, 'submit', 'execution', array_agg(id ORDER BY id), array_agg(trade_order_id ORDER BY id), NULL, NULL
    FROM queued
    HAVING count(*) > 0 AND :is_audited::bool
)
INSERT INTO submission_attempt (id, state, owner, execution_ids, next_action_at)
SELECT :attempt_id, 'queued', :owner, array_agg(id ORDER BY id), now() + :grace_ms::int * interval '1 ms'
FROM queued
HAVING count(*) > 0;

-- fragment: held_as_never_sent
-- Whether nothing of the execution can have been sent.
coalesce(CASE WHEN e.submission_state IN ('none', 'queued')
    THEN e.execution_service_id IS NULL AND e.quantity_placed <= 0
         AND NOT EXISTS (SELECT FROM submission_attempt t WHERE t.id = e.attempt_id AND t.adopted)
    WHEN e.submission_state <> 'accepted'
    THEN EXISTS (SELECT FROM submission_attempt t
                 WHERE t.id = e.attempt_id AND t.code = 'FILL_REPORTED' AND NOT t.adopted)
    END, false)

-- name: fill
-- No row when the execution does not exist, has another version or was ordered for less. A fill of an execution
-- that is held as never sent is not stored; one that waits to be sent is looked up first.
WITH before AS MATERIALIZED (
    SELECT e.id, e.submission_state, {state_shown} AS state_shown, {held_as_never_sent} AS is_unsent
    FROM execution e
    JOIN execution_status s ON s.id = e.execution_status_id
    WHERE e.id = :id AND e.version = :version AND e.quantity_ordered >= :quantity_filled
    FOR NO KEY UPDATE OF e
), after AS (
    UPDATE execution e
    SET execution_status_id = :status_id,
        quantity_filled = :quantity_filled,
        quantity_placed = CASE WHEN b.submission_state = 'accepted' THEN e.quantity_placed
                               ELSE e.quantity_ordered END,
        submission_state = 'accepted',
        attempt_id = CASE WHEN e.execution_service_id IS NULL THEN coalesce(e.attempt_id, :look_up_id)
                          ELSE e.attempt_id END,
        version = e.version + 1
    FROM before b
    WHERE e.id = :id AND NOT b.is_unsent
    RETURNING e.*
), doubted AS (
    -- The new version keeps a report that waited for this one from taking it for an execution that was sent.
    UPDATE execution e
    SET submission_state = 'unknown', attempt_id = :look_up_id, version = e.version + 1
    FROM before b
    WHERE e.id = :id AND b.is_unsent AND b.submission_state IN ('queued', 'retry')
    RETURNING e.id, e.trade_order_id
), audit AS (
    {audit}, 'fill', 'execution', ARRAY[c.id], ARRAY[c.trade_order_id], NULL,
           jsonb_build_object('executionStatusId', :status_id, 'quantityFilled', :quantity_filled::numeric::text)
    FROM (SELECT id, trade_order_id FROM after UNION ALL SELECT id, trade_order_id FROM doubted) c
    WHERE :is_audited::bool
), to_look_up AS (
    SELECT id, false AS adopted, 'a fill was reported before it was sent: it is looked up first' AS message
    FROM doubted
    UNION ALL
    SELECT id, true, 'a fill was reported, and its id at the Execution Service is not known'
    FROM after
    WHERE execution_service_id IS NULL AND attempt_id = :look_up_id
), look_up AS (
    INSERT INTO submission_attempt
        (id, state, owner, execution_ids, settle_ms, settle_from, floor_id, epoch, adopted, next_action_at,
         closed_at, kind, code, message)
    SELECT :look_up_id, 'answered', :owner, ARRAY[l.id], :settle_ms, now(),
           0, d.epoch, adopted, now(), now(), 'lost', 'FILL_REPORTED', message
    FROM to_look_up l, downstream d
), id_missing AS (
    -- Its id at the Execution Service is still to be looked up.
    UPDATE submission_attempt t
    SET next_action_at = now()
    WHERE t.id = (SELECT attempt_id FROM after WHERE execution_service_id IS NULL) AND t.next_action_at IS NULL
), returned AS MATERIALIZED (
    SELECT o.id, a.quantity_ordered AS quantity
    FROM after a
    JOIN before b ON b.id = a.id
    JOIN trade_order o ON o.id = a.trade_order_id
    WHERE o.id = (SELECT trade_order_id FROM after) AND b.submission_state IN ('rejected', 'exhausted')
    FOR NO KEY UPDATE OF o
), evidence AS (
    INSERT INTO submission_evidence
        (execution_id, source, code, attempt_id, state_before, state, service_id, message)
    SELECT a.id, 'fill', 'ACCEPTED_LATE', a.attempt_id, b.submission_state, 'accepted', a.execution_service_id, ''
    FROM after a JOIN before b ON b.id = a.id
    WHERE b.submission_state IN ('rejected', 'exhausted')
), corrected AS (
    DELETE FROM failed_execution
    WHERE execution_id = (SELECT b.id FROM after a JOIN before b ON b.id = a.id
                          WHERE b.submission_state IN ('rejected', 'exhausted'))
), retaken AS (
    UPDATE trade_order o
    SET quantity_sent = o.quantity_sent + r.quantity,
        submitted = o.quantity - (o.quantity_sent + r.quantity) <= :submitted_when_left,
        version = o.version + 1
    FROM returned r
    WHERE o.id = r.id
    RETURNING o.*
)
SELECT {order_columns}, {execution_columns}, e.submission_state, b.state_shown AS state_before, b.is_unsent,
       {reference_revision}
FROM before b
LEFT JOIN after e ON e.id = b.id
LEFT JOIN (
    SELECT * FROM retaken
    UNION ALL
    SELECT o.*
    FROM trade_order o
    WHERE o.id = (SELECT trade_order_id FROM after) AND NOT EXISTS (SELECT FROM retaken)
) o ON o.id = e.trade_order_id;
