"""ReferenceEditor: clients read and change blotters, trade types, destinations and execution statuses."""

import structlog

from trade_service.domain.errors import NotFound
from trade_service.domain.reference_changes import (
    BLOTTER,
    DESTINATION,
    TRADE_TYPE,
    Reference,
    ReferenceKind,
    ReferenceValues,
    checked_reference,
    needs_unused,
    refuse_taken,
)
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.ports import ReferenceChanges
from trade_service.trading.reference import ReferenceCache

_log = structlog.get_logger(__name__)


class ReferenceEditor:
    """Reads the current rows of the database, and refreshes this process's cache after every change."""

    def __init__(self, changes: ReferenceChanges, references: ReferenceCache) -> None:
        self._changes = changes
        self._references = references

    async def get_all(self, kind: ReferenceKind) -> list[Reference]:
        """All rows of the kind, by id, including other replicas' changes."""
        data = await self._references.reload()
        if kind is BLOTTER:
            return [*data.blotters.values()]
        if kind is TRADE_TYPE:
            return [*data.trade_types.values()]
        return [*(data.destinations if kind is DESTINATION else data.statuses).values()]

    async def get(self, kind: ReferenceKind, identity: int) -> Reference:
        """The current row with that id; raises NotFound."""
        for reference in await self.get_all(kind):
            if reference.id == identity:
                return reference
        raise NotFound.of(kind.thing, identity)

    async def create(self, kind: ReferenceKind, values: ReferenceValues) -> Reference:
        """Creates a row. Raises InvalidInput, and AlreadyExists for a taken abbreviation."""
        wanted = checked_reference(kind, values)
        created = await self._changes.create(kind, wanted, lambda rows: refuse_taken(kind, wanted, rows))
        await self._refresh()
        return created

    async def update(
        self, kind: ReferenceKind, identity: int, version: int, values: ReferenceValues
    ) -> Reference:
        """Changes a row.

        Raises InvalidInput, NotFound, VersionConflict, AlreadyExists, and InUse for another abbreviation of a row
        that the service requires or that executions refer to.
        """
        wanted = checked_reference(kind, values)
        updated = await self._changes.update(
            kind, identity, version, wanted, lambda old, rows: needs_unused(kind, old, wanted, rows)
        )
        await self._refresh()
        return updated

    async def delete(self, kind: ReferenceKind, identity: int, version: int) -> None:
        """Deletes a row. Raises NotFound, VersionConflict, and InUse while anything refers to it."""
        await self._changes.delete(
            kind, identity, version, lambda old, rows: needs_unused(kind, old, None, rows)
        )
        await self._refresh()

    async def _refresh(self) -> None:
        """Drops the old data from this process's cache; the change itself is committed in any case."""
        try:
            await self._references.reload()
        except StoreUnavailable as error:
            _log.warning("reference_data_not_refreshed", error=str(error))
