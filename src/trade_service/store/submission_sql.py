"""The statements of the submission path and of recovery, as PostgreSQL text.

They are written by hand since each does in one round trip what would otherwise be four: lock in id
order, change, journal, give back. Rows are locked before they are changed: unordered updates deadlock.

Tables that grow are looked into by ids (`id = ANY(...)`) rather than joined, where that says the same: the
plan of a prepared statement is kept, and one that was made while a table was small would join it whole. Never
both at once: the planner would take it for two conditions, expect one row, and loop over all of them for each.

Rows that are looked into by ids meet no other condition in the same scan where an index serves that condition:
they are read by ids in a materialized step, and chosen afterwards. Where nearly every execution has its id of
the Execution Service, `execution_service_id IS NULL` looks as if it matched nothing, and the planner would read
the whole table by the index on that column (decision 0022).
"""

from trade_service.domain.reference import WITHDRAWN_STATUSES

WITHDRAWN = ", ".join(f"'{status}'" for status in sorted(WITHDRAWN_STATUSES))
WITHDRAWN_IDS = f"ARRAY(SELECT id FROM execution_status WHERE abbreviation IN ({WITHDRAWN}))"
"""Statuses with which nothing is sent that was not on its way before; read once a statement."""

CLAIM = f"""
WITH gate AS MATERIALIZED (
    SELECT epoch, high_water_id, high_water_execution_id
    FROM downstream
    WHERE epoch = :epoch AND suspected_at IS NULL AND blocked_at IS NULL
), asked AS MATERIALIZED (
    SELECT e.id, e.attempt_id, e.execution_service_id, e.execution_status_id,
           -- Ours and never submitted, yet placed: the earlier service sent it in the meantime.
           CASE WHEN e.submission_state <> 'none' OR e.execution_service_id IS NULL AND e.quantity_placed = 0
                THEN e.submission_state END AS submission_state
    FROM execution e
    WHERE e.id = ANY(cast(:ids AS int[]))
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
        WHERE submission_state = ANY(:claimable)
          AND (submission_state <> 'none' OR execution_status_id <> ALL({WITHDRAWN_IDS}))
    ))
      AND EXISTS (SELECT FROM gate)
    RETURNING e.id, e.trade_order_id, e.trade_type_id, e.destination_id, e.quantity_ordered, e.limit_price,
              e.attempts_spent, e.give_up_at
), journal AS (
    INSERT INTO submission_attempt
        (id, state, owner, execution_ids, lease_until, settle_ms, floor_id, floor_execution_id, epoch,
         retry_count, next_action_at)
    SELECT :attempt_id, 'sent', :owner, array_agg(id ORDER BY id), now() + :lease_ms * interval '1 ms',
           :settle_ms, (SELECT high_water_id FROM gate), (SELECT high_water_execution_id FROM gate),
           (SELECT epoch FROM gate), :retry_count, now() + :lease_ms * interval '1 ms'
    FROM mine
    HAVING count(*) > 0
), consumed AS (
    DELETE FROM submission_attempt t
    WHERE t.id = ANY(ARRAY(SELECT attempt_id FROM asked WHERE submission_state = 'queued'))
      AND t.state = 'queued'
      AND t.execution_ids <@ (SELECT array_agg(id) FROM mine)
), traded AS MATERIALIZED (
    -- All in one go: looked up one by one they took a tenth of the statement's time.
    SELECT o.id, rtrim(o.security_id) AS security_id
    FROM trade_order o
    WHERE o.id = ANY(ARRAY(SELECT trade_order_id FROM mine))
)
SELECT CASE WHEN m.id IS NULL THEN a.submission_state END AS submission_state, a.execution_service_id,
       CASE WHEN m.id IS NULL AND a.submission_state = 'none'
            THEN (SELECT s.abbreviation FROM execution_status s
                  WHERE s.id = a.execution_status_id AND s.abbreviation IN ({WITHDRAWN})) END AS withdrawn,
       m.id IS NOT NULL AS claimed, a.id, tt.abbreviation AS trade_type, d.abbreviation AS destination,
       o.security_id, m.quantity_ordered, m.limit_price, m.attempts_spent,
       -- extract() makes a numeric of it, which takes longer than the rest of the row.
       date_part('epoch', m.give_up_at - now()) AS budget_left_s,
       (SELECT high_water_id FROM gate) AS floor_id
FROM asked a
LEFT JOIN mine m ON m.id = a.id
LEFT JOIN traded o ON o.id = m.trade_order_id
LEFT JOIN trade_type tt ON tt.id = m.trade_type_id
LEFT JOIN destination d ON d.id = m.destination_id
"""
"""One statement: the attempt is durable and owns its executions before the first byte leaves."""

