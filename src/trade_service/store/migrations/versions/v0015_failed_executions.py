"""Failed executions in a table of their own: they are found without an index on the state.

The statements that end an execution, or take that back, write it. Reading by reason needs an index, and a message
may be too long for one: `reason` is a hash of state, code and message, where "…" stands for each UUID and each
number of four digits or more, which would make every message another reason. Filled from the earlier rows here.

Only additions: the legacy service and the previous release can still read and write everything. What a replica of
the previous release ends meanwhile is found by a check of the whole table, ten minutes later and then once a day.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

PIECE = 50_000
"""Ids of executions that one statement reads."""

_GENERAL = """regexp_replace(
    message, '[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+|[0-9][0-9][0-9][0-9]+', '…', 'g')"""

_UPGRADE = (
    f"""CREATE TABLE failed_execution (
        execution_id integer PRIMARY KEY,
        state varchar(9) NOT NULL,
        code text NOT NULL,
        message text NOT NULL,
        failed_at timestamptz NOT NULL DEFAULT now(),
        reason bigint NOT NULL
            GENERATED ALWAYS AS (hashtextextended(state || ' ' || code || ' ' || {_GENERAL}, 0)) STORED)""",
    "CREATE INDEX failed_execution_reason_ndx ON failed_execution (reason, failed_at, execution_id)",
    "CREATE INDEX failed_execution_at_ndx ON failed_execution (failed_at, execution_id)",
    """CREATE TABLE failed_execution_check (
        id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
        next_id integer NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL)""",
    "INSERT INTO failed_execution_check (due_at) VALUES (now() + interval '10 minutes')",
)
_FILL = sa.text("""
INSERT INTO failed_execution (execution_id, state, code, message, failed_at)
SELECT e.id, e.submission_state, coalesce(v.code, f.code, a.code, ''),
       coalesce(v.message, f.message, a.message, ''),
       coalesce(v.found_at, a.closed_at, a.started_at, e.execution_timestamp)
FROM execution e
LEFT JOIN LATERAL (SELECT * FROM submission_attempt t WHERE t.id = e.attempt_id OFFSET 0) a ON true
LEFT JOIN LATERAL (
    SELECT f.code, f.message
    FROM unnest(a.finding_ids, a.finding_codes, a.finding_messages) WITH ORDINALITY AS f(id, code, message, place)
    WHERE f.id = e.id
    ORDER BY f.place DESC
    LIMIT 1
) f ON true
LEFT JOIN LATERAL (
    SELECT v.code, v.message, v.found_at FROM submission_evidence v
    WHERE v.execution_id = e.id AND v.attempt_id = e.attempt_id AND v.code = 'RESOLVED'
    ORDER BY v.id DESC
    LIMIT 1
) v ON true
WHERE e.id > :after AND e.id <= :last AND e.submission_state IN ('rejected', 'exhausted')
""")


def upgrade() -> None:
    """Adds the tables and fills them, a bounded number of executions at a time."""
    for statement in _UPGRADE:
        op.execute(statement)
    connection = op.get_bind()
    after = 0
    while True:
        last = connection.scalar(
            sa.text(
                "SELECT max(id) FROM (SELECT id FROM execution WHERE id > :after ORDER BY id LIMIT :piece) p"
            ),
            {"after": after, "piece": PIECE},
        )
        if last is None:
            return
        connection.execute(_FILL, {"after": after, "last": last})
        after = last


def downgrade() -> None:
    """Drops them; nothing is lost, the executions have it all."""
    op.execute("DROP TABLE failed_execution_check")
    op.execute("DROP TABLE failed_execution")
