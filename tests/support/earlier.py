"""A database as the legacy service left it, and that service's own statements."""

from collections.abc import Sequence
from typing import Any

import asyncpg

TABLES = ("blotter", "trade_type", "destination", "execution_status", "trade_order", "execution")

_SCHEMA = """
CREATE TABLE blotter (
    id serial NOT NULL, abbreviation character varying(20) NOT NULL, name character varying(100) NOT NULL,
    version integer NOT NULL DEFAULT 1, CONSTRAINT blotter_pk PRIMARY KEY (id));
CREATE TABLE trade_type (
    id serial NOT NULL, abbreviation character varying(10) NOT NULL, description character varying(60) NOT NULL,
    version integer NOT NULL DEFAULT 1, CONSTRAINT trade_type_pk PRIMARY KEY (id));
CREATE TABLE destination (
    id serial NOT NULL, abbreviation character varying(20) NOT NULL, description character varying(60) NOT NULL,
    version integer NOT NULL DEFAULT 1, CONSTRAINT destination_pk PRIMARY KEY (id));
CREATE TABLE execution_status (
    id serial NOT NULL, abbreviation character varying(20) NOT NULL, description character varying(60) NOT NULL,
    version integer NOT NULL DEFAULT 1, CONSTRAINT execution_status_pk PRIMARY KEY (id));
CREATE TABLE trade_order (
    id serial NOT NULL, order_id integer NOT NULL, portfolio_id character(24) NOT NULL,
    order_type character(10) NOT NULL, security_id character(24) NOT NULL, quantity decimal(18,8) NOT NULL,
    limit_price decimal(18,8), trade_timestamp timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    version integer NOT NULL DEFAULT 1, blotter_id integer, CONSTRAINT trade_order_pk PRIMARY KEY (id));
CREATE UNIQUE INDEX trade_order_order_id_ndx ON trade_order USING btree (order_id);
ALTER TABLE trade_order ADD CONSTRAINT blotter__fk FOREIGN KEY (blotter_id) REFERENCES blotter (id)
    MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE;
CREATE TABLE execution (
    id serial NOT NULL, execution_timestamp timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    execution_status_id integer NOT NULL, blotter_id integer, trade_type_id integer,
    trade_order_id integer NOT NULL, destination_id integer NOT NULL, quantity_ordered decimal(18,8) NOT NULL,
    quantity_placed decimal(18,8) NOT NULL, quantity_filled decimal(18,8) NOT NULL DEFAULT 0,
    limit_price decimal(18,8), version integer NOT NULL DEFAULT 1, CONSTRAINT execution_pk PRIMARY KEY (id));
ALTER TABLE execution ADD CONSTRAINT execution_status__fk FOREIGN KEY (execution_status_id)
    REFERENCES execution_status (id) MATCH FULL ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE execution ADD CONSTRAINT blotter__fk FOREIGN KEY (blotter_id) REFERENCES blotter (id)
    MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE execution ADD CONSTRAINT trade_type__fk FOREIGN KEY (trade_type_id) REFERENCES trade_type (id)
    MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE execution ADD CONSTRAINT trade_order__fk FOREIGN KEY (trade_order_id) REFERENCES trade_order (id)
    MATCH FULL ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE execution ADD CONSTRAINT destination__fk FOREIGN KEY (destination_id) REFERENCES destination (id)
    MATCH FULL ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE trade_order ADD COLUMN submitted boolean DEFAULT false;
ALTER TABLE execution ADD COLUMN execution_service_id integer;
CREATE INDEX execution_execution_service_id_ndx ON execution (execution_service_id);
ALTER TABLE trade_order ADD COLUMN quantity_sent decimal(18,8) NOT NULL DEFAULT 0;
INSERT INTO blotter (abbreviation, name) VALUES
    ('Default', 'Default'), ('EQ', 'Equity'), ('FI', 'Fixed Income'), ('HOLD', 'Hold');
INSERT INTO trade_type (abbreviation, description) VALUES
    ('BUY', 'Buy'), ('SELL', 'Sell'), ('SHORT', 'Sell to Open'), ('COVER', 'Buy to Close'), ('EXRC', 'Exercise');
INSERT INTO destination (abbreviation, description) VALUES
    ('ML', 'Merrill Lynch'), ('RBC', 'Royal Bank of Canada'), ('JPM', 'Chase'), ('IB', 'Interactive Brokers'),
    ('INST', 'Instinet'), ('POSIT', 'Posit');
INSERT INTO execution_status (abbreviation, description) VALUES
    ('NEW', 'New'), ('SENT', 'Sent'), ('WORK', 'In progress'), ('FULL', 'Filled'), ('PART', 'Partial fill'),
    ('HOLD', 'Hold'), ('CNCL', 'Cancel'), ('CNCLD', 'Cancelled'), ('CPART', 'Cancelled with partial fill'),
    ('DEL', 'Delete');
"""