_BUDGET_LEFT_MS = """least(greatest(extract(epoch FROM e.give_up_at - now()) * 1000, 1), 2147483647)::int"""
"""What is left of a time budget that stops: never nothing, so that what waited gets a call afterwards."""

SETTLE = """
WITH locked AS MATERIALIZED (
    SELECT e.id, e.submission_state AS state, e.attempt_id, e.execution_service_id AS service_id,
           e.version, e.execution_status_id AS status_id
    FROM execution e
    WHERE e.id = ANY(cast(:ids AS int[]))
    ORDER BY e.id
    FOR NO KEY UPDATE
), before AS MATERIALIZED (
    SELECT l.*, t.state AS told_state, t.service_id AS told_service_id,
           CASE WHEN t.state = 'accepted'
                THEN l.state IS DISTINCT FROM 'accepted' OR l.service_id IS NULL
                ELSE l.attempt_id = :attempt_id AND l.state = :owned_as {fence}
           END AS changes,
           t.state = 'accepted' AND l.state IS DISTINCT FROM 'accepted' AS becomes_accepted
    FROM locked l
    JOIN unnest(cast(:ids AS int[]), cast(:states AS text[]), cast(:service_ids AS int[]))
        AS t(id, state, service_id) ON t.id = l.id
), after AS (
    UPDATE execution e
    SET submission_state = b.told_state,
        attempts_spent = e.attempts_spent - CASE WHEN b.told_state = 'accepted' THEN 0 ELSE :refund END,
        budget_ms = CASE WHEN :pauses_budget AND b.told_state IN ('retry', 'unknown') AND e.give_up_at IS NOT NULL
                         THEN {budget_left_ms} ELSE e.budget_ms END,
        give_up_at = CASE WHEN :pauses_budget AND b.told_state IN ('retry', 'unknown') THEN NULL
                          ELSE e.give_up_at END,
        execution_service_id = coalesce(b.told_service_id, e.execution_service_id),
        execution_status_id = CASE WHEN b.becomes_accepted AND e.execution_status_id = :status_new
                                   THEN :status_sent ELSE e.execution_status_id END,
        quantity_placed = CASE WHEN b.told_state = 'accepted' THEN e.quantity_ordered
                               ELSE e.quantity_placed END,
        version = e.version + CASE WHEN b.becomes_accepted THEN 1 ELSE 0 END
    FROM before b
    WHERE e.id = b.id AND b.changes
    RETURNING e.id, e.trade_order_id, e.submission_state AS state, e.execution_service_id AS service_id,
              e.quantity_ordered, b.state AS state_before
), moved AS MATERIALIZED (
    SELECT a.trade_order_id AS id,
           sum(CASE WHEN a.state IN ('rejected', 'exhausted') THEN -a.quantity_ordered
                    ELSE a.quantity_ordered END) AS quantity
    FROM after a
    WHERE (a.state IN ('rejected', 'exhausted')) <> (coalesce(a.state_before, '') IN ('rejected', 'exhausted'))
    GROUP BY a.trade_order_id
), orders AS MATERIALIZED (
    SELECT o.id
    FROM trade_order o
    WHERE o.id = ANY(ARRAY(SELECT id FROM moved))
    ORDER BY o.id
    FOR NO KEY UPDATE
), given_back AS (
    UPDATE trade_order o
    SET quantity_sent = o.quantity_sent + m.quantity,
        submitted = o.quantity - (o.quantity_sent + m.quantity) <= :submitted_when_left,
        version = o.version + 1
    FROM orders JOIN moved m ON m.id = orders.id
    WHERE o.id = orders.id
), attempt AS (
    UPDATE submission_attempt
    SET {attempt},
        -- An attempt that still owns something open stays open: what the fencing token kept from being
        -- settled, what a fill proved to be accepted before its id was known, and what nobody told about
        -- (which only a closing one has to search for).
        next_action_at = CASE
            WHEN EXISTS (SELECT FROM before b WHERE b.attempt_id = :attempt_id AND NOT b.changes
                         AND b.state IN ('queued', 'claimed', 'retry', 'unknown'))
            THEN coalesce(next_action_at, now())
            WHEN cast(:next_action_in_ms AS float8) IS NULL
                 AND EXISTS (SELECT FROM before b WHERE b.attempt_id = :attempt_id AND NOT b.changes
                             AND b.state = 'accepted' AND b.service_id IS NULL)
            THEN coalesce(next_action_at, now())
            WHEN cast(:next_action_in_ms AS float8) IS NULL
                 AND cardinality(execution_ids) > (SELECT count(*) FROM before)
                 AND EXISTS (SELECT FROM execution e
                             WHERE e.id = ANY(submission_attempt.execution_ids)
                               AND e.attempt_id = :attempt_id
                               AND (e.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
                                    OR e.submission_state = 'accepted' AND e.execution_service_id IS NULL)
                               AND e.id <> ALL(cast(:ids AS int[])))
            THEN coalesce(next_action_at, now())
            ELSE now() + cast(:next_action_in_ms AS float8) * interval '1 ms' END,
        finding_ids = finding_ids || CASE WHEN {news} THEN cast(:finding_ids AS int[]) END,
        finding_states = finding_states || CASE WHEN {news} THEN cast(:finding_states AS varchar[]) END,
        finding_codes = finding_codes || CASE WHEN {news} THEN cast(:finding_codes AS varchar[]) END,
        finding_messages = finding_messages || CASE WHEN {news} THEN cast(:finding_messages AS text[]) END
    WHERE id = :attempt_id
), evidence AS ({evidence}
)
-- The rows are ours since they were locked: what `before` says of them is what `after` made of them.
SELECT b.id, b.version + CASE WHEN b.becomes_accepted THEN 1 ELSE 0 END AS version,
       CASE WHEN b.becomes_accepted AND b.status_id = :status_new THEN :status_sent ELSE b.status_id END
           AS status_id,
       b.changes AS changed,
       CASE WHEN NOT b.changes THEN nullif(coalesce(b.state, 'none'), b.told_state) END AS other_state,
       CASE WHEN NOT b.changes OR b.told_service_id IS NULL
            THEN nullif(b.service_id, b.told_service_id) END AS other_service_id,
       nullif(coalesce(b.state, 'none'), :owned_as) AS other_state_before,
       CASE WHEN b.told_service_id <> b.service_id THEN b.service_id END AS duplicate_of
FROM before b
""".replace("{budget_left_ms}", _BUDGET_LEFT_MS)

