"""JSON Web Tokens. Only the settings say which issuer, audience, algorithms and keys are trusted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import jwt

from trade_service.domain.access import (
    GIVEN_ROLES,
    CredentialsNotCheckable,
    NotAuthenticated,
    Principal,
    Role,
)
from trade_service.identity.auth_settings import AuthSettings
from trade_service.identity.signing_keys import SigningKey, keys_at, keys_of_file
from trade_service.single_flight import SingleFlightCache

MAX_TOKEN_CHARS = 16_384
MAX_NAME_CHARS = 100
STALE_KEYS_S = 86_400.0
"""How long public keys are trusted while their source is unavailable."""
_ROLES = {role.title: role for role in GIVEN_ROLES}


class Tokens:
    """Authenticates requests by token.

    `keys` caches the trusted public keys; it is read again when a token's key is not among them. Raises
    ValueError unless issuer and audience are set: without them any token of a trusted key would be accepted.
    """

    def __init__(self, settings: AuthSettings, keys: SingleFlightCache[Sequence[SigningKey]]) -> None:
        if settings.jwt_issuer is None or settings.jwt_audience is None:
            raise ValueError("auth.jwt_issuer and auth.jwt_audience must be set")
        self._settings = settings
        self._keys = keys

    async def principal(self, credential: str | None) -> Principal:
        """The subject of a valid token; raises NotAuthenticated and CredentialsNotCheckable."""
        if credential is None:
            raise NotAuthenticated("a token is needed: Authorization: Bearer TOKEN")
        algorithm, key = await self._key_of(credential)
        settings = self._settings
        try:
            claims = jwt.decode(
                credential,
                key.key,
                algorithms=[algorithm],
                audience=settings.jwt_audience,
                issuer=settings.jwt_issuer,
                leeway=settings.jwt_leeway_s,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise NotAuthenticated(f"the token is not valid: {_reason(error)}") from None
        return Principal(str(claims["sub"])[:MAX_NAME_CHARS], _role(claims, settings.jwt_roles_claim))

    async def _key_of(self, credential: str) -> tuple[str, SigningKey]:
        if len(credential) > MAX_TOKEN_CHARS:
            raise NotAuthenticated(f"the token is longer than {MAX_TOKEN_CHARS} characters")
        try:
            header = jwt.get_unverified_header(credential)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise NotAuthenticated("the credential is not a token") from None
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._settings.jwt_algorithms:
            allowed = ", ".join(self._settings.jwt_algorithms)
            raise NotAuthenticated(f"the token's signature algorithm is not accepted; use one of: {allowed}")
        keys = await self._keys.get(lambda known: any(key.fits(kid, algorithm) for key in known))
        fitting = [key for key in keys if key.fits(kid, algorithm)]
        if not fitting:
            raise NotAuthenticated("the token is signed with an unknown key")
        if len(fitting) > 1:
            raise NotAuthenticated("the token does not name its key (kid), and several keys fit")
        return algorithm, fitting[0]


@asynccontextmanager
async def checked_tokens(settings: AuthSettings) -> AsyncIterator[Tokens]:
    """Tokens whose keys are read as the settings say; raises CredentialsNotCheckable for an unusable key file."""
    async with aiohttp.ClientSession() as session:
        keys = SingleFlightCache(
            "signing keys",
            _load(settings, session),
            CredentialsNotCheckable,
            max_age_s=settings.jwt_keys_max_age_s,
            pause_s=settings.jwt_keys_pause_s,
            stale_s=STALE_KEYS_S,
        )
        if settings.jwt_keys_file is not None:  # A URL may become reachable later, a file does not.
            await keys.get()
        yield Tokens(settings, keys)


def _load(
    settings: AuthSettings, session: aiohttp.ClientSession
) -> Callable[[], Awaitable[Sequence[SigningKey]]]:
    if settings.jwt_jwks_url is not None:
        return partial(keys_at, session, settings.jwt_jwks_url)
    return partial(asyncio.to_thread, keys_of_file, Path(settings.jwt_keys_file or "").expanduser())


def _role(claims: Mapping[str, Any], path: str) -> Role:
    """The highest role in the claim at `path`; ANYONE when there is none."""
    found: Any = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    words = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
    return max(
        (_ROLES[word] for word in words if isinstance(word, str) and word in _ROLES), default=Role.ANYONE
    )


def _reason(error: Exception) -> str:
    """What is wrong, without quoting the token."""
    reasons: dict[type[Exception], str] = {
        jwt.ExpiredSignatureError: "it has expired",
        jwt.ImmatureSignatureError: "it is not valid yet",
        jwt.InvalidIssuedAtError: "it is not valid yet",
        jwt.InvalidAudienceError: "it is for another audience",
        jwt.InvalidIssuerError: "it is from another issuer",
        jwt.InvalidSignatureError: "its signature is wrong",
        jwt.MissingRequiredClaimError: "it lacks one of exp, iss, aud, sub",
    }
    return reasons.get(type(error), "it cannot be read")
