"""Ids in the order of a name, found group by group: a page costs its rows and a look at each name. Words only."""

import msgspec


class Walk(msgspec.Struct, frozen=True):
    """A column of the orders whose values are few beside the orders: a list goes from one to the next."""

    column: str
    names: str
    """Selects id and name of each value."""
    rows_without: str = ""
    """Selects id and value of the orders that have none, where `w.id` is null too."""


def walk_in_use(column: str, name_table: str = "") -> Walk:
    """By the values that orders have, never null, and the name that a table has of each; else itself."""
    name, join = "rtrim(s.id)", ""
    if name_table:
        name, join = f"coalesce(n.name, {name})", f"LEFT JOIN {name_table} n ON n.id = s.id"
    names = f"""
        WITH RECURSIVE {ids_in_use(column)}
        SELECT {name} COLLATE "C" AS name, s.id FROM seen s {join} WHERE s.id IS NOT NULL
    """
    return Walk(column, names)


def walk_of_all(column: str, table: str) -> Walk:
    """By all rows of a small table, and by none of them: the column may be null."""
    return Walk(
        column,
        f"""
        SELECT x.abbreviation COLLATE "C" AS name, x.id FROM {table} x UNION ALL SELECT '' COLLATE "C", NULL
        """,
        f"SELECT t.id, t.{column} AS value FROM trade_order t WHERE t.{column} IS NULL AND w.id IS NULL",
    )


def ids_in_use(column: str) -> str:
    """A recursive `seen (id)`: from one id to the next through the index, however many orders share each."""
    return f"""seen (id) AS (
        (SELECT {column} FROM trade_order ORDER BY {column} LIMIT 1)
        UNION ALL
        SELECT (SELECT o.{column} FROM trade_order o WHERE o.{column} > s.id ORDER BY o.{column} LIMIT 1)
        FROM seen s
        WHERE s.id IS NOT NULL
    )"""


def ids_by_name(walk: Walk, rows: str, *, descending: tuple[bool, bool], after_cursor: bool) -> str:
    """Selects id, k0 and k1, sorted by name and id in these directions, up to the limit.

    `rows` selects id and value of the rows whose order has the value `w.id`. Of each no more are sorted than a
    page and what it leaves out, so that one of very many rows costs no more than others. They are sorted by their
    one value too: then only the index on both has their order, and not that on the id, which has the rows of all
    others between them. Behind a cursor names begin at its own, and only there ids do too.
    """
    name_way, id_way = ("DESC" if one else "ASC" for one in descending)
    begins = f"WHERE name {'<=' if descending[0] else '>='} :c0" if after_cursor else ""
    sign, far = ("<", 2**63 - 1) if descending[1] else (">", -(2**63 - 1))
    behind = f"WHERE r.id {sign} CASE WHEN w.name = :c0 THEN :c1 ELSE {far} END" if after_cursor else ""
    limit = f"LIMIT :limit{'' if after_cursor else ' + :offset'}"
    order = f"ORDER BY r.value {id_way}, r.id {id_way} {limit}"
    found = f"SELECT r.id FROM ({rows}) r {behind} {order}"
    if walk.rows_without:
        found = f"({found}) UNION ALL (SELECT r.id FROM ({walk.rows_without}) r {behind} {order})"
    return f"""
SELECT found.id, w.name AS k0, found.id AS k1
FROM (SELECT * FROM ({walk.names}) named {begins} ORDER BY name {name_way} OFFSET 0) w
CROSS JOIN LATERAL ({found}) found
ORDER BY k0 {name_way}, k1 {id_way} LIMIT :limit{"" if after_cursor else " OFFSET :offset"}
"""
