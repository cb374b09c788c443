-- The audit log. Statements that change much at once add their entry themselves, by the fragment `audit`.

-- name: add
{audit}, :action, :object, :object_ids::int[], :trade_order_ids::int[], :object_name, :details::jsonb;

-- fragment: looked_at
-- The newest entries before a place; ordered as the primary key, which is read backwards.
SELECT *
FROM audit_log
WHERE (at, id) < (coalesce(:before_at::timestamptz, 'infinity'), coalesce(:before_id::bigint, 0))
  AND at >= coalesce(:since::timestamptz, '-infinity') AND at < coalesce(:until::timestamptz, 'infinity')
ORDER BY at DESC, id DESC

-- name: page
-- In the order of the fields of AuditEntry.
SELECT at, id, actor, known_by, address, request_id, action, object, object_ids[1 : :shown::int],
       cardinality(object_ids), trade_order_ids[1 : :shown::int], object_name, details
FROM (
    {looked_at}
    LIMIT :looked_at
) looked_at
WHERE (:actor::text IS NULL OR actor = :actor)
  AND (:action::text IS NULL OR action = :action)
  AND (:object_id::int IS NULL AND (:object::text IS NULL OR object = :object)
       OR object = coalesce(:object, object) AND object_ids @> ARRAY[:object_id::int]
       OR coalesce(:object, 'tradeOrder') = 'tradeOrder' AND trade_order_ids @> ARRAY[:object_id::int])
ORDER BY at DESC, id DESC
LIMIT :limit;

-- name: last_looked_at
-- Only if there are more behind it.
SELECT at, id
FROM (
    {looked_at}
    OFFSET :looked_at - 1 LIMIT 1
) last;
