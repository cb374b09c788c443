"""Tokens checked as the settings say. Imported only where they are: cryptography costs start-up time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import cast

import aiohttp

from trade_service.bootstrap.services import CannotStart
from trade_service.domain.access import CredentialsNotCheckable
from trade_service.identity.auth_settings import AuthSettings
from trade_service.identity.signing_keys import SigningKey, keys_at, keys_of_file
from trade_service.identity.tokens import TokenRules, Tokens
from trade_service.single_flight import SingleFlightCache

OLD_KEYS_S = 86_400.0
"""How long public keys are believed while their source does not answer."""


@asynccontextmanager
async def token_checks(auth: AuthSettings) -> AsyncIterator[Tokens]:
    """What checks tokens; raises CannotStart when the file of keys cannot be used."""
    async with aiohttp.ClientSession() as session:
        keys = SingleFlightCache(
            "signing keys",
            _load(auth, session),
            CredentialsNotCheckable,
            max_age_s=auth.jwt_keys_max_age_s,
            pause_s=auth.jwt_keys_pause_s,
            stale_s=OLD_KEYS_S,
        )
        if auth.jwt_keys_file is not None:
            await _first_read(keys)
        yield Tokens(_rules(auth), keys)


def _load(
    auth: AuthSettings, session: aiohttp.ClientSession
) -> Callable[[], Awaitable[Sequence[SigningKey]]]:
    if auth.jwt_jwks_url is not None:
        return partial(keys_at, session, auth.jwt_jwks_url)
    return partial(asyncio.to_thread, keys_of_file, cast(Path, auth.jwt_keys_path))


async def _first_read(keys: SingleFlightCache[Sequence[SigningKey]]) -> None:
    """A file is there or it is not; an address may answer later."""
    try:
        await keys.get(bool)
    except CredentialsNotCheckable as error:
        raise CannotStart(str(error)) from None


def _rules(auth: AuthSettings) -> TokenRules:
    return TokenRules(
        issuer=cast(str, auth.jwt_issuer),
        audience=cast(str, auth.jwt_audience),
        algorithms=auth.jwt_algorithms,
        roles_claim=auth.jwt_roles_claim,
        leeway_s=auth.jwt_leeway_s,
    )
