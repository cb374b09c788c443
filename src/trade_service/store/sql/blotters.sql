-- Blotters that were submitted whole: their rows, and what each became.

-- name: keep
INSERT INTO submitted_blotter (submission_id, kept_rows) VALUES (:id, :rows);

-- name: read
SELECT kept_rows FROM submitted_blotter WHERE submission_id = :id;
