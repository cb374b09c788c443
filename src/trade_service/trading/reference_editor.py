"""ReferenceEditor: blotters, trade types, destinations and execution statuses, read and changed by clients."""

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
    """Reads what the database holds now, and has this process's cache know of every change at once."""

    def __init__(self, changes: ReferenceChanges, references: ReferenceCache) -> None:
        self._changes = changes
        self._references = references

    async def get_all(self, kind: ReferenceKind) -> list[Reference]:
        """All of the kind, by id, as of now: other replicas' changes included."""
        data = await self._references.reload()
        if kind is BLOTTER:
            return [*data.blotters.values()]
        if kind is TRADE_TYPE:
            return [*data.trade_types.values()]
        return [*(data.destinations if kind is DESTINATION else data.statuses).values()]

    async def get(self, kind: ReferenceKind, identity: int) -> Reference:
        """The one of that id, as of now; raises NotFound."""
        for reference in await self.get_all(kind):
            if reference.id == identity:
                return reference
        raise NotFound.of(kind.thing, identity)

    async def create(self, kind: ReferenceKind, values: ReferenceValues) -> Reference:
        """Creates one. Raises InvalidInput, and AlreadyExists for an abbreviation that is taken."""
        wanted = checked_reference(kind, values)
        created = await self._changes.create(kind, wanted, lambda rows: refuse_taken(kind, wanted, rows))
        await self._renew()
        return created

    async def update(
        self, kind: ReferenceKind, identity: int, version: int, values: ReferenceValues
    ) -> Reference:
        """Changes one.

        Raises InvalidInput, NotFound, VersionConflict, AlreadyExists, and InUse for another abbreviation of what
        the service cannot do without or of what was traded under it.
        """
        wanted = checked_reference(kind, values)
        updated = await self._changes.update(
            kind, identity, version, wanted, lambda old, rows: needs_unused(kind, old, wanted, rows)
        )
        await self._renew()
        return updated

    async def delete(self, kind: ReferenceKind, identity: int, version: int) -> None:
        """Deletes one. Raises NotFound, VersionConflict, and InUse while anything needs it."""
        await self._changes.delete(
            kind, identity, version, lambda old, rows: needs_unused(kind, old, None, rows)
        )
        await self._renew()

    async def _renew(self) -> None:
        """Nobody who asks this process hereafter gets the old data; what was written stands in any case."""
        try:
            await self._references.reload()
        except StoreUnavailable as error:
            _log.warning("reference_data_stays_old_for_a_while", error=str(error))
