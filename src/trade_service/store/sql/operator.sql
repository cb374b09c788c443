-- What operators see and do, recovery after a restored backup included. Locks as everywhere: executions before orders,
-- each kind in id order. No B-tree serves the search for an execution's attempts: people search now and then, while the
-- submission path would pay for the index with every batch. Those that failed are found by failed_executions.sql's table.

-- name: cases
-- In the order of the fields of Case.
SELECT e.id, {state_shown} AS state, e.submission_state IS NULL AS is_legacy, e.execution_service_id,
       o.id AS trade_order_id, o.order_id, rtrim(o.security_id) AS security_id, tt.abbreviation AS trade_type,
       d.abbreviation AS destination, e.quantity_ordered, e.quantity_filled, e.attempts_spent,
       a.id::text AS attempt_id, a.started_at, extract(epoch FROM now() - a.started_at)::float8 AS open_s,
       a.kind, a.code, coalesce(a.floor_id, 0) AS floor_id,
       coalesce({needs_person}, false) AS floor_void,
       coalesce(a.adopted, false) AS adopted, coalesce(a.kind = 'requeued', false) AS requeued,
       coalesce(a.look_ups, 0) AS look_ups,
       extract(epoch FROM a.settle_from + a.settle_ms * interval '1 ms' - now())::float8 AS settles_in_s,
       extract(epoch FROM a.next_action_at - now())::float8 AS due_in_s
FROM execution e
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o
JOIN execution_status s ON s.id = e.execution_status_id
JOIN destination d ON d.id = e.destination_id
LEFT JOIN trade_type tt ON tt.id = e.trade_type_id
LEFT JOIN LATERAL (SELECT * FROM submission_attempt t WHERE t.id = e.attempt_id OFFSET 0) a ON true
WHERE e.id = ANY(:ids)
ORDER BY e.id;

-- name: unknowns
-- Unknown outcomes, and executions left claimed by a dead process; found by the open attempts. `for_person`: only
-- those that only a person can settle.
WITH open AS MATERIALIZED (
    SELECT id, execution_ids, started_at, lease_until
    FROM submission_attempt a
    WHERE next_action_at IS NOT NULL AND (NOT :for_person::boolean OR {needs_person})
), doubtful AS MATERIALIZED (
    SELECT e.id, a.started_at
    FROM open a
    CROSS JOIN LATERAL (
        SELECT x.id FROM execution x
        WHERE x.id = ANY(a.execution_ids) AND x.attempt_id = a.id
          AND (x.submission_state = 'unknown'
               OR NOT :for_person AND x.submission_state = 'claimed' AND a.lease_until <= now())
        OFFSET 0
    ) e
)
SELECT d.id, d.started_at, t.total
FROM (SELECT count(*) AS total FROM doubtful) t
LEFT JOIN LATERAL (
    SELECT id, started_at
    FROM doubtful
    WHERE (started_at, id) > (coalesce(:after_at::timestamptz, '-infinity'), :after_id::bigint)
    ORDER BY started_at, id
    LIMIT :limit
) d ON true
ORDER BY d.started_at, d.id;

-- name: holder
SELECT id FROM execution WHERE execution_service_id = :service_id AND id <> :id ORDER BY id LIMIT 1;

-- name: one_resolution_of_a_service_id
-- Until this transaction ends, no other one resolves an execution to the same id of the Execution Service.
SELECT pg_advisory_xact_lock(:key, :service_id);

-- name: lock
-- A statement of its own, so that the next one reads what earlier holders of the locks wrote.
SELECT id FROM execution WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE;

-- name: resolve
-- As a look-up is recorded, with the same fencing; the evidence has a row of its own.
WITH gate AS (
    SELECT true AS is_open
), {settled}, attempt AS (
    UPDATE submission_attempt SET next_action_at = {next_action} WHERE id = :attempt_id
), evidence AS (
    INSERT INTO submission_evidence
        (execution_id, source, code, attempt_id, state_before, state, service_id_before, service_id, actor,
         actor_known_by, message)
    SELECT a.id, 'operator', :code, :attempt_id, a.state_before, a.state, b.service_id, a.service_id, :actor,
           :actor_known_by, :reason
    FROM after a JOIN before b ON b.id = a.id
)
{recorded};

