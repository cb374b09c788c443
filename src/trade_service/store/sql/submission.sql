-- The submission path and recovery: each statement does in one round trip what would otherwise take four. It locks
-- in id order, changes, journals, and gives quantity back. Rows are locked before they are changed, since unordered
-- updates deadlock.
--
-- Tables that grow are read by ids (`id = ANY(...)`) rather than joined, where both mean the same: the plan of a
-- prepared statement is kept, and one that was made while a table was small would join all of it. Never both at once:
-- the planner would take it for two conditions, expect one row, and loop over all of them for each.
--
-- Rows that are read by ids meet no other condition in the same scan where an index serves that condition: they are
-- read by ids in a materialized step, and chosen afterwards. Where nearly every execution has an id of the Execution
-- Service, `execution_service_id IS NULL` looks as if it matched nothing, and the planner would read the whole table
-- by the index on that column (docs/decisions/0022).
--
-- Arrays of a batch arrive as text (`:ids::text::int[]`): the driver encodes a list four times slower, and PostgreSQL
-- keeps one plan for every batch size (docs/decisions/0018).

-- name: claim
-- The attempt is durable and owns its executions before the first byte leaves.
WITH gate AS MATERIALIZED (
    SELECT epoch, high_water_id, high_water_execution_id
    FROM downstream
    WHERE epoch = :epoch AND suspected_at IS NULL AND blocked_at IS NULL
), paused AS MATERIALIZED (
    {paused}
), asked AS MATERIALIZED (
    SELECT e.id, e.attempt_id, e.execution_service_id, e.execution_status_id,
           -- First the cheap question: nearly always nothing is paused.
           (SELECT ids FROM paused) IS NOT NULL AND (SELECT ids FROM paused) && ARRAY[0, e.destination_id] AS is_paused,
           -- Ours and never submitted, yet placed: the legacy service sent it in the meantime.
           CASE WHEN e.submission_state <> 'none' OR e.execution_service_id IS NULL AND e.quantity_placed = 0
                THEN e.submission_state END AS submission_state
    FROM execution e
    WHERE e.id = ANY(:ids::text::int[])
    ORDER BY e.id
    FOR NO KEY UPDATE
), mine AS (
    UPDATE execution e
    SET submission_state = 'claimed',
        attempt_id = :attempt_id,
        attempts_spent = e.attempts_spent + :counted,
        give_up_at = coalesce(e.give_up_at,
                              now() + coalesce(e.budget_ms, :give_up_after_ms) * interval '1 ms'),
        budget_ms = NULL
    WHERE e.id = ANY(ARRAY(
        SELECT id FROM asked
        WHERE submission_state = ANY(:claimable) AND NOT is_paused
          AND (submission_state <> 'none' OR execution_status_id <> ALL({withdrawn_ids}))
    ))
      AND EXISTS (SELECT FROM gate)
    RETURNING e.id, e.trade_order_id, e.trade_type_id, e.destination_id, e.quantity_ordered, e.limit_price,
              e.attempts_spent, e.give_up_at
), journal AS (
    INSERT INTO submission_attempt
        (id, state, owner, execution_ids, lease_until, settle_ms, floor_id, floor_execution_id, epoch,
         retry_count, next_action_at)
    SELECT :attempt_id, 'sent', :owner, array_agg(id ORDER BY id), now() + :lease_ms::int * interval '1 ms',
           :settle_ms, (SELECT high_water_id FROM gate), (SELECT high_water_execution_id FROM gate),
           (SELECT epoch FROM gate), :retry_count, now() + :lease_ms::int * interval '1 ms'
    FROM mine
    HAVING count(*) > 0
), audit AS (
    -- An entry for each request, and for what no other statement had queued for it.
    INSERT INTO audit_log
        (actor, known_by, address, request_id, action, object, object_ids, trade_order_ids)
    SELECT s.actor, s.known_by, left(s.address, 64), s.request_id, 'submit', 'execution', array_agg(m.id ORDER BY m.id),
           array_agg(m.trade_order_id ORDER BY m.id)
    FROM unnest(:submitted_ids::text::int[], :actors::text::text[], :known_by::text::text[], :addresses::text::text[],
                :request_ids::text::text[]) AS s(id, actor, known_by, address, request_id)
    JOIN asked a ON a.id = s.id
    JOIN mine m ON m.id = s.id
    WHERE a.submission_state = 'none'
    GROUP BY s.actor, s.known_by, s.address, s.request_id
), consumed AS (
    DELETE FROM submission_attempt t
    WHERE t.id = ANY(ARRAY(SELECT attempt_id FROM asked WHERE submission_state = 'queued'))
      AND t.state = 'queued'
      AND t.execution_ids <@ (SELECT array_agg(id) FROM mine)
), traded AS MATERIALIZED (
    -- All in one go: one by one they took a tenth of the statement's time.
    SELECT o.id, rtrim(o.security_id) AS security_id
    FROM trade_order o
    WHERE o.id = ANY(ARRAY(SELECT trade_order_id FROM mine))
)
SELECT CASE WHEN m.id IS NULL THEN a.submission_state END AS submission_state, a.execution_service_id,
       CASE WHEN m.id IS NULL AND a.submission_state = 'none'
            THEN (SELECT s.abbreviation FROM execution_status s
                  WHERE s.id = a.execution_status_id AND s.abbreviation IN ({withdrawn})) END AS withdrawn,
       m.id IS NOT NULL AS claimed, a.id, tt.abbreviation AS trade_type, d.abbreviation AS destination,
       o.security_id, m.quantity_ordered, m.limit_price, m.attempts_spent,
       -- extract() would make a numeric of it, which takes longer than the rest of the row.
       date_part('epoch', m.give_up_at - now()) AS budget_left_s,
       a.is_paused,
       (SELECT high_water_id FROM gate) AS floor_id
