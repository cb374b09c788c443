-- API keys. Those that ended stay, to show who had one.

-- fragment: key_columns
-- In the order of the fields of ApiKey; the role is written as its title.
id, name, role, digest, label, created_at, expires_at, last_used_at, replaced_by, revoked_at,
revoked_at IS NOT NULL OR coalesce(expires_at <= now(), false) AS has_ended

-- name: active
SELECT {key_columns}
FROM api_key WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) ORDER BY name LIMIT :limit;

-- name: all
SELECT {key_columns} FROM api_key ORDER BY created_at, id LIMIT :limit;

-- name: current
SELECT {key_columns} FROM api_key WHERE name = :name AND revoked_at IS NULL AND replaced_by IS NULL;

-- name: free_name
-- A new key may have the name of an expired one.
UPDATE api_key SET revoked_at = expires_at
WHERE name = :name AND revoked_at IS NULL AND replaced_by IS NULL AND expires_at <= now();

-- name: add
INSERT INTO api_key (id, name, role, digest, label, expires_at)
VALUES (:id, :name, :role, :digest, :label, :expires_at)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: replace
UPDATE api_key
SET replaced_by = :new_id,
    expires_at = least(expires_at, now() + :overlap_s::float8 * interval '1 s')
WHERE id = :id AND revoked_at IS NULL AND replaced_by IS NULL
RETURNING {key_columns};

-- name: revoke
UPDATE api_key SET revoked_at = now()
WHERE (id = :which OR name = :which) AND revoked_at IS NULL
RETURNING {key_columns};

-- name: note_used
WITH used AS MATERIALIZED (
    SELECT k.id, u.ago_s
    FROM unnest(:ids::text[], :ago_s::float8[]) AS u(id, ago_s)
    JOIN api_key k ON k.id = u.id
    ORDER BY k.id
    FOR NO KEY UPDATE OF k
)
UPDATE api_key k
SET last_used_at = greatest(k.last_used_at, now() - u.ago_s * interval '1 s')
FROM used u
WHERE k.id = u.id;
