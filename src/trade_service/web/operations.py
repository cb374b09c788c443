"""Metrics and build information, at the addresses that deployments of the earlier service ask."""

from typing import Any

from litestar import Request, Response, Router, get
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import FromPath

from trade_service import __version__
from trade_service.domain.access import Role
from trade_service.domain.errors import InvalidInput, NotFound
from trade_service.web.access import ANYONE, for_role
from trade_service.web.dependencies import Metrics, Routes
from trade_service.web.rendering import RawResponse, answer
from trade_service.web.telling import query, tells

INFO = {
    "app": {"name": "trade-service", "description": "Trade orders, and executions submitted in batches"},
    "build": {"artifact": "globeco-trade-service", "name": "trade-service", "version": __version__},
}


_TAG = query(
    "tag",
    "Only the series with this value of this label, such as `status:200`; may be repeated.",
    Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.STRING, pattern=r"^[^:]*:")),
)


class InfoRoutes(Routes):
    """Which program this is."""

    def router(self) -> Router:
        """The routes."""
        return Router("/actuator", route_handlers=[get("/info", opt=ANYONE)(self.info)], tags=["Operations"])

    async def info(self) -> Response[dict[str, Any]]:
        """Name and version."""
        return answer(INFO)


class MetricsRoutes(Routes):
    """What is measured in this process."""

    def __init__(self, metrics: Metrics, role: Role) -> None:
        self._metrics = metrics
        self._role = role

    def router(self) -> Router:
        """The routes."""
        return Router(
            "/",
            route_handlers=[
                get(["/metrics", "/actuator/prometheus"], opt=tells(media_type="text/plain"))(self.text),
                get("/actuator/metrics")(self.names),
                get("/actuator/metrics/{name:str}", opt=tells(parameters=(_TAG,)))(self.read),
            ],
            opt=for_role(self._role),
            tags=["Operations"],
        )

    async def text(self) -> Response[bytes]:
        """All metrics, as Prometheus reads them."""
        return RawResponse(self._metrics.text(), media_type=self._metrics.content_type)

    async def names(self) -> Response[dict[str, list[str]]]:
        """The names of all metrics."""
        return answer({"names": self._metrics.names()})

    async def read(self, request: Request[Any, Any, Any], name: FromPath[str]) -> Response[dict[str, Any]]:
        """One metric, summed over the series with the tags that are asked for: `tag=status:200`."""
        tags = dict(_tag(str(text)) for text in request.query_params.getall("tag", []))
        found = self._metrics.read(name, tags)
        if found is None:
            raise NotFound.of("metric", f"{name[:80]} with these tags" if tags else name[:80])
        return answer(found)


def _tag(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise InvalidInput.of("tag", text[:80], "must be a name and a value, such as status:200")
    return key, value