FROM asked a
LEFT JOIN mine m ON m.id = a.id
LEFT JOIN traded o ON o.id = m.trade_order_id
LEFT JOIN trade_type tt ON tt.id = m.trade_type_id
LEFT JOIN destination d ON d.id = m.destination_id;

-- fragment: accepted_late
-- An exhausted or rejected execution turned out to be accepted: no attempt's own answer shows that.
FROM after a
WHERE a.state = 'accepted' AND a.state_before IN ('rejected', 'exhausted')

-- fragment: answered
state = 'answered', closed_at = now(), settle_from = now(), kind = :kind, code = :code,
message = :message, http_status = :http_status, duration_ms = :duration_ms,
next_batch_size = :next_batch_size, top_id = :top_id

-- name: record
-- Outcomes of an answer, quantities given back, the attempt closed or due again.
WITH gate AS (
    SELECT true AS is_open
), {settled}, attempt AS (
    UPDATE submission_attempt
    SET {answered}, settle_ms = least(settle_ms, :settle_ms), next_action_at = {next_action},
        finding_ids = finding_ids || CASE WHEN closed_at IS NULL THEN :finding_ids::int[] END,
        finding_states = finding_states || CASE WHEN closed_at IS NULL THEN :finding_states::varchar[] END,
        finding_codes = finding_codes || CASE WHEN closed_at IS NULL THEN :finding_codes::varchar[] END,
        finding_messages = finding_messages || CASE WHEN closed_at IS NULL THEN :finding_messages::text[] END
    WHERE id = :attempt_id
), evidence AS (
    INSERT INTO submission_evidence
        (execution_id, source, code, attempt_id, state_before, state, service_id, message)
    SELECT a.id, 'answer', 'ACCEPTED_LATE', :attempt_id, a.state_before, a.state, a.service_id, ''
    {accepted_late}
)
{recorded};