_LATE = """
    INSERT INTO submission_evidence
        (execution_id, source, code, attempt_id, state_before, state, service_id, message)
    SELECT a.id, '{source}', 'ACCEPTED_LATE', :attempt_id, a.state_before, a.state, a.service_id, ''
    FROM after a
    WHERE a.state = 'accepted' AND a.state_before IN ('rejected', 'exhausted')"""
"""What had been given up turned out to be accepted: no attempt's own answer tells that."""

_ANSWERED = """state = 'answered', closed_at = now(), settle_from = now(), kind = :kind, code = :code,
        message = :message, http_status = :http_status, duration_ms = :duration_ms,
        next_batch_size = :next_batch_size, top_id = :top_id"""

RECORD = SETTLE.format(
    fence="",
    attempt=f"{_ANSWERED}, settle_ms = least(settle_ms, :settle_ms)",
    news="closed_at IS NULL",
    evidence=_LATE.format(source="answer"),
)
"""One statement: outcomes, quantities given back, the attempt closed or due again."""

RECORD_ACCEPTED = f"""
WITH asked AS MATERIALIZED (
    SELECT e.id, e.attempt_id = :attempt_id AND e.submission_state = 'claimed'
                 AND e.execution_service_id IS NULL AS as_claimed
    FROM execution e
    WHERE e.id = ANY(cast(:ids AS int[]))
    ORDER BY e.id
    FOR NO KEY UPDATE
), locked AS MATERIALIZED (
    SELECT id FROM asked WHERE as_claimed
), after AS (
    UPDATE execution e
    SET submission_state = 'accepted',
        -- Of a hundred the place is found sooner than by a join, which would look up execution by execution.
        execution_service_id = (SELECT cast(:service_ids AS int[]))[
            array_position((SELECT cast(:ids AS int[])), e.id)],
        execution_status_id = CASE WHEN e.execution_status_id = :status_new THEN :status_sent
                                   ELSE e.execution_status_id END,
        quantity_placed = e.quantity_ordered,
        version = e.version + 1
    WHERE e.id = ANY(ARRAY(SELECT id FROM locked))
      AND (SELECT count(*) FROM locked) = cardinality(cast(:ids AS int[]))
      AND (SELECT count(*) FROM locked) = (SELECT cardinality(execution_ids) FROM submission_attempt
                                           WHERE id = :attempt_id)
    RETURNING e.id, e.execution_service_id, e.version, e.execution_status_id
), attempt AS (
    UPDATE submission_attempt
    SET {_ANSWERED}, next_action_at = NULL
    WHERE id = :attempt_id AND EXISTS (SELECT FROM after)
)
SELECT id, execution_service_id, version, execution_status_id FROM after
"""
"""What RECORD does where all of an attempt was accepted, and all of it still is as it was claimed: nearly always.
Else it does nothing and returns no row. It takes a fifth less time than RECORD."""