-- name: first_attempts
-- Where the look-up for a requeue starts, and when everything that was ever sent had to have arrived. Where attempts
-- of an execution may have been archived, it reads the whole ledger, and the oldest epoch among the archived counts.
-- In the order of the fields of _First.
WITH gone AS (
    SELECT x.id AS execution_id, min(f.oldest_epoch) AS epoch
    FROM unnest(:ids::int[]) AS x(id)
    JOIN archive_file f ON f.kind = 'attempts' AND x.id BETWEEN f.first_execution_id AND f.last_execution_id
    GROUP BY x.id
), here AS (
    SELECT DISTINCT ON (m.execution_id)
           m.execution_id, m.floor_id,
           min(m.epoch) OVER per_execution AS epoch,
           max(m.settle_ms) OVER per_execution AS settle_ms,
           max(coalesce(m.settle_from, m.lease_until)) OVER per_execution AS settle_from
    FROM (
        SELECT x.execution_id, t.id, t.started_at, t.floor_id,
               CASE WHEN t.floor_void THEN 0 ELSE t.epoch END AS epoch, t.settle_ms, t.settle_from, t.lease_until
        FROM submission_attempt t CROSS JOIN LATERAL unnest(t.execution_ids) x(execution_id)
        WHERE x.execution_id = ANY(:ids) AND t.state <> 'queued'
    ) m
    WINDOW per_execution AS (PARTITION BY m.execution_id)
    ORDER BY m.execution_id, m.started_at, m.id
)
SELECT execution_id, CASE WHEN g.execution_id IS NULL THEN h.floor_id ELSE 0 END AS floor_id,
       least(g.epoch, h.epoch) AS epoch, coalesce(h.settle_ms, 0) AS settle_ms, h.settle_from,
       coalesce(least(g.epoch, h.epoch) < (SELECT epoch FROM downstream), false) AS of_earlier_epoch
FROM here h FULL JOIN gone g USING (execution_id)
ORDER BY execution_id;

-- fragment: ended
-- In the order of the fields of Ended.
SELECT e.id, {state_shown} AS state, e.execution_service_id, e.trade_order_id, o.order_id,
       rtrim(o.security_id) AS security_id, d.abbreviation AS destination, e.quantity_ordered,
       e.attempts_spent, a.started_at, coalesce(v.code, f.code, a.code, '') AS code,
       coalesce(v.message, f.message, a.message, '') AS message
FROM execution e
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o
JOIN execution_status s ON s.id = e.execution_status_id
JOIN destination d ON d.id = e.destination_id
{reasons}

-- name: ended
{ended}
WHERE e.id = ANY(:ids)
ORDER BY e.id;

-- name: list_executions
{ended}
WHERE e.submission_state = ANY(:states)
  AND ((:order_ids::int[]) IS NULL
       OR e.trade_order_id = ANY(ARRAY(SELECT id FROM trade_order WHERE order_id = ANY(:order_ids))))
  AND ((:codes::text[]) IS NULL OR coalesce(v.code, f.code, a.code, '') = ANY(:codes))
  AND ((:destinations::text[]) IS NULL OR d.abbreviation = ANY(:destinations))
  AND (:since::timestamptz IS NULL OR a.started_at >= :since)
  AND (:until::timestamptz IS NULL OR a.started_at < :until)
ORDER BY e.id DESC
LIMIT :limit;

-- name: find_failed
-- One read for each failed execution until enough are found.
SELECT f.execution_id
FROM failed_execution f
CROSS JOIN LATERAL (SELECT * FROM execution x WHERE x.id = f.execution_id OFFSET 0) e
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o
JOIN destination d ON d.id = e.destination_id
LEFT JOIN LATERAL (SELECT * FROM submission_attempt t WHERE t.id = e.attempt_id OFFSET 0) a ON true
WHERE f.state = ANY(:states) AND e.submission_state = f.state
  AND ((:codes::text[]) IS NULL OR f.code = ANY(:codes))
  AND ((:messages::text[]) IS NULL
       OR regexp_replace(f.message, {general})
          = ANY(ARRAY(SELECT regexp_replace(m, {general}) FROM unnest(:messages::text[]) m)))
  -- The same as the two conditions above, by index.
  AND ((:codes::text[]) IS NULL OR (:messages::text[]) IS NULL
       OR f.reason = ANY(ARRAY(
           SELECT hashtextextended(s || ' ' || c || ' ' || regexp_replace(m, {general}), 0)
           FROM unnest(:states::text[]) s, unnest(:codes::text[]) c, unnest(:messages::text[]) m)))
  AND ((:order_ids::int[]) IS NULL OR o.order_id = ANY(:order_ids))
  AND ((:destinations::text[]) IS NULL OR d.abbreviation = ANY(:destinations))
  AND (:failed_since::timestamptz IS NULL OR f.failed_at >= :failed_since)
  AND (:failed_until::timestamptz IS NULL OR f.failed_at < :failed_until)
  AND (:since::timestamptz IS NULL OR a.started_at >= :since)
  AND (:until::timestamptz IS NULL OR a.started_at < :until)
