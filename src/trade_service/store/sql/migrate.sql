-- What migrations ask and set outside of Alembic.

-- name: has_version
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

-- name: try_lock
SELECT pg_try_advisory_xact_lock(:key);

-- name: lock
SELECT pg_advisory_xact_lock(:key);