RECORD_LOOK_UP = SETTLE.format(
    fence="""AND (cast(:epoch AS integer) IS NULL OR EXISTS (
                    SELECT FROM downstream
                    WHERE epoch = :epoch AND suspected_at IS NULL AND blocked_at IS NULL))""",
    attempt="""look_ups = look_ups + 1, top_id = greatest(top_id, :top_id),
        next_batch_size = :next_batch_size""",
    news="true",
    evidence=_LATE.format(source="look_up"),
)
"""The same for what a look-up proved; the answer that the attempt got stays as it was."""

TAKE_DUE = """
WITH due AS MATERIALIZED (
    SELECT id
    FROM submission_attempt
    WHERE next_action_at <= now()
      AND (observer IS NULL OR observer = :owner
           OR next_action_at <= now() - :grace_ms * interval '1 ms')
    ORDER BY next_action_at
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE submission_attempt t
SET next_action_at = now() + :hold_ms * interval '1 ms',
    observer = :owner,
    state = CASE WHEN t.state = 'sent' THEN 'answered' ELSE t.state END,
    kind = CASE WHEN t.state = 'sent' THEN 'lost' ELSE t.kind END,
    code = CASE WHEN t.state = 'sent' THEN 'OWNER_LOST' ELSE t.code END,
    message = CASE WHEN t.state = 'sent'
                   THEN 'its owner ' || t.owner || ' did not record an outcome within the lease'
                   ELSE t.message END,
    settle_from = CASE WHEN t.state = 'sent' THEN t.lease_until ELSE t.settle_from END
WHERE t.id = ANY(ARRAY(SELECT id FROM due))
RETURNING t.id, t.floor_id, t.floor_execution_id, CASE WHEN t.floor_void THEN 0 ELSE t.epoch END AS epoch,
          t.settle_ms, t.look_ups, t.next_batch_size, t.adopted, t.execution_ids,
          coalesce(t.settle_from + t.settle_ms * interval '1 ms' <= now(), false) AS settled,
          t.retry_count, cardinality(t.execution_ids) AS size, t.kind, t.code, t.message, t.http_status,
          extract(epoch FROM now() - t.started_at)::float8 AS age_s,
          CASE WHEN t.code = 'OWNER_LOST' THEN round(extract(epoch FROM t.lease_until - t.started_at) * 1000)::int
               ELSE 0 END AS lease_ms,
          coalesce(t.kind = 'requeued', false) AS requeued
"""
"""Takes due attempts, holds them, and notes those whose owner let its lease pass."""

UNDER_WAY = """
SELECT id
FROM submission_attempt
WHERE next_action_at IS NOT NULL AND state = 'sent'
ORDER BY next_action_at
LIMIT :limit
"""

