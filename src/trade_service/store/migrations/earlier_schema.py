"""The database of the legacy service: its tables, its reference data, and how to recognise it.

Frozen: this is what migration 0001 creates or finds, whatever later migrations change.
"""

import re

import sqlalchemy as sa

from trade_service.store.migrations import MigrationError

FLYWAY_VERSION = 7
"""The legacy service's last migration, which every database to be adopted must have."""

CREATE_TABLES = (
    """CREATE TABLE blotter (
        id serial PRIMARY KEY,
        abbreviation varchar(20) NOT NULL,
        name varchar(100) NOT NULL,
        version integer NOT NULL DEFAULT 1)""",
    """CREATE TABLE trade_type (
        id serial PRIMARY KEY,
        abbreviation varchar(10) NOT NULL,
        description varchar(60) NOT NULL,
        version integer NOT NULL DEFAULT 1)""",
    """CREATE TABLE destination (
        id serial PRIMARY KEY,
        abbreviation varchar(20) NOT NULL,
        description varchar(60) NOT NULL,
        version integer NOT NULL DEFAULT 1)""",
    """CREATE TABLE execution_status (
        id serial PRIMARY KEY,
        abbreviation varchar(20) NOT NULL,
        description varchar(60) NOT NULL,
        version integer NOT NULL DEFAULT 1)""",
    """CREATE TABLE trade_order (
        id serial PRIMARY KEY,
        order_id integer NOT NULL,
        portfolio_id char(24) NOT NULL,
        order_type char(10) NOT NULL,
        security_id char(24) NOT NULL,
        quantity decimal(18,8) NOT NULL,
        quantity_sent decimal(18,8) NOT NULL DEFAULT 0,
        limit_price decimal(18,8),
        trade_timestamp timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
        blotter_id integer REFERENCES blotter (id) ON DELETE SET NULL,
        submitted boolean DEFAULT false,
        version integer NOT NULL DEFAULT 1)""",
    """CREATE TABLE execution (
        id serial PRIMARY KEY,
        execution_timestamp timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
        execution_status_id integer NOT NULL REFERENCES execution_status (id) ON DELETE RESTRICT,
        blotter_id integer REFERENCES blotter (id) ON DELETE SET NULL,
        trade_type_id integer REFERENCES trade_type (id) ON DELETE SET NULL,
        trade_order_id integer NOT NULL REFERENCES trade_order (id) ON DELETE RESTRICT,
        destination_id integer NOT NULL REFERENCES destination (id) ON DELETE RESTRICT,
        quantity_ordered decimal(18,8) NOT NULL,
        quantity_placed decimal(18,8) NOT NULL,
        quantity_filled decimal(18,8) NOT NULL DEFAULT 0,
        limit_price decimal(18,8),
        execution_service_id integer,
        version integer NOT NULL DEFAULT 1)""",
)

REFERENCE_DATA = (
    """INSERT INTO blotter (abbreviation, name) VALUES
        ('Default', 'Default'), ('EQ', 'Equity'), ('FI', 'Fixed Income'), ('HOLD', 'Hold')""",
    """INSERT INTO trade_type (abbreviation, description) VALUES
        ('BUY', 'Buy'), ('SELL', 'Sell'), ('SHORT', 'Sell to Open'), ('COVER', 'Buy to Close'),
        ('EXRC', 'Exercise')""",
    """INSERT INTO destination (abbreviation, description) VALUES
        ('ML', 'Merrill Lynch'), ('RBC', 'Royal Bank of Canada'), ('JPM', 'Chase'),
        ('IB', 'Interactive Brokers'), ('INST', 'Instinet'), ('POSIT', 'Posit')""",
    """INSERT INTO execution_status (abbreviation, description) VALUES
        ('NEW', 'New'), ('SENT', 'Sent'), ('WORK', 'In progress'), ('FULL', 'Filled'),
        ('PART', 'Partial fill'), ('HOLD', 'Hold'), ('CNCL', 'Cancel'), ('CNCLD', 'Cancelled'),
        ('CPART', 'Cancelled with partial fill'), ('DEL', 'Delete')""",
)
"""Ids count from 1 in this order; the sequences stand behind the last one."""

COLUMNS = {
    statement.split()[2]: set(re.findall(r"^ {8}(\w+) ", statement, re.MULTILINE))
    for statement in CREATE_TABLES
}
"""The columns of each table."""


def is_present(connection: sa.Connection) -> bool:
    """Whether the legacy service's tables are here, complete.

    Raises:
        MigrationError: they are there in part, or belong to one of its older releases.
    """
    _check_flyway(connection)
    found = {table: columns for table in COLUMNS if (columns := _columns(connection, table))}
    if not found:
        return False
    missing = sorted(COLUMNS.keys() - found.keys())
    missing += sorted(f"{table}.{name}" for table in found for name in COLUMNS[table] - found[table])
    if missing:
        raise MigrationError(
            f"the database has some of the legacy service's tables but lacks {', '.join(missing)}: nothing "
            "was changed. Bring it to that service's latest release first, or name an empty database"
        )
    _check_mandatory(connection)
    return True


def catch_up_sequences(connection: sa.Connection) -> None:
    """Moves each sequence of ids behind the greatest one: rows copied with their ids leave it standing."""
    for table in COLUMNS:
        connection.execute(
            sa.text(
                f"""SELECT setval(known.sequence, known.greatest)
                    FROM (SELECT cast(pg_get_serial_sequence('{table}', 'id') AS regclass) AS sequence,
                                 (SELECT max(id) FROM {table}) AS greatest) known
                    WHERE known.greatest > coalesce(pg_sequence_last_value(known.sequence), 0)"""
            )
        )


def _check_mandatory(connection: sa.Connection) -> None:
    """A later release of the legacy service may have columns that every new row has to fill."""
    for table, known in COLUMNS.items():
        names = connection.execute(
            sa.text(
                "SELECT attname FROM pg_attribute "
                "WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped "
                "AND attnotnull AND NOT atthasdef AND attidentity = '' AND attname <> ALL(:known)"
            ),
            {"name": table, "known": sorted(known)},
        )
        if unknown := sorted(names.scalars()):
            raise MigrationError(
                f"table {table} has columns that every row must fill and this release does not know: "
                f"{', '.join(unknown)}. Nothing was changed. Give them a default first"
            )


def _columns(connection: sa.Connection, table: str) -> set[str]:
    names = connection.execute(
        sa.text(
            "SELECT attname FROM pg_attribute "
            "WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"
        ),
        {"name": table},
    )
    return set(names.scalars())


def _check_flyway(connection: sa.Connection) -> None:
    if connection.scalar(sa.text("SELECT to_regclass('flyway_schema_history')")) is None:
        return
    done, failed = connection.execute(
        sa.text(
            r"""SELECT coalesce(max(version::int) FILTER (WHERE success), 0),
                       min(version::int) FILTER (WHERE NOT success)
                FROM flyway_schema_history WHERE version ~ '^\d{1,9}$'"""
        )
    ).one()
    if failed is not None:
        raise MigrationError(
            f"flyway_schema_history says that the legacy service's migration {failed} failed: nothing was "
            "changed. Repair it with that service's tools first"
        )
    if done < FLYWAY_VERSION:
        raise MigrationError(
            f"flyway_schema_history shows version {done}, and {FLYWAY_VERSION} is needed: nothing was changed. "
            "Start the legacy service's latest release on this database once, stop it, try again"
        )
