"""Reference data, read in one statement."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import text

from trade_service.domain.reference import Blotter, Destination, ExecutionStatus, ReferenceData, TradeType
from trade_service.store.database import Database
from trade_service.store.engine import autocommitted

LOAD = text("""
SELECT 'blotter' AS kind, id, abbreviation, name AS description, version FROM blotter
UNION ALL SELECT 'trade_type', id, abbreviation, description, version FROM trade_type
UNION ALL SELECT 'destination', id, abbreviation, description, version FROM destination
UNION ALL SELECT 'execution_status', id, abbreviation, description, version FROM execution_status
ORDER BY kind, id
""")


Kind = TypeVar("Kind", Blotter, TradeType, Destination, ExecutionStatus)


class PostgresReferenceReads:
    """The port ReferenceReads on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> ReferenceData:
        """See ReferenceReads."""
        async with autocommitted(self._database) as connection:
            rows = (await connection.execute(LOAD)).all()
        return ReferenceData(
            blotters=_of_kind(rows, "blotter", Blotter),
            trade_types=_of_kind(rows, "trade_type", TradeType),
            destinations=_of_kind(rows, "destination", Destination),
            statuses=_of_kind(rows, "execution_status", ExecutionStatus),
        )


def _of_kind(rows: Sequence[Any], kind: str, build: type[Kind]) -> dict[int, Kind]:
    return {row.id: build(*row[1:]) for row in rows if row.kind == kind}
