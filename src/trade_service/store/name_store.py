"""Names of portfolios and securities, stored in tables of their own."""

from collections.abc import Collection, Mapping, Sequence

from trade_service.store.database import Database
from trade_service.store.statements import load
from trade_service.trading.listing.display_names import KnownName, NameKey, NameKind

SQL = load("reference")
_CENTURY_S = 3.2e9
"""No name is older; not every PostgreSQL has infinite intervals."""


class PostgresNameStore:
    """The port NameStore on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(
        self, portfolio_ids: Collection[str], security_ids: Collection[str]
    ) -> Mapping[NameKey, KnownName]:
        rows = await self._database.fetch(
            SQL["known_names"], portfolio_ids=list(portfolio_ids), security_ids=list(security_ids)
        )
        return {(NameKind(kind), identity): KnownName(name, age_s) for kind, identity, name, age_s in rows}

    async def remember(self, kind: NameKind, names: Mapping[str, str | None]) -> Mapping[str, str | None]:
        rows = await self._database.fetch(
            SQL[f"remember_{kind}"], ids=list(names), names=list(names.values())
        )
        return {row[0]: row[1] for row in rows}

    async def ids_of(self, kind: NameKind, texts: Sequence[str]) -> Mapping[str, str]:
        rows = await self._database.fetch(SQL[f"ids_of_{kind}"], texts=list(texts))
        return {row[0]: row[1] for row in rows}

    async def nameless(self, kind: NameKind, limit: int, older_than_s: float) -> list[str]:
        rows = await self._database.fetch(
            SQL[f"nameless_{kind}"], limit=limit, older_than_s=min(older_than_s, _CENTURY_S)
        )
        return [identity for (identity,) in rows]

    async def forget(self, kind: NameKind, kept: int) -> None:
        await self._database.execute(SQL[f"forget_{kind}"], kept=kept)
