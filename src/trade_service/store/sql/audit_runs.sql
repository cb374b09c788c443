-- Audits that replicas run in the background. One whose lease is over has failed, whatever its row says.

-- fragment: run_columns
-- In the order of the fields of AuditRun, without the report.
id::text, book, CASE WHEN {is_lost} THEN 'FAILED' ELSE status END, started_at,
coalesce(finished_at, CASE WHEN {is_lost} THEN lease_until END), nullif(started_by, ''), replica, ledger_rows,
CASE WHEN {is_lost} THEN {lost} ELSE message END

-- fragment: is_lost
(status = 'RUNNING' AND lease_until <= now())

-- fragment: lost
'the replica ' || replica || ' stopped before it was done: start it again'

-- name: end_lost
UPDATE audit_run SET status = 'FAILED', finished_at = lease_until, message = {lost} WHERE {is_lost};

-- name: remove_old
DELETE FROM audit_run
WHERE id <= (SELECT id FROM audit_run ORDER BY id DESC OFFSET :kept LIMIT 1) AND status <> 'RUNNING';

-- name: start
INSERT INTO audit_run (id, book, status, started_by, replica, lease_until)
VALUES (:id, :book, 'RUNNING', :started_by, :replica, now() + :lease_s::float8 * interval '1 s')
ON CONFLICT (status) WHERE status = 'RUNNING' DO NOTHING;

-- name: renew
UPDATE audit_run
SET lease_until = now() + :lease_s::float8 * interval '1 s', ledger_rows = :ledger_rows
WHERE id = :id AND status = 'RUNNING';

-- name: finish
UPDATE audit_run
SET status = :status, finished_at = now(), ledger_rows = coalesce(:ledger_rows, ledger_rows), message = :message,
    report = :report::jsonb
WHERE id = :id AND status = 'RUNNING';

-- name: get
SELECT {run_columns}, report FROM audit_run WHERE id = :id;

-- name: page
SELECT {run_columns}, report - 'findings'
FROM audit_run
WHERE id < coalesce(:before::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
ORDER BY id DESC
LIMIT :limit;
