"""Ids in the order of a name, found group by group: a page costs its rows and a look at each name. Words only."""


def ids_in_use(column: str) -> str:
    """A recursive `seen (id)`: from one id to the next through the index, however many orders share each."""
    return f"""seen (id) AS (
        (SELECT {column} FROM trade_order ORDER BY {column} LIMIT 1)
        UNION ALL
        SELECT (SELECT o.{column} FROM trade_order o WHERE o.{column} > s.id ORDER BY o.{column} LIMIT 1)
        FROM seen s
        WHERE s.id IS NOT NULL
    )"""


def ids_by_name(
    name_table: str, column: str, rows: str, *, descending: tuple[bool, bool], after_cursor: bool
) -> str:
    """Selects id, k0 and k1, sorted by name and id in these directions, up to the limit.

    `rows` selects the ids of the rows that belong to `w.id`. Of each name no more are sorted than a page and
    what it leaves out, so that one of very many rows costs no more than others. Behind a cursor names begin at
    its own, and only there ids do too.
    """
    name_way, id_way = ("DESC" if one else "ASC" for one in descending)
    begins = f"WHERE name {'<=' if descending[0] else '>='} :c0" if after_cursor else ""
    sign, far = ("<", 2**63 - 1) if descending[1] else (">", -(2**63 - 1))
    behind = f"WHERE r.id {sign} CASE WHEN w.name = :c0 THEN :c1 ELSE {far} END" if after_cursor else ""
    offset = "" if after_cursor else " + :offset"
    return f"""
WITH RECURSIVE {ids_in_use(column)}
SELECT found.id, w.name AS k0, found.id AS k1
FROM (
    SELECT * FROM (
        SELECT coalesce(n.name, rtrim(s.id)) COLLATE "C" AS name, s.id
        FROM seen s LEFT JOIN {name_table} n ON n.id = s.id
        WHERE s.id IS NOT NULL
    ) named {begins} ORDER BY name {name_way} OFFSET 0
) w
CROSS JOIN LATERAL (
    SELECT r.id FROM ({rows}) r {behind} ORDER BY r.id {id_way} LIMIT :limit{offset}
) found
ORDER BY k0 {name_way}, k1 {id_way} LIMIT :limit{"" if after_cursor else " OFFSET :offset"}
"""
