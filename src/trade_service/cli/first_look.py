"""Checks that the database and the Execution Service answer, before a command waits for them."""

import asyncio
import contextlib

import msgspec

from trade_service.bootstrap.running import data_dir
from trade_service.cli.running import CommandError, described, say
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.masking import mask_url
from trade_service.settings.tree import Settings
from trade_service.store.database import Database
from trade_service.store.embedded import is_running
from trade_service.store.migrate import check
from trade_service.submission.admission import DownstreamGate
from trade_service.submission.clock import SystemClock
from trade_service.submission.ports import StoreUnavailable

LOOK_S = 4.0


async def require_present(settings: Settings, *, with_service: bool) -> None:
    """Raises CommandError within five seconds if one is away; the message says what to start."""
    looks = [_database_trouble(settings)]
    if with_service:
        looks.append(_service_trouble(settings))
    troubles = [trouble for trouble in await asyncio.gather(*looks) if trouble is not None]
    if troubles:
        raise CommandError("; ".join(troubles))


async def _database_trouble(settings: Settings) -> str | None:
    section = settings.database
    if section.url is None:
        # We start it ourselves, so nothing can be missing; starting takes a while.
        if not await asyncio.to_thread(is_running, data_dir(settings)):
            say(f"trade-service: starting the {described(settings)} ...")
        return None
    section = msgspec.structs.replace(
        section, pool_size=1, connect_timeout_s=min(section.connect_timeout_s, LOOK_S)
    )
    try:
        async with Database(section) as database, asyncio.timeout(LOOK_S):
            await check(database)
    except (StoreUnavailable, TimeoutError) as error:
        reason = str(error) or f"the database does not answer within {LOOK_S:g} s"
        return (
            f"{reason}: start PostgreSQL at {mask_url(settings.database.url or '')}, or unset DATABASE_URL to use "
            "the embedded one"
        )
    return None


async def _service_trouble(settings: Settings) -> str | None:
    reason = f"no answer within {LOOK_S:g} s"
    try:
        async with ExecutionServiceClient(settings.execution_service, SystemClock()) as client:
            async with asyncio.timeout(LOOK_S):
                listing = await client.list_newest(0, 1)
        if listing.page is not None:
            return None
        reason = listing.message
    except TimeoutError:
        pass
    return (
        f"the Execution Service at {mask_url(settings.execution_service.base_url)} is away ({reason}): start it "
        "(`trade-service simulate` for a trial), or give --wait-for-service"
    )


async def require_open(gate: DownstreamGate, *, insists: bool) -> None:
    """Raises CommandError if nothing will be sent until a person acts; the message says what to do.

    Unless `insists`, also if the ledger stays in doubt for a few seconds.
    """
    if not (gate.is_blocked or insists):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await gate.wait_open()
    if gate.is_blocked or not (gate.is_open or insists):
        raise CommandError(f"nothing was sent: {gate.reason}")
