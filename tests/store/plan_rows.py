"""The rows that query plans are tested on."""

ORDERS = 50_000
ATTEMPTS = 5_000
EACH = ORDERS // ATTEMPTS
BATCH = 100


ARCHIVE_FILE = """INSERT INTO archive_file (kind, name, row_count, sha256, first_at, last_at)
                  VALUES ('executions', 'a', 1, '', now(), now())"""

FILL = (
    f"""INSERT INTO trade_order
        (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, submitted)
        SELECT n, 'P' || n, 'BUY', 'S' || n, 10, 10, true FROM generate_series(1, {ORDERS}) n""",
    # Old ones are closed; of the newest, some wait for a look-up, some hold queued executions.
    f"""INSERT INTO submission_attempt (id, state, owner, execution_ids, next_action_at, floor_id)
        SELECT overlay('01900000-0000-7000-8000-000000000000' PLACING lpad(to_hex(a), 12, '0') FROM 25)::uuid,
               CASE WHEN a > {ATTEMPTS - 20} THEN 'queued' ELSE 'answered' END, 'one',
               array(SELECT generate_series((a - 1) * {EACH} + 1, a * {EACH})),
               CASE WHEN a > {ATTEMPTS - 50} THEN now() - interval '1 s' END, 5
        FROM generate_series(1, {ATTEMPTS}) a""",
    f"""INSERT INTO execution
        (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered, quantity_placed,
         submission_state, attempt_id, execution_service_id)
        SELECT 1, 1, n, 1, 10, 0,
               CASE WHEN n <= {ORDERS - 50 * EACH} THEN 'accepted' WHEN n <= {ORDERS - 20 * EACH} THEN 'unknown'
                    ELSE 'queued' END,
               overlay('01900000-0000-7000-8000-000000000000'
                       PLACING lpad(to_hex((n - 1) / {EACH} + 1), 12, '0') FROM 25)::uuid,
               CASE WHEN n <= {ORDERS - 50 * EACH} THEN n END
        FROM generate_series(1, {ORDERS}) n""",
    f"""INSERT INTO bulk_submission (id, execution_ids)
        SELECT overlay('01900000-0000-7000-8000-000000000000' PLACING lpad(to_hex(b), 12, '0') FROM 25)::uuid,
               array(SELECT generate_series({ORDERS} - b - {BATCH} + 1, {ORDERS} - b))
        FROM generate_series(1, 200) b""",
    # Earlier than the executions above, which the statements change.
    f"""INSERT INTO failed_execution (execution_id, state, code, message, failed_at)
        SELECT n, 'rejected', 'CODE ' || n % 10, 'message ' || n % 10, now() - n * interval '1 s'
        FROM generate_series(1, {ORDERS}) n""",
    "UPDATE failed_execution_check SET due_at = now()",
    ARCHIVE_FILE,
    f"""INSERT INTO archived_execution
        (id, file_id, trade_order_id, execution_timestamp, destination, quantity_ordered, submission_state,
         is_legacy)
        SELECT {10 * ORDERS} + n, 1, n, now(), 'ML', 10, 'accepted', false FROM generate_series(1, {ORDERS}) n""",
    """INSERT INTO idempotency_key
        (id, principal, scope, key, fingerprint, holder, running_until, expires_at)
        SELECT n::text::bytea, '', 'POST /a', 'key ' || n, '', gen_random_uuid(), now(),
               now() + (n - 2500) * interval '1 s'
        FROM generate_series(1, 5000) n""",
)
