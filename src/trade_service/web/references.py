"""/api/v1/blotters, destinations, executionStatuses and tradeTypes: read and changed by clients."""

from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec
from litestar import Response
from litestar.params import FromPath, JSONBody

from trade_service.domain.reference import (
    BLOTTER,
    DESTINATION,
    EXECUTION_STATUS,
    TRADE_TYPE,
    Blotter,
    Destination,
    ExecutionStatus,
    ReferenceKind,
    ReferenceValues,
    TradeType,
)
from trade_service.trading.request_keys import Created
from trade_service.web.access import OPERATOR, READER, delete, get, put
from trade_service.web.dependencies import Services
from trade_service.web.idempotency import keyed_post
from trade_service.web.openapi.schemas import Int32, identifier, text
from trade_service.web.parameters import id_of, read_id, read_version
from trade_service.web.responses import ApiResponse
from trade_service.web.routing import VERSION, GenericController, HttpRequest, documented


class NamedPost(msgspec.Struct, rename="camel"):
    """A blotter to create."""

    abbreviation: Annotated[str, identifier(BLOTTER.abbreviation_limit)]
    name: Annotated[str, text(BLOTTER.text_limit)]

    def to_domain(self) -> ReferenceValues:
        return ReferenceValues(self.abbreviation, self.name)


class DescribedPost(msgspec.Struct, rename="camel"):
    """A destination, trade type or execution status to create."""

    abbreviation: Annotated[str, identifier(DESTINATION.abbreviation_limit)]
    description: Annotated[str, text(DESTINATION.text_limit)]

    def to_domain(self) -> ReferenceValues:
        return ReferenceValues(self.abbreviation, self.description)


class NamedPut(NamedPost, kw_only=True):
    """A blotter after a change."""

    version: Int32
    id: Int32 | None = None


class DescribedPut(DescribedPost, kw_only=True):
    """A destination, trade type or execution status after a change."""

    version: Int32
    id: Int32 | None = None


Post = TypeVar("Post", NamedPost, DescribedPost)
Change = TypeVar("Change", NamedPut, DescribedPut)
Row = TypeVar("Row")


class ReferenceController(GenericController, Generic[Post, Change, Row]):
    """The routes of one row of reference data; subclasses name the kind and its shapes."""

    tags = ("Reference data",)
    kind: ClassVar[ReferenceKind]

    @get("/{reference_id:str}", opt=READER)
    async def read(self, services: Services, reference_id: FromPath[str]) -> Response[Row]:
        """Reads one."""
        row: Any = await services.editors.references.get(self.kind, read_id(reference_id))
        return ApiResponse(row)

    @put("/{reference_id:str}", opt=OPERATOR | documented(errors=(409,)))
    async def update(
        self, services: Services, reference_id: FromPath[str], data: JSONBody[Change]
    ) -> Response[Row]:
        """Changes one; an abbreviation that executions were sent under stays."""
        identity, wanted = id_of(reference_id, data.id), data.to_domain()
        row: Any = await services.editors.references.update(self.kind, identity, data.version, wanted)
        return ApiResponse(row)

    @delete("/{reference_id:str}", opt=OPERATOR | documented(parameters=(VERSION,), errors=(409,)))
    async def delete(self, request: HttpRequest, services: Services, reference_id: FromPath[str]) -> None:
        """Deletes one that nothing refers to."""
        await services.editors.references.delete(self.kind, read_id(reference_id), read_version(request))


class ReferencesController(ReferenceController[Post, Change, Row]):
    """The routes of all rows of a kind, and of one."""

    @get("/", opt=READER)
    async def read_all(self, services: Services) -> Response[list[Row]]:
        """Lists all, by id."""
        rows: list[Any] = await services.editors.references.get_all(self.kind)
        return ApiResponse(rows)

    @keyed_post("/", opt=OPERATOR | documented(errors=(409,)))
    async def create(
        self, services: Services, data: JSONBody[Post], created: Created | None
    ) -> Response[Row]:
        """Creates one; its abbreviation must not be taken."""
        references = services.editors.references
        row: Any
        if created is None:
            row = await references.create(self.kind, data.to_domain())
        else:
            row = await references.get(self.kind, created.known_ids[0])
        return ApiResponse(row, 201)


class BlotterController(ReferencesController[NamedPost, NamedPut, Blotter]):
    """Blotters."""

    path = "/blotters"
    kind = BLOTTER


class DestinationController(ReferencesController[DescribedPost, DescribedPut, Destination]):
    """Destinations."""

    path = "/destinations"
    kind = DESTINATION


class ExecutionStatusController(ReferencesController[DescribedPost, DescribedPut, ExecutionStatus]):
    """Execution statuses."""

    path = "/executionStatuses"
    kind = EXECUTION_STATUS


class TradeTypeController(ReferencesController[DescribedPost, DescribedPut, TradeType]):
    """Trade types."""

    path = "/tradeTypes"
    kind = TRADE_TYPE


class OneTradeTypeController(ReferenceController[DescribedPost, DescribedPut, TradeType]):
    """One trade type; clients know it under the singular."""

    path = "/tradeType"
    kind = TRADE_TYPE


CONTROLLERS = [
    BlotterController,
    DestinationController,
    ExecutionStatusController,
    TradeTypeController,
    OneTradeTypeController,
]