_FLYWAY = """
CREATE TABLE flyway_schema_history (
    installed_rank integer NOT NULL CONSTRAINT flyway_schema_history_pk PRIMARY KEY, version varchar(50),
    description varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum integer,
    installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(),
    execution_time integer NOT NULL, success boolean NOT NULL);
CREATE INDEX flyway_schema_history_s_idx ON flyway_schema_history (success);
"""

_EXECUTION_INDEXES = (
    "execution_timestamp",
    "execution_timestamp DESC",
    "execution_status_id",
    "blotter_id",
    "trade_type_id",
    "trade_order_id",
    "destination_id",
    "quantity_ordered",
    "quantity_placed",
    "quantity_filled",
    "limit_price",
    "version",
    "execution_status_id, execution_timestamp",
    "execution_status_id, trade_order_id",
    "blotter_id, execution_timestamp",
    "blotter_id, execution_status_id",
    "trade_type_id, execution_timestamp",
    "destination_id, execution_timestamp",
    "destination_id, execution_status_id",
    "trade_order_id, execution_status_id",
    "id, version",
    "execution_service_id, execution_status_id",
)
_ORDER_INDEXES = (
    "portfolio_id",
    "order_type",
    "security_id",
    "quantity",
    "quantity_sent",
    "trade_timestamp",
    "trade_timestamp DESC",
    "blotter_id",
    "submitted",
    "portfolio_id, trade_timestamp",
    "security_id, trade_timestamp",
    "blotter_id, submitted",
    "submitted, trade_timestamp",
)
SECONDARY_INDEXES = len(_EXECUTION_INDEXES) + 1 + len(_ORDER_INDEXES)
"""Overlapping indexes on the two big tables, not counting the unique order id."""

