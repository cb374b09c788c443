-- What all replicas do at present, for a console that asks every second or two: each statement reads a bounded number of
-- rows. Attempts are found by their ids, which begin with the time at which they were made.

-- name: calls
-- What the calls of each interval did, by replica. Of an execution the first outcome of the call counts: it never
-- changes. Only what claimed executions has a lease; other entries of the journal are no calls.
SELECT s.start, s.owner, sum(s.attempts)::bigint, sum(s.executions)::bigint,
       sum(s.answered - s.found + s.accepted)::bigint, sum(s.rejected)::bigint, sum(s.retried)::bigint,
       sum(s.unknown)::bigint, sum(s.exhausted)::bigint, sum(s.open)::bigint,
       (extract(epoch FROM max(s.last_at)) * 1000)::bigint,
       array_agg(s.step) FILTER (WHERE s.step IS NOT NULL), array_agg(s.attempts) FILTER (WHERE s.step IS NOT NULL)
FROM (
    SELECT c.start, c.owner, c.step, count(*) AS attempts, sum(c.size) AS executions,
           sum(CASE WHEN c.is_answered THEN c.size ELSE 0 END) AS answered,
           coalesce(sum(c.found[1]) FILTER (WHERE c.is_answered), 0) AS found,
           coalesce(sum(c.found[2]), 0) AS accepted, coalesce(sum(c.found[3]), 0) AS rejected,
           coalesce(sum(c.found[4]), 0) AS retried, coalesce(sum(c.found[5]), 0) AS unknown,
           coalesce(sum(c.found[6]), 0) AS exhausted,
           count(*) FILTER (WHERE c.is_open) AS open, max(c.started_at) AS last_at
    FROM (
        SELECT w.start, a.owner, a.started_at, cardinality(a.execution_ids) AS size,
               a.closed_at IS NOT NULL AND a.kind = 'answered' AS is_answered,
               a.closed_at IS NULL AND a.finding_ids = '{}' AS is_open,
               round(ln(greatest(a.duration_ms, 1)::float8) * :latency_steps::int)::int AS step,
               CASE WHEN a.finding_ids <> '{}' THEN (
                   SELECT ARRAY[count(*), count(*) FILTER (WHERE f.state = 'accepted'),
                                count(*) FILTER (WHERE f.state = 'rejected'),
                                count(*) FILTER (WHERE f.state = 'retry'),
                                count(*) FILTER (WHERE f.state = 'unknown'),
                                count(*) FILTER (WHERE f.state = 'exhausted')]
                   FROM (
                       SELECT DISTINCT ON (u.id) u.state
                       FROM unnest(a.finding_ids, a.finding_states) WITH ORDINALITY AS u(id, state, place)
                       ORDER BY u.id, u.place
                   ) f) END AS found
        FROM unnest(:starts::bigint[], :lows::uuid[], :highs::uuid[]) AS w(start, low, high)
        CROSS JOIN LATERAL (
            SELECT t.owner, t.started_at, t.execution_ids, t.closed_at, t.kind, t.duration_ms, t.finding_ids,
                   t.finding_states
            FROM submission_attempt t
            WHERE t.id >= w.low AND t.id < w.high AND t.lease_until IS NOT NULL
            OFFSET 0
        ) a
    ) c
    GROUP BY c.start, c.owner, c.step
) s
GROUP BY s.start, s.owner;

-- name: open_attempts
-- How many executions the open attempts hold, by what was last heard of the attempt; some of those may be settled.
SELECT count(*) AS attempts,
       coalesce(sum(size) FILTER (WHERE state = 'queued'), 0)::bigint AS queued,
       coalesce(sum(size) FILTER (WHERE state = 'sent'), 0)::bigint AS claimed,
       coalesce(sum(size) FILTER (WHERE state = 'answered' AND kind NOT IN ('lost', 'unclear')), 0)::bigint AS retry,
       coalesce(sum(size) FILTER (WHERE state = 'answered' AND kind IN ('lost', 'unclear')), 0)::bigint AS unknown,
       min(started_at) AS oldest_at,
       count(*) FILTER (WHERE is_overdue) AS overdue, min(next_action_at) FILTER (WHERE is_overdue) AS overdue_since
