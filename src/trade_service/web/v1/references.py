"""/api/v1/blotters, destinations, executionStatuses and tradeTypes: read and changed by clients."""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar import Request, Response, Router, delete, get, put
from litestar.params import FromPath

from trade_service.domain.reference_changes import (
    BLOTTER,
    DESTINATION,
    EXECUTION_STATUS,
    TRADE_TYPE,
    Reference,
    ReferenceKind,
    ReferenceValues,
)
from trade_service.trading.request_keys import Created
from trade_service.web.access import OPERATOR, READER
from trade_service.web.dependencies import Routes, WebServices
from trade_service.web.idempotency import Idempotency
from trade_service.web.integers import Int32
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import JsonReader, read_id, read_version, same_id
from trade_service.web.telling import VERSION, identifier, tells, text


class NamedPost(msgspec.Struct, rename="camel"):
    """A blotter to be created."""

    abbreviation: Annotated[str, identifier(BLOTTER.abbreviation_limit)]
    name: Annotated[str, text(BLOTTER.text_limit)]

    def to_domain(self) -> ReferenceValues:
        """The values."""
        return ReferenceValues(self.abbreviation, self.name)


class DescribedPost(msgspec.Struct, rename="camel"):
    """A destination, trade type or execution status to be created."""

    abbreviation: Annotated[str, identifier(DESTINATION.abbreviation_limit)]
    description: Annotated[str, text(DESTINATION.text_limit)]

    def to_domain(self) -> ReferenceValues:
        """The values."""
        return ReferenceValues(self.abbreviation, self.description)


class NamedPut(NamedPost, kw_only=True):
    """A blotter as it is to be."""

    version: Int32
    id: Int32 | None = None


class DescribedPut(DescribedPost, kw_only=True):
    """A destination, trade type or execution status as it is to be."""

    version: Int32
    id: Int32 | None = None


Post = TypeVar("Post", NamedPost, DescribedPost)
Put = TypeVar("Put", NamedPut, DescribedPut)


class KindRoutes(Routes, Generic[Post, Put]):
    """The routes of one kind."""

    def __init__(
        self, services: WebServices, kind: ReferenceKind, post_shape: type[Post], put_shape: type[Put]
    ) -> None:
        self._editor = services.editors.references
        self._kind = kind
        self._keyed = Idempotency(services.keys)
        self._post: JsonReader[Post] = JsonReader(post_shape)
        self._put: JsonReader[Put] = JsonReader(put_shape)

    def router(self, collection: str, *of_one: str) -> Router:
        """The routes: the collection's path, and the paths of one of its things."""
        paths = [f"/{path}/{{reference_id:str}}" for path in of_one]
        shape, listed = self._kind.shape, list[self._kind.shape]  # type: ignore[name-defined]
        posted = tells(answers={201: shape}, body=self._post, errors=(409,))
        changed = tells(answers={200: shape}, body=self._put, errors=(409,))
        return Router(
            "/",
            route_handlers=[
                get(f"/{collection}", opt=READER | tells(answers={200: listed}))(self.read_all),
                self._keyed.post(f"/{collection}", self.create, self.created, opt=OPERATOR | posted),
                get(paths, opt=READER | tells(answers={200: shape}))(self.read),
                put(paths, opt=OPERATOR | changed)(self.update),
                delete(paths, opt=OPERATOR | tells(parameters=(VERSION,), errors=(409,)))(self.delete),
            ],
            tags=["Reference data"],
        )

    async def read_all(self) -> Response[list[Reference]]:
        """Lists all, by id."""
        return answer(await self._editor.get_all(self._kind))

    async def read(self, reference_id: FromPath[str]) -> Response[Reference]:
        """Reads one."""
        return answer(await self._editor.get(self._kind, read_id(reference_id, "id")))

    async def create(self, request: Request[Any, Any, Any]) -> Response[Reference]:
        """Creates one; its abbreviation must not be taken."""
        wanted = (await self._post.read(request)).to_domain()
        return answer(await self._editor.create(self._kind, wanted), 201)

    async def created(self, _request: Request[Any, Any, Any], created: Created) -> Response[Reference]:
        """The one that an earlier request created."""
        (reference_id,) = created.known_ids
        return answer(await self._editor.get(self._kind, reference_id), 201)

    async def update(
        self, request: Request[Any, Any, Any], reference_id: FromPath[str]
    ) -> Response[Reference]:
        """Changes one; what executions were sent under keeps its abbreviation."""
        identity = read_id(reference_id, "id")
        wanted = await self._put.read(request)
        same_id(identity, wanted.id)
        changed = await self._editor.update(self._kind, identity, wanted.version, wanted.to_domain())
        return answer(changed)

    async def delete(self, request: Request[Any, Any, Any], reference_id: FromPath[str]) -> None:
        """Deletes one that nothing points to."""
        await self._editor.delete(self._kind, read_id(reference_id, "id"), read_version(request))


class ReferenceRoutes(Routes):
    """All four kinds."""

    def __init__(self, services: WebServices) -> None:
        self._services = services

    def router(self) -> Router:
        """The routes. Clients know one trade type as tradeType; the plural does as well."""
        return Router(
            "/",
            route_handlers=[
                KindRoutes(self._services, BLOTTER, NamedPost, NamedPut).router("blotters", "blotters"),
                self._described(DESTINATION, "destinations", "destinations"),
                self._described(EXECUTION_STATUS, "executionStatuses", "executionStatuses"),
                self._described(TRADE_TYPE, "tradeTypes", "tradeType", "tradeTypes"),
            ],
        )

    def _described(self, kind: ReferenceKind, collection: str, *of_one: str) -> Router:
        routes = KindRoutes(self._services, kind, DescribedPost, DescribedPut)
        return routes.router(collection, *of_one)