_ORDERS = """
INSERT INTO trade_order (id, order_id, portfolio_id, order_type, security_id, quantity, quantity_sent,
                         limit_price, trade_timestamp, blotter_id, submitted, version)
VALUES
    (1, 101, 'P1', 'BUY', 'S1', 100, 0, NULL, '2025-03-01 14:30+00', 2, false, 1),
    (2, 102, 'P1', 'BUY', 'S2', 100, 100, 9.5, '2025-03-01 14:30+00', 2, true, 3),
    (3, 103, 'P1', 'BUY', 'S3', 100, 60, NULL, '2025-03-01 14:30+00', 2, false, 2),
    (4, 104, 'P1', 'SELL', 'S4', 40, 40, NULL, '2025-03-01 14:30+00', 3, true, 2),
    (5, 105, 'P1', 'BUY', 'S5', 50, 50, NULL, '2025-03-01 14:30+00', 2, true, 2),
    (6, 106, 'P1', 'BUY', 'S6', 50, 50, NULL, '2025-03-01 14:30+00', 2, true, 2),
    (7, 107, 'P1', 'BUY', 'S7', 90, 90, 1.25, '2025-03-01 14:30+00', 2, true, 4),
    (8, 108, 'P1', 'BUY', 'S8', 10, 10, NULL, '2025-03-01 14:30+00', NULL, true, 2),
    (9, 109, 'P1', 'BUY', 'S9', 10, 10, NULL, '2025-03-01 14:30+00', NULL, true, 2),
    (10, 110, 'P1', 'BUY', 'S10', 80, 30, NULL, '2025-03-01 14:30+00', 2, NULL, 2),
    (11, 111, '012345678901234567890123', 'SELL', 'ABCDEFGHIJKLMNOPQRSTUVWX', 1234567890.12345678,
     1234567890.12345678, 0.00000001, '2025-03-01 14:30:00.123456+00', 2, true, 2),
    (12, 112, 'P1', 'BUY', 'S12', 20, 20, NULL, '2025-03-01 14:30+00', 4, true, 2),
    (13, 113, 'P1', 'SHORT', 'S13', 10, 10, NULL, '2025-03-01 14:30+00', 2, true, 2),
    (14, 114, 'P1', 'BUY', 'S14', 50.5, 50.5, NULL, '2025-03-01 14:30+00', 2, true, 2)
"""
_EXECUTIONS = """
INSERT INTO execution (id, execution_timestamp, execution_status_id, blotter_id, trade_type_id, trade_order_id,
                       destination_id, quantity_ordered, quantity_placed, quantity_filled, limit_price,
                       execution_service_id, version)
VALUES
    (1, '2025-03-01 15:00+00', 1, 2, 1, 2, 1, 100, 100, 0, 9.5, 501, 2),
    (2, '2025-03-01 15:00+00', 1, 2, 1, 3, 2, 60, 0, 0, NULL, NULL, 1),
    (3, '2025-03-01 15:00+00', 1, 3, 2, 4, 3, 40, 0, 0, NULL, NULL, 1),
    (4, '2025-03-01 15:00+00', 1, 2, 1, 5, 4, 50, 25.5, 0, NULL, NULL, 1),
    (5, '2025-03-01 15:00+00', 2, 2, 1, 6, 5, 50, 0, 0, NULL, NULL, 1),
    (6, '2025-03-01 15:00+00', 5, 2, 1, 7, 1, 30, 30, 10, 1.25, 502, 3),
    (7, '2025-03-01 15:00+00', 4, 2, 1, 7, 1, 30, 30, 30, 1.25, 503, 4),
    (8, '2025-03-01 15:00+00', 7, 2, 1, 7, 1, 30, 0, 0, 1.25, NULL, 2),
    (9, '2025-03-01 15:00+00', 1, NULL, NULL, 8, 6, 10, 0, 0, NULL, NULL, 1),
    (10, '2025-03-01 15:00+00', 1, NULL, NULL, 9, 6, 10, 0, 0, NULL, NULL, 1),
    (11, '2025-03-01 15:00:00.654321+00', 1, 2, 2, 11, 1, 1234567890.12345678, 0, 0, 0.00000001, NULL, 1),
    (12, '2025-03-01 15:00+00', 6, 4, 1, 12, 1, 10, 0, 0, NULL, NULL, 1),
    (13, '2025-03-01 15:00+00', 10, 4, 1, 12, 1, 10, 0, 0, NULL, NULL, 2),
    (14, '2025-03-01 15:00+00', 1, 2, 3, 13, 1, 10, 0, 0, NULL, NULL, 1),
    (15, '2025-03-01 15:00+00', 1, 2, 1, 14, 1, 50.5, 0, 0, NULL, NULL, 1)
"""
PROVEN = (1, 4, 5, 6, 7, 8, 12, 13)
"""Executions with a service id, a placed quantity, or a status other than NEW."""
UNPROVEN = (2, 3, 9, 10, 11, 14, 15)

