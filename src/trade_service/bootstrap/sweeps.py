"""What is removed once its time is over."""

from trade_service.bootstrap.services import Services
from trade_service.trading.retention import Sweep


def sweeps(services: Services) -> list[Sweep]:
    """Of every kind of record that does not stay for ever."""
    settings = services.settings
    keep_s = settings.submission.bulk_keep_s

    async def remove_submissions(limit: int) -> int:
        return await services.bulk_store.remove_old(keep_s, limit)

    every_s, limit, sleep = (
        settings.idempotency.sweep_s,
        settings.idempotency.sweep_limit,
        services.clock.sleep,
    )
    return [
        Sweep("idempotency keys", services.key_store.remove_old, every_s, limit, sleep),
        Sweep("bulk submissions", remove_submissions, every_s, limit, sleep),
    ]
