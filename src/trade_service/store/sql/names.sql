-- Names of portfolios and securities as their own services reported them.

-- name: known
SELECT 'portfolio' AS kind, rtrim(id) AS id, name, extract(epoch FROM now() - fetched_at)::float8 AS age_s
FROM portfolio_name WHERE id = ANY(:portfolio_ids)
UNION ALL
SELECT 'security', rtrim(id), name, extract(epoch FROM now() - fetched_at)::float8
FROM security_name WHERE id = ANY(:security_ids);

-- name: remember_portfolio
-- In id order: two replicas with the same ids wait for each other instead of deadlocking.
INSERT INTO portfolio_name AS n (id, name)
SELECT t.id, t.name FROM unnest(:ids::bpchar[], :names::text[]) AS t(id, name) ORDER BY t.id
ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, n.name), fetched_at = now();

-- name: remember_security
INSERT INTO security_name AS n (id, name)
SELECT t.id, t.name FROM unnest(:ids::bpchar[], :names::text[]) AS t(id, name) ORDER BY t.id
ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, n.name), fetched_at = now();

-- name: ids_of_portfolio
SELECT rtrim(id), name
FROM portfolio_name
WHERE lower(name) = ANY(ARRAY(SELECT lower(v) FROM unnest(:texts::text[]) v))
UNION ALL
SELECT v, v
FROM unnest(:texts::text[]) v
WHERE length(v) <= 24
  AND EXISTS (SELECT FROM trade_order o WHERE o.portfolio_id = v::char(24))
  AND NOT EXISTS (SELECT FROM portfolio_name n WHERE n.id = v::char(24) AND n.name IS NOT NULL);

-- name: ids_of_security
SELECT rtrim(id), name
FROM security_name
WHERE lower(name) = ANY(ARRAY(SELECT lower(v) FROM unnest(:texts::text[]) v))
UNION ALL
SELECT v, v
FROM unnest(:texts::text[]) v
WHERE length(v) <= 24
  AND EXISTS (SELECT FROM trade_order o WHERE o.security_id = v::char(24))
  AND NOT EXISTS (SELECT FROM security_name n WHERE n.id = v::char(24) AND n.name IS NOT NULL);

-- name: nameless_portfolio
-- A skip scan of the index finds the ids in use, however many orders share each.
WITH RECURSIVE seen (id) AS (
    (SELECT portfolio_id FROM trade_order ORDER BY portfolio_id LIMIT 1)
    UNION ALL
    SELECT (SELECT o.portfolio_id FROM trade_order o WHERE o.portfolio_id > s.id ORDER BY o.portfolio_id LIMIT 1)
    FROM seen s
    WHERE s.id IS NOT NULL
), missing AS (
    SELECT s.id, NULL::timestamptz AS fetched_at
    FROM seen s
    WHERE s.id IS NOT NULL AND NOT EXISTS (SELECT FROM portfolio_name n WHERE n.id = s.id)
    LIMIT :limit
), old AS (
    SELECT id, fetched_at
    FROM portfolio_name
    WHERE fetched_at < now() - make_interval(secs => :older_than_s)
    ORDER BY fetched_at
    LIMIT :limit
)
SELECT rtrim(id)
FROM (SELECT * FROM missing UNION ALL SELECT * FROM old) wanted
ORDER BY fetched_at NULLS FIRST
LIMIT :limit;

-- name: nameless_security
WITH RECURSIVE seen (id) AS (
    (SELECT security_id FROM trade_order ORDER BY security_id LIMIT 1)
    UNION ALL
    SELECT (SELECT o.security_id FROM trade_order o WHERE o.security_id > s.id ORDER BY o.security_id LIMIT 1)
    FROM seen s
    WHERE s.id IS NOT NULL
), missing AS (
    SELECT s.id, NULL::timestamptz AS fetched_at
    FROM seen s
    WHERE s.id IS NOT NULL AND NOT EXISTS (SELECT FROM security_name n WHERE n.id = s.id)
    LIMIT :limit
), old AS (
    SELECT id, fetched_at
    FROM security_name
    WHERE fetched_at < now() - make_interval(secs => :older_than_s)
    ORDER BY fetched_at
    LIMIT :limit
)
SELECT rtrim(id)
FROM (SELECT * FROM missing UNION ALL SELECT * FROM old) wanted
ORDER BY fetched_at NULLS FIRST
LIMIT :limit;

-- name: forget_portfolio
DELETE FROM portfolio_name
WHERE id IN (SELECT id FROM portfolio_name ORDER BY fetched_at DESC, id OFFSET :kept);

-- name: forget_security
DELETE FROM security_name
WHERE id IN (SELECT id FROM security_name ORDER BY fetched_at DESC, id OFFSET :kept);
