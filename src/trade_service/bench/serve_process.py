"""The whole service over HTTP in a process of its own: prints its address, ends when its input does."""

import asyncio
import sys

from trade_service.bench.children import run_child
from trade_service.bench.stage import services_on
from trade_service.bootstrap.web import web_app
from trade_service.http_server import serve_asgi


def tell(url: str) -> None:
    """The address, for the parent."""
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


async def main(dsn: str, base_url: str, max_concurrent_requests: str) -> None:
    """Serves until cancelled."""
    overrides = {"server.max_concurrent_requests": int(max_concurrent_requests)}
    async with services_on(dsn, base_url, **overrides) as services, web_app(services) as app:
        await serve_asgi(app, "127.0.0.1", 0, stop=asyncio.Event(), ready=tell, grace_s=1.0)


if __name__ == "__main__":
    run_child(main(*sys.argv[1:]))
