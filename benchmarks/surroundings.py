"""What every measurement needs: a database full of executions and a simulator of its own process."""

import asyncio
import os
import platform
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

ORDERS = sa.text("""
INSERT INTO trade_order
    (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, limit_price, submitted)
SELECT first + i, 'PORTFOLIO', 'BUY', 'SEC' || (i % 500), 100, 100, 12.5, true
FROM generate_series(1, :count) i, (SELECT coalesce(max(order_id), 0) AS first FROM trade_order) known
ON CONFLICT DO NOTHING
""")
EXECUTIONS = sa.text("""
INSERT INTO execution (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,
                       quantity_placed, limit_price, submission_state)
SELECT 1, 1, o.first + i % :orders, 1 + i % 6, 100, 0, 12.5, 'none'
FROM generate_series(1, :count) i, (SELECT min(id) AS first FROM trade_order) o
""")
ORDER_COUNT = 10_000


async def fill(engine: AsyncEngine, count: int) -> range:
    """Inserts `count` executions that were never submitted; returns their ids."""
    async with engine.begin() as connection:
        if not await connection.scalar(sa.text("SELECT EXISTS (SELECT FROM trade_order)")):
            await connection.execute(ORDERS, {"count": ORDER_COUNT})
        before = await connection.scalar(sa.text("SELECT coalesce(max(id), 0) FROM execution"))
        await connection.execute(EXECUTIONS, {"count": count, "orders": ORDER_COUNT - 1})
        after = await connection.scalar(sa.text("SELECT max(id) FROM execution"))
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(sa.text("VACUUM ANALYZE execution"))
        await connection.execute(sa.text("CHECKPOINT"))
    assert after - before == count
    return range(before + 1, after + 1)


@asynccontextmanager
async def simulator(*options: str) -> AsyncIterator[str]:
    """A simulator in a process of its own, on a free port; yields its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.simulator_process",
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


def machine() -> str:
    """One line that says where the figures come from."""
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):  # noqa: PTH110
        with open("/proc/cpuinfo") as text:  # noqa: PTH123
            names = [line.split(":", 1)[1].strip() for line in text if line.startswith("model name")]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}, {platform.system()}"
