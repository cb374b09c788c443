"""Who is let in, as the settings say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from trade_service.bootstrap.services import CannotStart
from trade_service.identity.api_keys import ApiKeys
from trade_service.settings.model import Settings
from trade_service.store.key_store import PostgresKeys
from trade_service.web.access import Authenticator, Everybody


def auth_mode(settings: Settings) -> str:
    """The mode in force; raises CannotStart where it has to be chosen and was not."""
    if settings.auth.mode is not None:
        return settings.auth.mode
    if settings.server.is_loopback:
        return "none"
    raise CannotStart(
        f"server.host is {settings.server.host}, which others than this machine reach: choose who may trade "
        "with auth.mode (TRADE_SERVICE_AUTH_MODE): api-key, jwt, or none for everybody"
    )


@asynccontextmanager
async def authenticator(settings: Settings, engine: AsyncEngine) -> AsyncIterator[Authenticator]:
    """What checks credentials; raises CannotStart when it has nothing to check them against."""
    auth = settings.auth
    match auth_mode(settings):
        case "api-key":
            yield ApiKeys(PostgresKeys(engine).active, auth.api_key_max_age_s)
        case "jwt":
            from trade_service.bootstrap.tokens import token_checks

            async with token_checks(auth) as tokens:
                yield tokens
        case _:
            yield Everybody()