MARK_LOST = """
WITH lost AS MATERIALIZED (
    SELECT e.id
    FROM execution e
    WHERE e.id = ANY(:ids)
      AND e.attempt_id = ANY(cast(:attempt_ids AS uuid[]))
      AND e.submission_state = 'claimed'
    ORDER BY e.id
    FOR NO KEY UPDATE
), marked AS (
    UPDATE execution e SET submission_state = 'unknown' WHERE e.id = ANY(ARRAY(SELECT id FROM lost))
    RETURNING e.id, e.attempt_id
), told AS (
    SELECT attempt_id, array_agg(id ORDER BY id) AS ids, count(*)::int AS n FROM marked GROUP BY attempt_id
)
UPDATE submission_attempt t
SET finding_ids = t.finding_ids || told.ids,
    finding_states = t.finding_states || array_fill('unknown'::varchar, ARRAY[told.n]),
    finding_codes = t.finding_codes || array_fill('OWNER_LOST'::varchar, ARRAY[told.n]),
    finding_messages = t.finding_messages || array_fill(
        'its owner ' || t.owner || ' did not record an outcome within the lease', ARRAY[told.n])
FROM told
WHERE t.id = told.attempt_id AND t.id = ANY(cast(:attempt_ids AS uuid[]))
"""
"""What a lost owner left claimed may have been accepted. Noted as a finding, which a late answer leaves there."""

OPEN_ITEMS = """
SELECT e.attempt_id, e.id, e.submission_state, tt.abbreviation AS trade_type, d.abbreviation AS destination,
       (SELECT rtrim(o.security_id) FROM trade_order o WHERE o.id = e.trade_order_id) AS security_id,
       e.quantity_ordered, e.attempts_spent,
       -- The previous release sets give_up_at and leaves budget_ms as it was.
       coalesce(extract(epoch FROM e.give_up_at - now())::float8, e.budget_ms / 1000.0::float8, 'infinity')
           AS budget_left_s
FROM execution e
JOIN destination d ON d.id = e.destination_id
LEFT JOIN trade_type tt ON tt.id = e.trade_type_id
WHERE e.id = ANY(:ids)
  AND e.attempt_id = ANY(cast(:attempt_ids AS uuid[]))
  AND (e.submission_state IN ('queued', 'retry', 'unknown')
       OR e.submission_state = 'accepted' AND e.execution_service_id IS NULL)
ORDER BY e.id
"""

STATES = f"""
SELECT e.submission_state, e.execution_service_id, s.abbreviation AS withdrawn, e.id
FROM execution e
LEFT JOIN execution_status s ON s.id = e.execution_status_id AND e.submission_state = 'none'
    AND s.abbreviation IN ({WITHDRAWN})
WHERE e.id = ANY(:ids)
ORDER BY e.id
"""

POSTPONE = """
UPDATE submission_attempt
SET next_action_at = now() + cast(:delay_ms AS float8) * interval '1 ms'
WHERE id = :attempt_id
"""

PAUSE_BUDGETS = f"""
WITH waiting AS MATERIALIZED (
    SELECT e.id
    FROM execution e
    WHERE e.id = ANY(ARRAY(SELECT unnest(t.execution_ids) FROM submission_attempt t WHERE t.id = :attempt_id))
      AND e.attempt_id = :attempt_id AND e.submission_state IN ('queued', 'retry') AND e.give_up_at IS NOT NULL
    ORDER BY e.id
    FOR NO KEY UPDATE
)
UPDATE execution e
SET budget_ms = {_BUDGET_LEFT_MS}, give_up_at = NULL
WHERE e.id = ANY(ARRAY(SELECT id FROM waiting))
"""

TAKE_OVER = """
WITH foreign_rows AS MATERIALIZED (
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
    WHERE e.id = ANY(ARRAY(SELECT id FROM foreign_rows WHERE accepted))
), unproven AS (
    UPDATE execution e
    SET submission_state = 'unknown', attempt_id = :attempt_id
    WHERE e.id = ANY(ARRAY(SELECT id FROM foreign_rows WHERE NOT accepted))
    RETURNING e.id
)
INSERT INTO submission_attempt
    (id, state, owner, execution_ids, settle_ms, settle_from, floor_id, adopted, next_action_at,
     closed_at, kind, code, message)
SELECT :attempt_id, 'answered', :owner, array_agg(id ORDER BY id), :settle_ms, now(), 0,
       true, now(), now(), 'lost', 'TAKEN_OVER', 'rows of the earlier service whose outcome is unknown'
FROM unproven
HAVING count(*) > 0
"""
"""Rows of the earlier service, sent at an unknown time: accepted if proven, else unknown with floor 0, epoch 1."""
