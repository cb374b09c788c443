-- What a server promises: see docs/failures.md.

-- name: promises
-- An unlogged sequence gives the same ids again after a crash: those of our tables count too.
WITH ours AS MATERIALIZED (
    SELECT to_regclass(t.name) AS oid FROM unnest(:tables::text[]) AS t(name)
)
SELECT current_setting('fsync') = 'on' AS fsync, current_setting('full_page_writes') = 'on' AS full_page_writes,
       pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only,
       current_setting('synchronous_commit') AS commits,
       (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS commits_by_default,
       current_setting('transaction_isolation') AS isolation,
       pg_backend_pid() AS pid,
       ARRAY(SELECT c.relname::text FROM pg_class c
             WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 'p'
               AND (c.oid IN (SELECT oid FROM ours)
                    OR c.oid IN (SELECT d.objid FROM pg_depend d
                                 WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                                   AND d.refclassid = 'pg_class'::regclass
                                   AND d.refobjid IN (SELECT oid FROM ours)))
             ORDER BY 1) AS unlogged;

-- name: refused_sessions
SELECT application_name, count(*) AS sessions
FROM pg_stat_activity
WHERE datname = current_database() AND application_name = ANY(:programs::text[]) AND pid <> pg_backend_pid()
GROUP BY application_name
ORDER BY application_name;