-- name: record_accepted
-- What `record` does where all of an attempt was accepted, and all of it still is as it was claimed: nearly always.
-- Otherwise it changes nothing and returns no row. It takes a fifth less time than `record`.
WITH asked AS MATERIALIZED (
    SELECT e.id, e.attempt_id = :attempt_id AND e.submission_state = 'claimed'
                 AND e.execution_service_id IS NULL AS as_claimed
    FROM execution e
    WHERE e.id = ANY(:ids::text::int[])
    ORDER BY e.id
    FOR NO KEY UPDATE
), locked AS MATERIALIZED (
    SELECT array_agg(id) AS ids
    FROM asked
    WHERE as_claimed
    HAVING count(*) = cardinality(:ids::text::int[])
       AND count(*) = (SELECT cardinality(execution_ids) FROM submission_attempt WHERE id = :attempt_id)
), after AS (
    UPDATE execution e
    SET submission_state = 'accepted',
        -- Of a hundred the place is found sooner than by a join, which would read execution by execution.
        execution_service_id = (SELECT :service_ids::text::int[])[
            array_position((SELECT :ids::text::int[]), e.id)],
        execution_status_id = CASE WHEN e.execution_status_id = :status_new THEN :status_sent
                                   ELSE e.execution_status_id END,
        quantity_placed = e.quantity_ordered,
        version = e.version + 1
    WHERE e.id = ANY((SELECT ids FROM locked)::int[])
    RETURNING e.id, e.execution_service_id, e.version, e.execution_status_id
), attempt AS (
    UPDATE submission_attempt
    SET {answered}, next_action_at = NULL
    WHERE id = :attempt_id AND EXISTS (SELECT FROM after)
)
SELECT id, execution_service_id, version, execution_status_id FROM after;

-- name: record_look_up
-- The same for what a look-up proved; the answer that the attempt got stays as it was.
WITH gate AS (
    SELECT :epoch::int IS NULL OR EXISTS (
        SELECT FROM downstream
        WHERE epoch = :epoch AND suspected_at IS NULL AND blocked_at IS NULL) AS is_open
), {settled}, attempt AS (
    UPDATE submission_attempt
    SET look_ups = look_ups + 1, top_id = greatest(top_id, :top_id), next_batch_size = :next_batch_size,
        next_action_at = {next_action},
        finding_ids = finding_ids || :finding_ids::int[],
        finding_states = finding_states || :finding_states::varchar[],
        finding_codes = finding_codes || :finding_codes::varchar[],
        finding_messages = finding_messages || :finding_messages::text[]
    WHERE id = :attempt_id
), evidence AS (
    INSERT INTO submission_evidence
        (execution_id, source, code, attempt_id, state_before, state, service_id, message)
    SELECT a.id, 'look_up', 'ACCEPTED_LATE', :attempt_id, a.state_before, a.state, a.service_id, ''
    {accepted_late}
)
{recorded};

