"""Metrics and build information, at the addresses that deployments of the legacy service ask."""

from typing import Any

from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import FromPath

from trade_service import __version__
from trade_service.domain.errors import InvalidInput, NotFound
from trade_service.web.access import ANYONE
from trade_service.web.dependencies import HttpRequest, Injected, Metrics
from trade_service.web.rendering import ApiResponse, answer
from trade_service.web.route_docs import documented, query
from trade_service.web.routing import get

INFO = {
    "app": {"name": "trade-service", "description": "Trade orders, and executions submitted in batches"},
    "build": {"artifact": "globeco-trade-service", "name": "trade-service", "version": __version__},
}

_TAG = query(
    "tag",
    "Only the series with this value of this label, such as `status:200`; may be repeated.",
    Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.STRING, pattern=r"^[^:]*:")),
)


class InfoController(Controller):
    """Build information."""

    path = "/actuator/info"
    tags = ("Operations",)

    @get("/", opt=ANYONE)
    async def info(self) -> Response[dict[str, Any]]:
        """Name and version."""
        return answer(INFO)


class MetricsController(Controller):
    """The metrics of this process."""

    tags = ("Operations",)

    @get(["/metrics", "/actuator/prometheus"], opt=documented(media_type="text/plain"))
    async def text(self, metrics: Injected[Metrics]) -> Response[bytes]:
        """All metrics, in Prometheus' text format."""
        return ApiResponse(metrics.text(), media_type=metrics.content_type)

    @get("/actuator/metrics")
    async def names(self, metrics: Injected[Metrics]) -> Response[dict[str, list[str]]]:
        """The names of all metrics."""
        return answer({"names": metrics.names()})

    @get("/actuator/metrics/{name:str}", opt=documented(parameters=(_TAG,)))
    async def read(
        self, request: HttpRequest, metrics: Injected[Metrics], name: FromPath[str]
    ) -> Response[dict[str, Any]]:
        """One metric, summed over the series with the given tags: `tag=status:200`."""
        tags = dict(_tag(str(text)) for text in request.query_params.getall("tag", []))
        found = metrics.read(name, tags)
        if found is None:
            raise NotFound.of("metric", f"{name[:80]} with these tags" if tags else name[:80])
        return answer(found)


def _tag(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise InvalidInput.of("tag", text[:80], "must be a name and a value, such as status:200")
    return key, value
