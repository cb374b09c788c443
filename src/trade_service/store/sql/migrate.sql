-- What migrations ask and set outside of Alembic.

-- name: has_table
-- Reading a table makes the server look at what others have committed; to_regclass alone would answer from what it
-- knew before it waited for them.
SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:table));

-- name: version
SELECT max(version_num) FROM trade_service_alembic_version;

-- name: encoding
SELECT current_setting('server_encoding');

-- name: adopted
SELECT coalesce(sum(cardinality(execution_ids)), 0)::int FROM submission_attempt WHERE adopted;

-- name: no_timeouts
SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true);

-- name: lock_timeout
SELECT set_config('lock_timeout', :timeout, true);

-- name: statement_timeout
SELECT set_config('statement_timeout', :timeout, true);

-- name: before_locks
SAVEPOINT before_locks;

-- name: without_locks
ROLLBACK TO SAVEPOINT before_locks;

-- name: lock_tables
-- Those of the service's schema that this user may lock.
DO $$ BEGIN
    EXECUTE (
        SELECT 'LOCK TABLE ' || string_agg(oid::regclass::text, ', ' ORDER BY relname) || ' IN ACCESS EXCLUSIVE MODE'
        FROM pg_class
        WHERE relkind = 'r' AND pg_has_role(relowner, 'USAGE')
          AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('trade_service_alembic_version')));
END $$;

-- name: try_lock
SELECT pg_try_advisory_xact_lock(:key);

-- name: lock
SELECT pg_advisory_xact_lock(:key);

-- name: tables
SELECT coalesce(array_agg(oid), '{}') FROM pg_class WHERE relkind IN ('r', 'p');

-- name: locks
SELECT DISTINCT ON (c.relname) c.relname AS name, l.mode
FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE l.pid = pg_backend_pid() AND l.granted AND c.oid = ANY(:tables::oid[])
  AND c.relnamespace <> 'pg_catalog'::regnamespace AND l.mode <> 'AccessShareLock'
ORDER BY c.relname, array_position(
    '{AccessExclusiveLock,ExclusiveLock,ShareRowExclusiveLock,ShareLock,ShareUpdateExclusiveLock,RowExclusiveLock,RowShareLock}',
    l.mode);