FROM (
    SELECT state, kind, cardinality(execution_ids) AS size, started_at, next_action_at,
           next_action_at < now() - :overdue_s::float8 * interval '1 s' AS is_overdue
    FROM submission_attempt
    WHERE next_action_at IS NOT NULL
    ORDER BY next_action_at
    LIMIT :attempts
) open;

-- name: waiting_for_person
-- As many as operator.sql's `unknowns` finds `for_person`.
SELECT count(*) AS executions, min(a.started_at) AS since
FROM (
    SELECT id, execution_ids, started_at
    FROM submission_attempt a
    WHERE next_action_at IS NOT NULL AND {needs_person}
    OFFSET 0
) a
CROSS JOIN LATERAL (
    SELECT x.id FROM execution x
    WHERE x.id = ANY(a.execution_ids) AND x.attempt_id = a.id AND x.submission_state = 'unknown'
    OFFSET 0
) e;

-- name: ledger
SELECT suspected_at, suspicion, blocked_at, blocked_reason FROM downstream;

-- name: pages
SELECT pg_relation_size('execution') / current_setting('block_size')::int;

-- name: states
-- In a share of the table, always the same part of it.
SELECT e.submission_state, count(*)
FROM execution e TABLESAMPLE SYSTEM (:percent::float4) REPEATABLE (1)
GROUP BY e.submission_state;

-- name: failed
SELECT f.state, count(*) FROM (SELECT state FROM failed_execution LIMIT :most) f GROUP BY f.state;

-- name: beat
INSERT INTO replica (owner, version, workers, circuit, circuit_reason, waits_for)
VALUES (:owner, :version, :workers, :circuit, :circuit_reason, :waits_for)
ON CONFLICT (owner) DO UPDATE
SET seen_at = now(), circuit = excluded.circuit, circuit_reason = excluded.circuit_reason,
    waits_for = excluded.waits_for,
    circuit_since = CASE WHEN replica.circuit = excluded.circuit THEN replica.circuit_since ELSE now() END;

-- name: leave
DELETE FROM replica WHERE owner = :owner OR seen_at < now() - :forget_s::float8 * interval '1 s';

-- name: circuits
SELECT owner, circuit, circuit_since, circuit_reason
FROM replica
WHERE seen_at > now() - :alive_s::float8 * interval '1 s'
ORDER BY owner;

-- name: replicas
-- In the order of the fields of ReplicaReport: those that are alive, that sent something lately, or that hold something.
-- Leases end later than other open attempts are due, so that the bound spares them.
WITH recent AS (
    SELECT owner, count(*) AS attempts, sum(cardinality(execution_ids)) AS executions,
           count(*) FILTER (WHERE closed_at IS NULL) AS open_attempts, max(started_at) AS last_attempt_at
    FROM submission_attempt
    WHERE lease_until IS NOT NULL
      AND id >= (lpad(to_hex(((extract(epoch FROM now()) - :within_s::int) * 1000)::bigint), 12, '0')
                 || repeat('0', 20))::uuid
    GROUP BY owner
), holding AS (
    SELECT owner, sum(size) FILTER (WHERE state = 'sent') AS executions
    FROM (
        SELECT owner, state, cardinality(execution_ids) AS size
        FROM submission_attempt
        WHERE next_action_at IS NOT NULL
        ORDER BY next_action_at DESC
        LIMIT :attempts
    ) open
    GROUP BY owner
    HAVING bool_or(state = 'sent')
), named AS (
    SELECT owner FROM replica WHERE seen_at > now() - :listed_s::float8 * interval '1 s'
    UNION SELECT owner FROM recent
    UNION SELECT owner FROM holding
)
SELECT n.owner, coalesce(a.attempts, 0), coalesce(a.executions, 0), coalesce(a.open_attempts, 0), a.last_attempt_at,
       coalesce(h.executions, 0), r.seen_at, coalesce(r.seen_at > now() - :alive_s::float8 * interval '1 s', false),
       r.started_at, r.version, r.workers, r.circuit, r.circuit_since, r.circuit_reason, r.waits_for
FROM named n
LEFT JOIN recent a ON a.owner = n.owner
LEFT JOIN holding h ON h.owner = n.owner
LEFT JOIN replica r ON r.owner = n.owner
ORDER BY n.owner;
