"""Bare reads: a Litestar application whose routes make the service's own queries through asyncpg, and no more.

No authentication, bounds, metrics, log, names or totals; the server, the encoder and the database are the same.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal

import asyncpg
import msgspec
import uvicorn
from litestar import Litestar, get
from litestar.datastructures import State

from trade_service.bench.subprocesses import print_line, run_child
from trade_service.store.list_statements import page_statement, page_values, shape_of
from trade_service.store.statements import load
from trade_service.trading.listing.model import ListQuery, SortKey, total_order

ONE = load("orders")["get_order"].text
_QUERY = ListQuery(50, sort=total_order((SortKey("id", descending=True),)))
PAGE = page_statement("orders", shape_of(_QUERY))
_VALUES = page_values(_QUERY)
PAGE_VALUES = [_VALUES[name] for name in PAGE.parameters]


class Row(msgspec.Struct):
    """A trade order."""

    id: int
    order_id: int
    portfolio_id: str
    order_type: str
    security_id: str
    quantity: Decimal
    quantity_sent: Decimal
    limit_price: Decimal | None
    trade_timestamp: datetime
    blotter_id: int | None
    submitted: bool
    version: int


WIDTH = len(Row.__struct_fields__)


@get("/order/{order_id:int}")
async def read_one(state: State, order_id: int) -> Row:
    """One order by id."""
    row = await state.pool.fetchrow(ONE, order_id)
    return Row(*row[:WIDTH])


@get("/orders")
async def read_page(state: State) -> list[Row]:
    """A page of 50 orders, the newest first."""
    return [Row(*row[:WIDTH]) for row in await state.pool.fetch(PAGE.text, *PAGE_VALUES)]


async def main(dsn: str) -> None:
    """Serves until cancelled."""

    @asynccontextmanager
    async def pool(app: Litestar) -> AsyncIterator[None]:
        async with asyncpg.create_pool(dsn, min_size=10, max_size=10) as app.state.pool:
            yield

    app = Litestar([read_one, read_page], lifespan=[pool], openapi_config=None, logging_config=None)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    print_line(f"http://127.0.0.1:{port}")
    await server.main_loop()


if __name__ == "__main__":
    run_child(main(*sys.argv[1:]))
