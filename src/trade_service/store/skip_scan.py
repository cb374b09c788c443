"""Rows in the order of a name, found group by group: a page costs its rows and one index read per name.

Only the text of statements.
"""

import msgspec


class SkipScan(msgspec.Struct, frozen=True):
    """A column of the orders with few distinct values: a list goes from one value to the next by its index."""

    column: str
    names: str
    """Selects id and name of each value."""
    rows_without: str = ""
    """Selects id and value of the orders that have none, where `w.id` is null as well."""


def over_used_values(column: str, name_table: str = "") -> SkipScan:
    """Over the values that orders have, never null, named by a table or by themselves."""
    name, join = "rtrim(s.id)", ""
    if name_table:
        name, join = f"coalesce(n.name, {name})", f"LEFT JOIN {name_table} n ON n.id = s.id"
    names = f"""
        WITH RECURSIVE seen (id) AS (
            (SELECT {column} FROM trade_order ORDER BY {column} LIMIT 1)
            UNION ALL
            SELECT (SELECT o.{column} FROM trade_order o WHERE o.{column} > s.id ORDER BY o.{column} LIMIT 1)
            FROM seen s
            WHERE s.id IS NOT NULL
        )
        SELECT {name} COLLATE "C" AS name, s.id FROM seen s {join} WHERE s.id IS NOT NULL
    """
    return SkipScan(column, names)


def over_table(column: str, table: str) -> SkipScan:
    """Over all rows of a small table, and null: the column may be empty."""
    return SkipScan(
        column,
        f"""
        SELECT x.abbreviation COLLATE "C" AS name, x.id FROM {table} x UNION ALL SELECT '' COLLATE "C", NULL
        """,
        f"SELECT t.id, t.{column} AS value FROM trade_order t WHERE t.{column} IS NULL AND w.id IS NULL",
    )


def ids_by_name(scan: SkipScan, rows: str, *, descending: tuple[bool, bool], after_cursor: bool) -> str:
    """Selects id, k0 and k1, sorted by name and id in these directions, up to the limit.

    `rows` selects id and value of the rows whose order has the value `w.id`. Of each value no more rows are
    sorted than a page and what comes before it, so that a value with very many rows costs no more than others.
    They are sorted by their single value too: then only the index on both has their order, and not the one on
    the id, which has the rows of all other values between them. After a cursor, names start at the cursor's
    name, and ids start after its id within that name.
    """
    name_way, id_way = ("DESC" if one else "ASC" for one in descending)
    begins = f"WHERE name {'<=' if descending[0] else '>='} :c0::text" if after_cursor else ""
    sign, far = ("<", 2**63 - 1) if descending[1] else (">", -(2**63 - 1))
    behind = f"WHERE r.id {sign} CASE WHEN w.name = :c0 THEN :c1::int ELSE {far} END" if after_cursor else ""
    limit = "LIMIT :limit" if after_cursor else "LIMIT :limit::bigint + :offset::bigint"
    order = f"ORDER BY r.value {id_way}, r.id {id_way} {limit}"
    found = f"SELECT r.id FROM ({rows}) r {behind} {order}"
    if scan.rows_without:
        found = f"({found}) UNION ALL (SELECT r.id FROM ({scan.rows_without}) r {behind} {order})"
    return f"""
SELECT found.id, w.name AS k0, found.id AS k1
FROM (SELECT * FROM ({scan.names}) named {begins} ORDER BY name {name_way} OFFSET 0) w
CROSS JOIN LATERAL ({found}) found
ORDER BY k0 {name_way}, k1 {id_way} LIMIT :limit{"" if after_cursor else " OFFSET :offset"}
"""
