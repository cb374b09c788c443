"""Authentication as the settings say."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from trade_service.bootstrap.services import CannotStart
from trade_service.domain.access import CredentialsNotCheckable
from trade_service.identity.api_keys import ApiKeys
from trade_service.settings.model import Settings
from trade_service.store.database import Database
from trade_service.store.key_store import PostgresKeys
from trade_service.web.access import Authenticator, Everybody


def auth_mode(settings: Settings) -> str:
    """The mode in force; raises CannotStart where it must be chosen and was not."""
    if settings.auth.mode is not None:
        return settings.auth.mode
    if settings.server.is_loopback:
        return "none"
    raise CannotStart(
        f"server.host is {settings.server.host}, which others than this machine reach: choose who may trade "
        "with auth.mode (TRADE_SERVICE_AUTH_MODE): api-key, jwt, or none for everybody"
    )


@asynccontextmanager
async def authenticator(settings: Settings, database: Database) -> AsyncIterator[Authenticator]:
    """Checks the credentials of requests; raises CannotStart when its key file cannot be used."""
    auth = settings.auth
    match auth_mode(settings):
        case "api-key":
            yield ApiKeys(PostgresKeys(database).active, auth.api_key_max_age_s)
        case "jwt":
            from trade_service.identity.tokens import checked_tokens  # Cryptography is slow to import.

            async with AsyncExitStack() as stack:
                try:
                    tokens = await stack.enter_async_context(checked_tokens(auth))
                except CredentialsNotCheckable as error:
                    raise CannotStart(str(error)) from None
                yield tokens
        case _:
            yield Everybody()