-- name: take_due
-- Takes due attempts, holds them, and marks those whose owner let its lease pass.
WITH due AS MATERIALIZED (
    SELECT id
    FROM submission_attempt
    WHERE next_action_at <= now()
      AND (observer IS NULL OR observer = :owner
           OR next_action_at <= now() - :grace_ms::int * interval '1 ms')
    ORDER BY next_action_at
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE submission_attempt t
SET next_action_at = now() + :hold_ms::int * interval '1 ms',
    observer = :owner,
    parked_at = NULL,
    state = CASE WHEN t.state = 'sent' THEN 'answered' ELSE t.state END,
    kind = CASE WHEN t.state = 'sent' THEN 'lost' ELSE t.kind END,
    code = CASE WHEN t.state = 'sent' THEN 'OWNER_LOST' ELSE t.code END,
    message = CASE WHEN t.state = 'sent'
                   THEN 'its owner ' || t.owner || ' did not record an outcome within the lease'
                   ELSE t.message END,
    settle_from = CASE WHEN t.state = 'sent' THEN t.lease_until ELSE t.settle_from END
WHERE t.id = ANY(ARRAY(SELECT id FROM due))
RETURNING t.id, t.floor_id AS low_water_id, t.floor_execution_id AS low_water_execution_id,
          CASE WHEN t.floor_void THEN 0 ELSE t.epoch END AS epoch,
          t.settle_ms, t.look_ups, t.next_batch_size, t.adopted, t.execution_ids,
          coalesce(t.settle_from + t.settle_ms * interval '1 ms' <= now(), false) AS settled,
          t.retry_count, cardinality(t.execution_ids) AS size, t.kind, t.code, coalesce(t.message, '') AS message,
          t.http_status, extract(epoch FROM now() - t.started_at)::float8 AS age_s,
          CASE WHEN t.code = 'OWNER_LOST' THEN round(extract(epoch FROM t.lease_until - t.started_at) * 1000)::int
               ELSE 0 END AS lease_ms,
          coalesce(t.kind = 'requeued', false) AS requeued;

-- name: under_way
SELECT id
FROM submission_attempt
WHERE next_action_at IS NOT NULL AND state = 'sent'
ORDER BY next_action_at
LIMIT :limit;

-- name: mark_lost
-- What a lost owner left claimed may have been accepted. Noted as a finding, which a late answer leaves there.
WITH lost AS MATERIALIZED (
    SELECT e.id
    FROM execution e
    WHERE e.id = ANY(:ids)
      AND e.attempt_id = ANY(:attempt_ids)
      AND e.submission_state = 'claimed'
    ORDER BY e.id
    FOR NO KEY UPDATE
), marked AS (
    UPDATE execution e SET submission_state = 'unknown' WHERE e.id = ANY(ARRAY(SELECT id FROM lost))
    RETURNING e.id, e.attempt_id
), found AS (
    SELECT attempt_id, array_agg(id ORDER BY id) AS ids, count(*)::int AS n FROM marked GROUP BY attempt_id
)
UPDATE submission_attempt t
SET finding_ids = t.finding_ids || found.ids,
    finding_states = t.finding_states || array_fill('unknown'::varchar, ARRAY[found.n]),
    finding_codes = t.finding_codes || array_fill('OWNER_LOST'::varchar, ARRAY[found.n]),
    finding_messages = t.finding_messages || array_fill(
        'its owner ' || t.owner || ' did not record an outcome within the lease', ARRAY[found.n])
FROM found
WHERE t.id = found.attempt_id AND t.id = ANY(:attempt_ids);

-- name: open_items
SELECT e.attempt_id, e.id, e.submission_state, tt.abbreviation AS trade_type, d.abbreviation AS destination,
       (SELECT rtrim(o.security_id) FROM trade_order o WHERE o.id = e.trade_order_id) AS security_id,
       e.quantity_ordered, e.attempts_spent,
       -- The previous release sets give_up_at and leaves budget_ms as it was.
       coalesce(extract(epoch FROM e.give_up_at - {budget_runs_until})::float8, e.budget_ms / 1000.0::float8,
                'infinity') AS budget_left_s,
       coalesce((SELECT ids FROM ({paused}) paused) && ARRAY[0, e.destination_id], false) AS is_paused
FROM execution e
JOIN destination d ON d.id = e.destination_id
LEFT JOIN trade_type tt ON tt.id = e.trade_type_id
WHERE e.id = ANY(:ids)
  AND e.attempt_id = ANY(:attempt_ids)
  AND (e.submission_state IN ('queued', 'retry', 'unknown')
       OR e.submission_state = 'accepted' AND e.execution_service_id IS NULL)
ORDER BY e.id;

-- name: states
SELECT e.submission_state, e.execution_service_id, s.abbreviation AS withdrawn, e.id
FROM execution e
LEFT JOIN execution_status s ON s.id = e.execution_status_id AND e.submission_state = 'none'
    AND s.abbreviation IN ({withdrawn})
WHERE e.id = ANY(:ids)
UNION ALL
SELECT x.submission_state, x.execution_service_id, NULL, x.id
FROM archived_execution x
WHERE x.id = ANY(:ids)
ORDER BY id;

-- name: archived
SELECT submission_state, execution_service_id, NULL, id FROM archived_execution WHERE id = ANY(:ids);

-- name: postpone
UPDATE submission_attempt
SET next_action_at = now() + :delay_ms::float8 * interval '1 ms'
WHERE id = :attempt_id;

-- name: park
-- The end of a pause waits for this statement, or this one sees that it has ended: nothing is parked for a pause that
-- is over. So the pauses are locked before the attempts. An attempt is due at once if not all that it has to send is
-- paused. One that another statement holds at this moment is left out: it stays reserved, and is due again after that.
WITH pause AS MATERIALIZED (
    SELECT coalesce(destination_id, 0) AS id FROM submission_pause ORDER BY submission_pause.id FOR KEY SHARE
), paused AS MATERIALIZED (
    SELECT array_agg(id) AS ids FROM pause
), locked AS MATERIALIZED (
    SELECT t.id, t.execution_ids, p.ids AS paused_ids
    FROM paused p CROSS JOIN submission_attempt t
    WHERE t.id = ANY(:attempt_ids::uuid[]) AND t.next_action_at IS NOT NULL
    ORDER BY t.id
    FOR NO KEY UPDATE OF t SKIP LOCKED
), to_send AS MATERIALIZED (
    SELECT e.attempt_id
    FROM execution e
    WHERE e.id = ANY(ARRAY(SELECT unnest(execution_ids) FROM locked))
      AND e.attempt_id = ANY(:attempt_ids::uuid[]) AND e.submission_state IN ('queued', 'retry')
      AND NOT coalesce((SELECT ids FROM paused) && ARRAY[0, e.destination_id], false)
), parked AS MATERIALIZED (
    SELECT id FROM locked
    WHERE paused_ids IS NOT NULL AND id NOT IN (SELECT attempt_id FROM to_send)
)
UPDATE submission_attempt
SET parked_at = CASE WHEN id IN (SELECT id FROM parked) THEN now() END,
    next_action_at = CASE WHEN id IN (SELECT id FROM parked) THEN now() + :wait_ms::int * interval '1 ms'
                          ELSE now() END
WHERE id = ANY(ARRAY(SELECT id FROM locked));

-- name: pause_budgets
WITH waiting AS MATERIALIZED (
    SELECT e.id
    FROM execution e
    WHERE e.id = ANY(ARRAY(SELECT unnest(t.execution_ids) FROM submission_attempt t WHERE t.id = :attempt_id))
      AND e.attempt_id = :attempt_id AND e.submission_state IN ('queued', 'retry') AND e.give_up_at IS NOT NULL
    ORDER BY e.id
    FOR NO KEY UPDATE
)
UPDATE execution e
SET budget_ms = {budget_left_ms}, give_up_at = NULL
WHERE e.id = ANY(ARRAY(SELECT id FROM waiting));

-- name: adopt
-- Legacy rows, sent at an unknown time: accepted if proven, else unknown with low-water id 0, epoch 1.
WITH legacy AS MATERIALIZED (
    SELECT e.id,
           e.execution_service_id IS NOT NULL OR e.quantity_placed > 0 OR e.execution_status_id <> :status_new
               AS accepted
    FROM execution e
    WHERE e.id = ANY(:ids)
      AND (e.submission_state IS NULL
           OR e.submission_state = 'none' AND (e.execution_service_id IS NOT NULL OR e.quantity_placed > 0))
    ORDER BY e.id
    FOR NO KEY UPDATE
), sent AS (
    UPDATE execution e
    SET submission_state = 'accepted'
    WHERE e.id = ANY(ARRAY(SELECT id FROM legacy WHERE accepted))
), unproven AS (
    UPDATE execution e
    SET submission_state = 'unknown', attempt_id = :attempt_id
    WHERE e.id = ANY(ARRAY(SELECT id FROM legacy WHERE NOT accepted))
    RETURNING e.id
)
INSERT INTO submission_attempt
    (id, state, owner, execution_ids, settle_ms, settle_from, floor_id, adopted, next_action_at,
     closed_at, kind, code, message)
SELECT :attempt_id, 'answered', :owner, array_agg(id ORDER BY id), :settle_ms, now(), 0,
       true, now(), now(), 'lost', 'TAKEN_OVER', 'legacy rows whose outcome is unknown'
FROM unproven
HAVING count(*) > 0;