ORDER BY f.execution_id
LIMIT :limit;

-- name: executions_of_order
SELECT e.id
FROM execution e
WHERE e.trade_order_id = (SELECT o.id FROM trade_order o WHERE o.order_id = :order_id)
ORDER BY e.id
LIMIT :limit;

-- name: follow
INSERT INTO bulk_submission (id, execution_ids) VALUES (:id, :ids);

-- name: requeue
-- On rows locked by this transaction. The time budget starts when the execution is next claimed.
WITH wanted AS MATERIALIZED (
    SELECT *
    FROM unnest(:ids::int[], :attempt_ids::uuid[], :floor_ids::int[], :epochs::int[], :settle_ms::int[],
                :settle_from::timestamptz[])
        AS t(id, attempt_id, floor_id, epoch, settle_ms, settle_from)
), evidence AS (
    INSERT INTO submission_evidence
        (execution_id, source, code, attempt_id, state_before, state, actor, actor_known_by, message)
    SELECT e.id, 'operator', 'REQUEUED', w.attempt_id, e.submission_state, 'unknown', :actor, :actor_known_by, :reason
    FROM wanted w JOIN execution e ON e.id = w.id
    WHERE e.id = ANY(:ids)
), again AS (
    UPDATE execution e
    SET submission_state = 'unknown', attempt_id = w.attempt_id, attempts_spent = 0, give_up_at = NULL,
        budget_ms = NULL
    FROM wanted w
    WHERE e.id = w.id
), corrected AS (
    DELETE FROM failed_execution WHERE execution_id = ANY(:ids)
), entries AS (
    INSERT INTO submission_attempt
        (id, state, owner, execution_ids, settle_ms, settle_from, floor_id, epoch, next_action_at,
         closed_at, kind, code, message)
    SELECT attempt_id, 'answered', :actor, array_agg(id ORDER BY id), max(settle_ms),
           coalesce(max(settle_from), now()), min(floor_id),
           coalesce(min(epoch), (SELECT epoch FROM downstream)), now(), now(), 'requeued',
           'REQUEUED', :reason
    FROM wanted
    GROUP BY attempt_id
)
UPDATE trade_order o
SET quantity_sent = p.quantity_sent, submitted = p.submitted, version = o.version + 1
FROM unnest(:order_ids::int[], :quantities_sent::numeric[], :submitted::bool[]) AS p(id, quantity_sent, submitted)
WHERE o.id = p.id;

-- name: attempts_of
-- Every attempt has its ids in ascending order: the block-range index on the first and the last one leads here.
SELECT t.id::text, t.state, t.owner, t.started_at, t.closed_at, t.kind, t.code, t.message, t.http_status,
       t.duration_ms, t.look_ups, cardinality(t.execution_ids) AS size, t.lease_until, t.next_action_at, t.floor_id,
       t.floor_void OR t.epoch < (SELECT epoch FROM downstream) AS floor_void, t.adopted, t.finding_ids,
       t.finding_states, t.finding_codes, t.finding_messages
FROM submission_attempt t
WHERE t.execution_ids[1] <= :id AND t.execution_ids[cardinality(t.execution_ids)] >= :id
  AND t.execution_ids @> ARRAY[:id::int]
ORDER BY t.started_at, t.id
LIMIT :limit;

-- name: evidence_of
SELECT found_at, source, code, attempt_id::text, state_before, state, service_id_before, service_id, actor,
       actor_known_by, message
FROM submission_evidence
WHERE execution_id = :id
ORDER BY id
LIMIT :limit;

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
        (execution_id, source, code, attempt_id, state_before, state, actor, actor_known_by, message)
    SELECT e.id, 'operator', 'RECOVERED', :attempt_id, e.submission_state, 'unknown', :actor, :actor_known_by, :reason
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
