-- API keys. Revoked ones stay, to show who had one.

-- name: active
SELECT id, name, role, digest, created_at, revoked_at
FROM api_key WHERE revoked_at IS NULL ORDER BY name LIMIT :limit;

-- name: all
SELECT id, name, role, digest, created_at, revoked_at FROM api_key ORDER BY created_at, id LIMIT :limit;

-- name: add
INSERT INTO api_key (id, name, role, digest) VALUES (:id, :name, :role, :digest)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: revoke
UPDATE api_key SET revoked_at = now()
WHERE (id = :which OR name = :which) AND revoked_at IS NULL
RETURNING id, name, role, digest, created_at, revoked_at;