INSERT_ORDER = """
insert into trade_order (blotter_id, limit_price, order_id, order_type, portfolio_id, quantity, quantity_sent,
    security_id, submitted, trade_timestamp, version)
values (2, null, $1, 'BUY', 'P9', 100, 0, 'S99', false, now(), 1) returning id
"""
TAKE_QUANTITY = """
update trade_order set blotter_id = 2, limit_price = null, order_id = order_id, order_type = 'BUY',
    portfolio_id = 'P9', quantity = 100, quantity_sent = $2, security_id = 'S99', submitted = false,
    trade_timestamp = trade_timestamp, version = version + 1
where id = $1 and version = $3
"""
INSERT_EXECUTION = """
insert into execution (blotter_id, destination_id, execution_service_id, execution_status_id, execution_timestamp,
    limit_price, quantity_filled, quantity_ordered, quantity_placed, trade_order_id, trade_type_id, version)
values (2, 1, null, 1, now(), null, 0, $2, 0, $1, 1, 1) returning id
"""
MARK_SENT = """
update execution set blotter_id = 2, destination_id = 1, execution_service_id = $2, execution_status_id = 1,
    execution_timestamp = execution_timestamp, limit_price = null, quantity_filled = 0,
    quantity_ordered = quantity_ordered, quantity_placed = quantity_ordered, trade_order_id = trade_order_id,
    trade_type_id = 1, version = version + 1
where id = $1 and version = $3
"""
FILL = """
update execution set quantity_filled = $2, execution_status_id = 5, version = version + 1
where id = $1 and version = $3
"""
READ_EXECUTION = """
select e1_0.id, b1_0.id, b1_0.abbreviation, b1_0.name, b1_0.version, d1_0.id, d1_0.abbreviation,
    e1_0.execution_service_id, s1_0.abbreviation, e1_0.execution_timestamp, e1_0.limit_price, e1_0.quantity_filled,
    e1_0.quantity_ordered, e1_0.quantity_placed, o1_0.id, o1_0.order_id, o1_0.security_id, o1_0.quantity_sent,
    o1_0.submitted, t1_0.abbreviation, e1_0.version
from execution e1_0
left join blotter b1_0 on b1_0.id = e1_0.blotter_id
join destination d1_0 on d1_0.id = e1_0.destination_id
join execution_status s1_0 on s1_0.id = e1_0.execution_status_id
join trade_order o1_0 on o1_0.id = e1_0.trade_order_id
left join trade_type t1_0 on t1_0.id = e1_0.trade_type_id
where e1_0.id = $1
"""
DELETE_EXECUTION = "delete from execution where id = $1 and version = $2"
DELETE_ORDER = "delete from trade_order where id = $1 and version = $2"


async def build(url: str, *, flyway: Sequence[str] | None = tuple("1234567"), rows: bool = True) -> None:
    """Fills an empty database as the legacy service did; `flyway` lists its recorded versions, None: no table."""
    link = await asyncpg.connect(url)
    try:
        await link.execute(_SCHEMA)
        for number, columns in enumerate(_EXECUTION_INDEXES):
            await link.execute(f"CREATE INDEX idx_execution_{number} ON execution ({columns})")
        for number, columns in enumerate(_ORDER_INDEXES):
            await link.execute(f"CREATE INDEX idx_trade_order_{number} ON trade_order ({columns})")
        if flyway is not None:
            await link.execute(_FLYWAY)
            await link.executemany(
                "INSERT INTO flyway_schema_history VALUES ($1, $2, 'd', 'SQL', 's', 1, 'u', now(), 5, true)",
                list(enumerate(flyway, 1)),
            )
        if rows:
            # Copied with their ids: no sequence moves.
            await link.execute(_ORDERS)
            await link.execute(_EXECUTIONS)
    finally:
        await link.close()


async def snapshot(url: str) -> dict[str, dict[int, dict[str, Any]]]:
    """Every row of the legacy tables by id, with their columns."""
    link = await asyncpg.connect(url)
    try:
        return {
            table: {
                row["id"]: {name: value for name, value in row.items() if name not in _OURS}
                for row in await link.fetch(f"SELECT * FROM {table}")
            }
            for table in TABLES
        }
    finally:
        await link.close()


_OURS = {"submission_state", "attempt_id", "attempts_spent", "give_up_at", "budget_ms"}
