"""Names of portfolios and securities, remembered in tables of their own."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from trade_service.store.database import Database
from trade_service.store.engine import autocommitted
from trade_service.store.list_walks import ids_in_use
from trade_service.trading.listing.display_names import ID_LENGTH, KnownName, NameKind

_IDS = ARRAY(sa.CHAR(ID_LENGTH))
_TEXTS = ARRAY(sa.Text)

KNOWN = text("""
SELECT 'portfolio' AS kind, rtrim(id) AS id, name, extract(epoch FROM now() - fetched_at)::float AS age_s
FROM portfolio_name WHERE id = ANY(:portfolio_ids)
UNION ALL
SELECT 'security', rtrim(id), name, extract(epoch FROM now() - fetched_at)::float
FROM security_name WHERE id = ANY(:security_ids)
""").bindparams(bindparam("portfolio_ids", type_=_IDS), bindparam("security_ids", type_=_IDS))


def _remember(table: str) -> str:
    """In id order: two replicas with the same ids wait for each other instead of deadlocking."""
    return f"""
    INSERT INTO {table} AS n (id, name)
    SELECT t.id, t.name FROM unnest(:ids, :names) AS t(id, name) ORDER BY t.id
    ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, n.name), fetched_at = now()
    """


def _ids_of(table: str, column: str) -> str:
    return f"""
    SELECT rtrim(id), name FROM {table} WHERE lower(name) = ANY(ARRAY(SELECT lower(v) FROM unnest(:texts) v))
    UNION ALL
    SELECT v, v FROM unnest(:texts) v
    WHERE length(v) <= {ID_LENGTH}
        AND EXISTS (SELECT FROM trade_order o WHERE o.{column} = cast(v AS char({ID_LENGTH})))
        AND NOT EXISTS (SELECT FROM {table} n WHERE n.id = cast(v AS char({ID_LENGTH})) AND n.name IS NOT NULL)
    """


def _nameless(table: str, column: str) -> str:
    return f"""
    WITH RECURSIVE {ids_in_use(column)}, missing AS (
        SELECT s.id, cast(NULL AS timestamptz) AS fetched_at
        FROM seen s
        WHERE s.id IS NOT NULL AND NOT EXISTS (SELECT FROM {table} n WHERE n.id = s.id)
        LIMIT :limit
    ), old AS (
        SELECT id, fetched_at
        FROM {table}
        WHERE fetched_at < now() - make_interval(secs => :older_than_s)
        ORDER BY fetched_at
        LIMIT :limit
    )
    SELECT rtrim(id)
    FROM (SELECT * FROM missing UNION ALL SELECT * FROM old) wanted
    ORDER BY fetched_at NULLS FIRST
    LIMIT :limit
    """


def _forget(table: str) -> str:
    newest = f"SELECT id FROM {table} ORDER BY fetched_at DESC, id OFFSET :kept"
    return f"DELETE FROM {table} WHERE id IN ({newest})"


_IDS_AND_NAMES = (bindparam("ids", type_=_IDS), bindparam("names", type_=_TEXTS))
REMEMBER_PORTFOLIOS = text(_remember("portfolio_name")).bindparams(*_IDS_AND_NAMES)
REMEMBER_SECURITIES = text(_remember("security_name")).bindparams(*_IDS_AND_NAMES)
PORTFOLIOS_NAMED = text(_ids_of("portfolio_name", "portfolio_id")).bindparams(
    bindparam("texts", type_=_TEXTS)
)
SECURITIES_NAMED = text(_ids_of("security_name", "security_id")).bindparams(bindparam("texts", type_=_TEXTS))
_LIMITS = (bindparam("limit", type_=sa.Integer), bindparam("older_than_s", type_=sa.Double))
NAMELESS_PORTFOLIOS = text(_nameless("portfolio_name", "portfolio_id")).bindparams(*_LIMITS)
NAMELESS_SECURITIES = text(_nameless("security_name", "security_id")).bindparams(*_LIMITS)
FORGET_PORTFOLIOS = text(_forget("portfolio_name")).bindparams(bindparam("kept", type_=sa.Integer))
FORGET_SECURITIES = text(_forget("security_name")).bindparams(bindparam("kept", type_=sa.Integer))

_REMEMBER = {NameKind.PORTFOLIO: REMEMBER_PORTFOLIOS, NameKind.SECURITY: REMEMBER_SECURITIES}
_NAMED = {NameKind.PORTFOLIO: PORTFOLIOS_NAMED, NameKind.SECURITY: SECURITIES_NAMED}
_NAMELESS = {NameKind.PORTFOLIO: NAMELESS_PORTFOLIOS, NameKind.SECURITY: NAMELESS_SECURITIES}
_FORGET = {NameKind.PORTFOLIO: FORGET_PORTFOLIOS, NameKind.SECURITY: FORGET_SECURITIES}
_CENTURY_S = 3.2e9
"""No name is older; intervals know no infinity in every PostgreSQL."""


class PostgresNameStore:
    """The port NameStore on PostgreSQL; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(
        self, portfolio_ids: Collection[str], security_ids: Collection[str]
    ) -> Mapping[tuple[NameKind, str], KnownName]:
        """See NameStore."""
        values = {"portfolio_ids": list(portfolio_ids), "security_ids": list(security_ids)}
        async with autocommitted(self._database) as connection:
            rows = (await connection.execute(KNOWN, values)).all()
        return {(NameKind(row.kind), row.id): KnownName(row.name, row.age_s) for row in rows}

    async def remember(self, kind: NameKind, names: Mapping[str, str | None]) -> None:
        """See NameStore."""
        async with autocommitted(self._database) as connection:
            await connection.execute(_REMEMBER[kind], {"ids": list(names), "names": list(names.values())})

    async def ids_of(self, kind: NameKind, texts: Sequence[str]) -> Mapping[str, str]:
        """See NameStore."""
        async with autocommitted(self._database) as connection:
            rows = (await connection.execute(_NAMED[kind], {"texts": list(texts)})).all()
        return {row[0]: row[1] for row in rows}

    async def nameless(self, kind: NameKind, limit: int, older_than_s: float) -> list[str]:
        """See NameStore."""
        values = {"limit": limit, "older_than_s": min(older_than_s, _CENTURY_S)}
        async with autocommitted(self._database) as connection:
            return list((await connection.execute(_NAMELESS[kind], values)).scalars())

    async def forget(self, kind: NameKind, kept: int) -> None:
        """See NameStore."""
        async with autocommitted(self._database) as connection:
            await connection.execute(_FORGET[kind], {"kept": kept})
