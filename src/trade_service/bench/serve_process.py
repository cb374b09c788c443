"""The process that serves the API: prints its URL, and ends with its standard input."""

import asyncio
import sys

import msgspec

from trade_service.bench.environment import services_on
from trade_service.bench.subprocesses import print_line, run_child
from trade_service.bootstrap.web import web_app
from trade_service.http_server import serve_asgi


async def main(dsn: str, base_url: str, overrides: str) -> None:
    """Serves until cancelled."""
    values = msgspec.json.decode(overrides, type=dict[str, object])
    async with services_on(dsn, base_url, **values) as services, web_app(services) as app:
        await serve_asgi(app, "127.0.0.1", 0, stop=asyncio.Event(), ready=print_line, grace_s=1.0)


if __name__ == "__main__":
    run_child(main(*sys.argv[1:]))
