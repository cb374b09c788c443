-- A database of release 0.1.0 (revision 0013), as pg_dump wrote it: executions of every state.

CREATE FUNCTION public.audit_log_refuses_changes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
       BEGIN
           IF TG_OP = 'DELETE' AND EXISTS (
               SELECT FROM archive_file
               WHERE id = nullif(current_setting('trade_service.archive_file', true), '')::int
                 AND kind = 'audit_log' AND removed_at = now()) THEN
               RETURN NULL;
           END IF;
           RAISE EXCEPTION 'audit_log is append-only, % is refused', TG_OP
               USING ERRCODE = 'insufficient_privilege';
       END $$;
CREATE TABLE public.adopted_index (
    name character varying(63) NOT NULL,
    definition text NOT NULL
);
CREATE TABLE public.api_key (
    id character varying(12) NOT NULL,
    name character varying(60) NOT NULL,
    role character varying(8) NOT NULL,
    digest bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    label character varying(100),
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    replaced_by character varying(12)
);
CREATE TABLE public.archive_file (
    id integer NOT NULL,
    kind character varying(20) NOT NULL,
    name character varying(100) NOT NULL,
    row_count integer NOT NULL,
    sha256 character varying(64) NOT NULL,
    first_execution_id integer,
    last_execution_id integer,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    oldest_epoch integer,
    removed_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.archive_file ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY ( SEQUENCE NAME public.archive_file_id_seq );
CREATE TABLE public.archived_execution (
    id integer NOT NULL,
    file_id integer NOT NULL,
    trade_order_id integer NOT NULL,
    execution_timestamp timestamp with time zone NOT NULL,
    trade_type character varying(10),
    destination character varying(20) NOT NULL,
    quantity_ordered numeric(18,8) NOT NULL,
    submission_state character varying(9) NOT NULL,
    execution_service_id integer,
    is_legacy boolean NOT NULL
);
CREATE TABLE public.audit_log (
    at timestamp with time zone DEFAULT now() NOT NULL,
    id bigint NOT NULL,
    actor character varying(255) NOT NULL,
    known_by character varying(8) NOT NULL,
    address character varying(64),
    request_id character varying(128),
    action character varying(20) NOT NULL,
    object character varying(20) NOT NULL,
    object_ids integer[] DEFAULT '{}'::integer[] NOT NULL,
    trade_order_ids integer[] DEFAULT '{}'::integer[] NOT NULL,
    object_name character varying(100),
    details jsonb
);
ALTER TABLE public.audit_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY ( SEQUENCE NAME public.audit_log_id_seq );
CREATE TABLE public.blotter (
    id integer NOT NULL,
    abbreviation character varying(20) NOT NULL,
    name character varying(100) NOT NULL,
    version integer DEFAULT 1 NOT NULL
);
CREATE SEQUENCE public.blotter_id_seq AS integer;
ALTER SEQUENCE public.blotter_id_seq OWNED BY public.blotter.id;
CREATE TABLE public.bulk_submission (
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    execution_ids integer[] NOT NULL,
    settled integer[] DEFAULT '{}'::integer[] NOT NULL
);
CREATE TABLE public.destination (
    id integer NOT NULL,
    abbreviation character varying(20) NOT NULL,
    description character varying(60) NOT NULL,
    version integer DEFAULT 1 NOT NULL
);
CREATE SEQUENCE public.destination_id_seq AS integer;
ALTER SEQUENCE public.destination_id_seq OWNED BY public.destination.id;
CREATE TABLE public.downstream (
    id smallint DEFAULT 1 NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    base_url text,
    high_water_id integer DEFAULT 0 NOT NULL,
    high_water_execution_id bigint,
    first_id integer DEFAULT 0 NOT NULL,
    first_execution_id bigint,
    suspected_at timestamp with time zone,
    suspected_sign character varying(8),
    suspicion text,
    suspected_id integer,
    suspected_execution_id integer,
    blocked_at timestamp with time zone,
    blocked_reason text,
    fills_checked_at timestamp with time zone,
    fills_offset integer DEFAULT 0 NOT NULL,
    CONSTRAINT downstream_id_check CHECK ((id = 1))
);
CREATE TABLE public.execution (
    id integer NOT NULL,
    execution_timestamp timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    execution_status_id integer NOT NULL,
    blotter_id integer,
    trade_type_id integer,
    trade_order_id integer NOT NULL,
    destination_id integer NOT NULL,
    quantity_ordered numeric(18,8) NOT NULL,
    quantity_placed numeric(18,8) NOT NULL,
    quantity_filled numeric(18,8) DEFAULT 0 NOT NULL,
    limit_price numeric(18,8),
    execution_service_id integer,
    version integer DEFAULT 1 NOT NULL,
    submission_state character varying(9),
    attempt_id uuid,
    attempts_spent smallint DEFAULT 0 NOT NULL,
    give_up_at timestamp with time zone,
    budget_ms integer
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_analyze_scale_factor='0.02');
CREATE SEQUENCE public.execution_id_seq AS integer;
ALTER SEQUENCE public.execution_id_seq OWNED BY public.execution.id;
CREATE TABLE public.execution_status (
    id integer NOT NULL,
    abbreviation character varying(20) NOT NULL,
    description character varying(60) NOT NULL,
    version integer DEFAULT 1 NOT NULL
);
CREATE SEQUENCE public.execution_status_id_seq AS integer;
ALTER SEQUENCE public.execution_status_id_seq OWNED BY public.execution_status.id;
CREATE TABLE public.idempotency_key (
    id bytea NOT NULL,
    principal text NOT NULL,
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    holder uuid NOT NULL,
    running_until timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    created jsonb,
    status smallint,
    headers jsonb,
    body bytea
)
WITH (fillfactor='50');
CREATE TABLE public.portfolio_name (
    id character(24) NOT NULL,
    name character varying(200),
    fetched_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.security_name (
    id character(24) NOT NULL,
    name character varying(200),
    fetched_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.submission_attempt (
    id uuid NOT NULL,
    state character varying(8) NOT NULL,
    owner character varying(80) NOT NULL,
    execution_ids integer[] NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    lease_until timestamp with time zone,
    settle_ms integer DEFAULT 0 NOT NULL,
    settle_from timestamp with time zone,
    floor_id integer DEFAULT 0 NOT NULL,
    floor_void boolean DEFAULT false NOT NULL,
    top_id integer,
    streak smallint DEFAULT 0 NOT NULL,
    adopted boolean DEFAULT false NOT NULL,
    next_action_at timestamp with time zone,
    next_batch_size smallint,
    observer character varying(80),
    look_ups integer DEFAULT 0 NOT NULL,
    closed_at timestamp with time zone,
    kind character varying(16),
    code character varying(60),
    message text,
    http_status smallint,
    duration_ms integer,
    finding_ids integer[] DEFAULT '{}'::integer[] NOT NULL,
    finding_states character varying(9)[] DEFAULT '{}'::character varying[] NOT NULL,
    finding_codes character varying(60)[] DEFAULT '{}'::character varying[] NOT NULL,
    finding_messages text[] DEFAULT '{}'::text[] NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    floor_execution_id bigint,
    retry_count smallint DEFAULT 0 NOT NULL
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_analyze_scale_factor='0.02');
CREATE TABLE public.submission_evidence (
    execution_id integer NOT NULL,
    id bigint NOT NULL,
    found_at timestamp with time zone DEFAULT now() NOT NULL,
    source character varying(8) NOT NULL,
    code character varying(60) NOT NULL,
    attempt_id uuid,
    state_before character varying(9),
    state character varying(9) NOT NULL,
    service_id_before integer,
    service_id integer,
    actor character varying(80),
    message text NOT NULL,
    actor_known_by character varying(8)
);
ALTER TABLE public.submission_evidence ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY ( SEQUENCE NAME public.submission_evidence_id_seq );
CREATE TABLE public.trade_order (
    id integer NOT NULL,
    order_id integer NOT NULL,
    portfolio_id character(24) NOT NULL,
    order_type character(10) NOT NULL,
    security_id character(24) NOT NULL,
    quantity numeric(18,8) NOT NULL,
    quantity_sent numeric(18,8) DEFAULT 0 NOT NULL,
    limit_price numeric(18,8),
    trade_timestamp timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    blotter_id integer,
    submitted boolean DEFAULT false,
    version integer DEFAULT 1 NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_analyze_scale_factor='0.02');
CREATE SEQUENCE public.trade_order_id_seq AS integer;
ALTER SEQUENCE public.trade_order_id_seq OWNED BY public.trade_order.id;
CREATE TABLE public.trade_service_alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.trade_type (
    id integer NOT NULL,
    abbreviation character varying(10) NOT NULL,
    description character varying(60) NOT NULL,
    version integer DEFAULT 1 NOT NULL
);
CREATE SEQUENCE public.trade_type_id_seq AS integer;
ALTER SEQUENCE public.trade_type_id_seq OWNED BY public.trade_type.id;
ALTER TABLE ONLY public.blotter ALTER COLUMN id SET DEFAULT nextval('public.blotter_id_seq'::regclass);
ALTER TABLE ONLY public.destination ALTER COLUMN id SET DEFAULT nextval('public.destination_id_seq'::regclass);
ALTER TABLE ONLY public.execution ALTER COLUMN id SET DEFAULT nextval('public.execution_id_seq'::regclass);
ALTER TABLE ONLY public.execution_status ALTER COLUMN id SET DEFAULT nextval('public.execution_status_id_seq'::regclass);
ALTER TABLE ONLY public.trade_order ALTER COLUMN id SET DEFAULT nextval('public.trade_order_id_seq'::regclass);
ALTER TABLE ONLY public.trade_type ALTER COLUMN id SET DEFAULT nextval('public.trade_type_id_seq'::regclass);
INSERT INTO public.audit_log OVERRIDING SYSTEM VALUE VALUES
	('2026-11-30 23:43:21.510886+00', 1, 'ann', 'command', NULL, NULL, 'create', 'tradeOrder', '{1,2,3,4,5,6,7,8,9,10,11,12}', '{}', NULL, NULL),
	('2026-11-30 23:43:21.510886+00', 2, 'ann', 'command', NULL, NULL, 'submit', 'execution', '{1,2,3,4,5,6,7,8,9,10,11,12}', '{1,2,3,4,5,6,7,8,9,10,11,12}', NULL, NULL);
INSERT INTO public.blotter VALUES
	(1, 'Default', 'Default', 1),
	(2, 'EQ', 'Equity', 1),
	(3, 'FI', 'Fixed Income', 1),
	(4, 'HOLD', 'Hold', 1);
INSERT INTO public.destination VALUES
	(1, 'ML', 'Merrill Lynch', 1),
	(2, 'RBC', 'Royal Bank of Canada', 1),
	(3, 'JPM', 'Chase', 1),
	(4, 'IB', 'Interactive Brokers', 1),
	(5, 'INST', 'Instinet', 1),
	(6, 'POSIT', 'Posit', 1);
INSERT INTO public.downstream VALUES
	(1, 1, NULL, 4, 4, 4, 4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 23:43:21.524253+00', 0);
INSERT INTO public.execution VALUES
	(9, '2026-11-30 23:43:21.510886+00', 2, 2, 1, 9, 1, 100.00000000, 100.00000000, 0.00000000, 190.25000000, 8, 2, 'accepted', '01a22ed7-73d4-7c91-a91e-023195918876', 0, '2026-11-30 23:58:21.645188+00', NULL),
	(10, '2026-11-30 23:43:21.510886+00', 2, 2, 1, 10, 1, 100.00000000, 100.00000000, 0.00000000, 190.25000000, 9, 2, 'accepted', '01a22ed7-73d4-7c91-a91e-023195918876', 0, '2026-11-30 23:58:21.645188+00', NULL),
	(11, '2026-11-30 23:43:21.510886+00', 2, 2, 1, 11, 1, 100.00000000, 100.00000000, 0.00000000, 190.25000000, 10, 2, 'accepted', '01a22ed7-73d4-7c91-a91e-023195918876', 0, '2026-11-30 23:58:21.645188+00', NULL),
	(12, '2026-11-30 23:43:21.510886+00', 2, 2, 1, 12, 1, 100.00000000, 100.00000000, 0.00000000, 190.25000000, 11, 2, 'accepted', '01a22ed7-73d4-7c91-a91e-023195918876', 0, '2026-11-30 23:58:21.645188+00', NULL),
	(13, '2026-11-30 23:44:05.291392+00', 1, 2, 2, 17, 1, 10.00000000, 0.00000000, 0.00000000, NULL, NULL, 1, 'queued', '01900000-0000-7000-8000-000000000001', 0, NULL, NULL),
	(14, '2026-11-30 23:44:05.291392+00', 1, 2, 2, 18, 1, 10.00000000, 0.00000000, 0.00000000, NULL, NULL, 1, 'unknown', '01900000-0000-7000-8000-000000000002', 0, NULL, NULL),
	(15, '2026-11-30 23:44:05.291392+00', 1, 2, 2, 19, 1, 10.00000000, 0.00000000, 0.00000000, NULL, NULL, 1, 'none', NULL, 0, NULL, NULL),
	(16, '2026-11-30 23:44:05.291392+00', 1, 2, 2, 20, 1, 10.00000000, 0.00000000, 0.00000000, NULL, NULL, 1, 'exhausted', '01900000-0000-7000-8000-000000000003', 0, NULL, NULL),
	(1, '2026-11-30 23:43:21.510886+00', 2, 2, 1, 1, 1, 100.00000000, 100.00000000, 0.00000000, 190.25000000, 1, 2, 'accepted', '01a22ed7-73d4-74ae-a90d-d522e7a2c356', 0, '2026-11-30 23:58:21.563881+00', NULL),
	(2, '2026-11-30 23:43:21.510886+00', 2, 2, 1, 2, 1, 100.00000000, 100.00000000, 0.00000000, 190.25000000, 2, 2, 'accepted', '01a22ed7-73d4-74ae-a90d-d522e7a2c356', 0, '2026-11-30 23:58:21.563881+00', NULL),
	(3, '2026-11-30 23:43:21.510886+00', 2, 2, 1, 3, 1, 100.00000000, 100.00000000, 0.00000000, 190.25000000, 3, 2, 'accepted', '01a22ed7-73d4-74ae-a90d-d522e7a2c356', 0, '2026-11-30 23:58:21.563881+00', NULL),
	(4, '2026-11-30 23:43:21.510886+00', 2, 2, 1, 4, 1, 100.00000000, 100.00000000, 0.00000000, 190.25000000, 4, 2, 'accepted', '01a22ed7-73d4-74ae-a90d-d522e7a2c356', 0, '2026-11-30 23:58:21.563881+00', NULL),
	(5, '2026-11-30 23:43:21.510886+00', 2, 2, 1, 5, 1, 100.00000000, 100.00000000, 0.00000000, 190.25000000, 5, 2, 'accepted', '01a22ed7-73d4-7ecb-abf9-b9d3840bf260', 0, '2026-11-30 23:58:21.59238+00', NULL),
	(6, '2026-11-30 23:43:21.510886+00', 2, 2, 1, 6, 1, 100.00000000, 100.00000000, 0.00000000, 190.25000000, 6, 2, 'accepted', '01a22ed7-73d4-7ecb-abf9-b9d3840bf260', 0, '2026-11-30 23:58:21.59238+00', NULL),
	(7, '2026-11-30 23:43:21.510886+00', 1, 2, 1, 7, 1, 100.00000000, 0.00000000, 0.00000000, 190.25000000, NULL, 1, 'rejected', '01a22ed7-73d4-7ecb-abf9-b9d3840bf260', 0, '2026-11-30 23:58:21.59238+00', NULL),
	(8, '2026-11-30 23:43:21.510886+00', 2, 2, 1, 8, 1, 100.00000000, 100.00000000, 0.00000000, 190.25000000, 7, 2, 'accepted', '01a22ed7-73d4-7ecb-abf9-b9d3840bf260', 0, '2026-11-30 23:58:21.59238+00', NULL);
INSERT INTO public.execution_status VALUES
	(1, 'NEW', 'New', 1),
	(2, 'SENT', 'Sent', 1),
	(3, 'WORK', 'In progress', 1),
	(4, 'FULL', 'Filled', 1),
	(5, 'PART', 'Partial fill', 1),
	(6, 'HOLD', 'Hold', 1),
	(7, 'CNCL', 'Cancel', 1),
	(8, 'CNCLD', 'Cancelled', 1),
	(9, 'CPART', 'Cancelled with partial fill', 1),
	(10, 'DEL', 'Delete', 1);
INSERT INTO public.submission_attempt VALUES
	('01a22ed7-73d4-74ae-a90d-d522e7a2c356', 'answered', 'replica:11013:c7cf5e14', '{1,2,3,4}', '2026-11-30 23:43:21.563881+00', '2026-11-30 23:44:26.563881+00', 60000, '2026-11-30 23:43:21.587382+00', 0, false, 4, 0, false, NULL, NULL, NULL, 0, '2026-11-30 23:43:21.587382+00', 'answered', 'OK', 'POST /api/v1/executions/batch answered 201', 201, 7, '{}', '{}', '{}', '{}', 1, NULL, 0),
	('01a22ed7-73d4-7ecb-abf9-b9d3840bf260', 'answered', 'replica:11013:c7cf5e14', '{5,6,7,8}', '2026-11-30 23:43:21.59238+00', '2026-11-30 23:44:26.59238+00', 60000, '2026-11-30 23:43:21.648759+00', 0, false, 7, 0, false, NULL, NULL, NULL, 0, '2026-11-30 23:43:21.648759+00', 'answered', 'OK', 'POST /api/v1/executions/batch answered 207', 207, 16, '{7}', '{rejected}', '{ITEM_REFUSED}', '{"Invalid trade type. Must be BUY or SELL"}', 1, NULL, 0),
	('01a22ed7-73d4-7c91-a91e-023195918876', 'answered', 'replica:11013:c7cf5e14', '{9,10,11,12}', '2026-11-30 23:43:21.645188+00', '2026-11-30 23:44:26.645188+00', 60000, '2026-11-30 23:43:21.670791+00', 4, false, 11, 0, false, NULL, NULL, NULL, 0, '2026-11-30 23:43:21.670791+00', 'answered', 'OK', 'POST /api/v1/executions/batch answered 201', 201, 6, '{}', '{}', '{}', '{}', 1, 4, 0),
	('01900000-0000-7000-8000-000000000003', 'answered', 'one', '{16}', '2026-11-30 23:44:05.291392+00', NULL, 60000, '2026-11-30 23:44:05.291392+00', 5, false, NULL, 0, false, NULL, NULL, NULL, 0, '2026-11-30 23:44:05.291392+00', 'lost', 'LOST', 'no answer', NULL, NULL, '{}', '{}', '{}', '{}', 1, NULL, 0),
	('01a22ed7-73a6-74c1-9153-2f6681cf204c', 'queued', 'replica:11013:c7cf5e14', '{1,2,3,4,5,6,7,8,9,10,11,12}', '2026-11-30 23:43:21.510886+00', NULL, 0, NULL, 0, false, NULL, 0, false, '2100-01-01 00:00:00+00', NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, '{}', '{}', '{}', '{}', 1, NULL, 0),
	('01900000-0000-7000-8000-000000000001', 'queued', 'one', '{13}', '2026-11-30 23:44:05.291392+00', NULL, 0, NULL, 0, false, NULL, 0, false, '2100-01-01 00:00:00+00', NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, '{}', '{}', '{}', '{}', 1, NULL, 0),
	('01900000-0000-7000-8000-000000000002', 'answered', 'one', '{14}', '2026-11-30 23:44:05.291392+00', NULL, 60000, '2026-11-30 23:44:05.291392+00', 5, false, NULL, 0, false, '2100-01-01 00:00:00+00', NULL, NULL, 0, '2026-11-30 23:44:05.291392+00', 'lost', 'LOST', 'no answer', NULL, NULL, '{}', '{}', '{}', '{}', 1, NULL, 0);
INSERT INTO public.trade_order VALUES
	(1, 101, 'P1', 'BUY', 'AAPL', 100.00000000, 100.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, true, 2),
	(2, 102, 'P1', 'BUY', 'AAPL', 100.00000000, 100.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, true, 2),
	(3, 103, 'P1', 'BUY', 'AAPL', 100.00000000, 100.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, true, 2),
	(4, 104, 'P1', 'BUY', 'AAPL', 100.00000000, 100.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, true, 2),
	(5, 105, 'P1', 'BUY', 'AAPL', 100.00000000, 100.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, true, 2),
	(6, 106, 'P1', 'BUY', 'AAPL', 100.00000000, 100.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, true, 2),
	(8, 108, 'P1', 'BUY', 'AAPL', 100.00000000, 100.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, true, 2),
	(9, 109, 'P1', 'BUY', 'AAPL', 100.00000000, 100.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, true, 2),
	(10, 110, 'P1', 'BUY', 'AAPL', 100.00000000, 100.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, true, 2),
	(11, 111, 'P1', 'BUY', 'AAPL', 100.00000000, 100.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, true, 2),
	(12, 112, 'P1', 'BUY', 'AAPL', 100.00000000, 100.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, true, 2),
	(7, 107, 'P1', 'BUY', 'AAPL', 100.00000000, 0.00000000, 190.25000000, '2026-11-30 23:43:21.510886+00', 2, false, 3),
	(17, 113, 'P2', 'SELL', 'IBM', 10.00000000, 10.00000000, NULL, '2026-11-30 23:44:05.291392+00', 2, true, 1),
	(18, 114, 'P2', 'SELL', 'IBM', 10.00000000, 10.00000000, NULL, '2026-11-30 23:44:05.291392+00', 2, true, 1),
	(19, 115, 'P2', 'SELL', 'IBM', 10.00000000, 10.00000000, NULL, '2026-11-30 23:44:05.291392+00', 2, true, 1),
	(20, 116, 'P2', 'SELL', 'IBM', 10.00000000, 0.00000000, NULL, '2026-11-30 23:44:05.291392+00', 2, false, 1);
INSERT INTO public.trade_service_alembic_version VALUES
	('0013');
INSERT INTO public.trade_type VALUES
	(1, 'BUY', 'Buy', 1),
	(2, 'SELL', 'Sell', 1),
	(3, 'SHORT', 'Sell to Open', 1),
	(4, 'COVER', 'Buy to Close', 1),
	(5, 'EXRC', 'Exercise', 1);
SELECT pg_catalog.setval('public.archive_file_id_seq', 1, false);
SELECT pg_catalog.setval('public.audit_log_id_seq', 2, true);
SELECT pg_catalog.setval('public.blotter_id_seq', 4, true);
SELECT pg_catalog.setval('public.destination_id_seq', 6, true);
SELECT pg_catalog.setval('public.execution_id_seq', 16, true);
SELECT pg_catalog.setval('public.execution_status_id_seq', 10, true);
SELECT pg_catalog.setval('public.submission_evidence_id_seq', 1, false);
SELECT pg_catalog.setval('public.trade_order_id_seq', 20, true);
SELECT pg_catalog.setval('public.trade_type_id_seq', 5, true);
ALTER TABLE ONLY public.adopted_index ADD CONSTRAINT adopted_index_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.api_key ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.archive_file ADD CONSTRAINT archive_file_name_key UNIQUE (name);
ALTER TABLE ONLY public.archive_file ADD CONSTRAINT archive_file_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.archived_execution ADD CONSTRAINT archived_execution_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_log ADD CONSTRAINT audit_log_pkey PRIMARY KEY (at, id);
ALTER TABLE ONLY public.blotter ADD CONSTRAINT blotter_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.bulk_submission ADD CONSTRAINT bulk_submission_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.destination ADD CONSTRAINT destination_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.downstream ADD CONSTRAINT downstream_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.execution ADD CONSTRAINT execution_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.execution_status ADD CONSTRAINT execution_status_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.idempotency_key ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.portfolio_name ADD CONSTRAINT portfolio_name_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.security_name ADD CONSTRAINT security_name_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.submission_attempt ADD CONSTRAINT submission_attempt_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.submission_evidence ADD CONSTRAINT submission_evidence_pkey PRIMARY KEY (execution_id, id);
ALTER TABLE ONLY public.trade_order ADD CONSTRAINT trade_order_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trade_service_alembic_version ADD CONSTRAINT trade_service_alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.trade_type ADD CONSTRAINT trade_type_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX api_key_name_ndx ON public.api_key USING btree (name) WHERE ((revoked_at IS NULL) AND (replaced_by IS NULL));
CREATE INDEX archived_execution_order_ndx ON public.archived_execution USING btree (trade_order_id);
CREATE INDEX execution_service_ndx ON public.execution USING brin (execution_service_id) WITH (pages_per_range='128', autosummarize='on');
CREATE INDEX execution_timestamp_ndx ON public.execution USING btree (execution_timestamp, id);
CREATE INDEX execution_trade_order_ndx ON public.execution USING btree (trade_order_id);
CREATE INDEX idempotency_key_expires_ndx ON public.idempotency_key USING btree (expires_at);
CREATE INDEX submission_attempt_adopted_ndx ON public.submission_attempt USING btree (id) WHERE adopted;
CREATE INDEX submission_attempt_due_ndx ON public.submission_attempt USING btree (next_action_at) WHERE (next_action_at IS NOT NULL);
CREATE INDEX submission_attempt_range_ndx ON public.submission_attempt USING brin ((execution_ids[1]), (execution_ids[cardinality(execution_ids)])) WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX submission_evidence_found_ndx ON public.submission_evidence USING btree (found_at, id);
CREATE INDEX trade_order_blotter_ndx ON public.trade_order USING btree (blotter_id, id);
CREATE UNIQUE INDEX trade_order_order_id_ndx ON public.trade_order USING btree (order_id);
CREATE INDEX trade_order_portfolio_ndx ON public.trade_order USING btree (portfolio_id, id);
CREATE INDEX trade_order_quantity_ndx ON public.trade_order USING btree (quantity, id);
CREATE INDEX trade_order_security_ndx ON public.trade_order USING btree (security_id, id);
CREATE INDEX trade_order_timestamp_ndx ON public.trade_order USING btree (trade_timestamp, id);
CREATE INDEX trade_order_type_ndx ON public.trade_order USING btree (order_type, id);
CREATE TRIGGER audit_log_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION public.audit_log_refuses_changes();
ALTER TABLE ONLY public.archived_execution ADD CONSTRAINT archived_execution_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.archive_file(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.archived_execution ADD CONSTRAINT archived_execution_trade_order_id_fkey FOREIGN KEY (trade_order_id) REFERENCES public.trade_order(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.execution ADD CONSTRAINT execution_blotter_id_fkey FOREIGN KEY (blotter_id) REFERENCES public.blotter(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.execution ADD CONSTRAINT execution_destination_id_fkey FOREIGN KEY (destination_id) REFERENCES public.destination(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.execution ADD CONSTRAINT execution_execution_status_id_fkey FOREIGN KEY (execution_status_id) REFERENCES public.execution_status(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.execution ADD CONSTRAINT execution_trade_order_id_fkey FOREIGN KEY (trade_order_id) REFERENCES public.trade_order(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.execution ADD CONSTRAINT execution_trade_type_id_fkey FOREIGN KEY (trade_type_id) REFERENCES public.trade_type(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.trade_order ADD CONSTRAINT trade_order_blotter_id_fkey FOREIGN KEY (blotter_id) REFERENCES public.blotter(id) ON DELETE SET NULL;
