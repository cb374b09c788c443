"""JSON Web Tokens. Only the settings say which issuer, audience, algorithms and keys are trusted."""

from collections.abc import Mapping, Sequence
from typing import Any

import jwt
import msgspec

from trade_service.domain.access import GIVEN_ROLES, NotAuthenticated, Principal, Role
from trade_service.identity.signing_keys import SigningKey
from trade_service.single_flight import SingleFlightCache

MAX_TOKEN_CHARS = 16_384
MAX_NAME_CHARS = 100
_ROLES = {role.title: role for role in GIVEN_ROLES}


class TokenRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a token must contain to be accepted."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    """Only signatures with public keys."""
    roles_claim: str = "roles"
    """Dotted path to the claim with the roles: a list, or words separated by spaces."""
    leeway_s: float = 30.0
    """Tolerated clock difference."""


class Tokens:
    """Authenticates requests by token.

    `keys` caches the trusted public keys; it is read again when a token's key is not among them.
    """

    def __init__(self, rules: TokenRules, keys: SingleFlightCache[Sequence[SigningKey]]) -> None:
        self._rules = rules
        self._keys = keys

    async def principal(self, credential: str | None) -> Principal:
        """The subject of a valid token; raises NotAuthenticated and CredentialsNotCheckable."""
        if credential is None:
            raise NotAuthenticated("a token is needed: Authorization: Bearer TOKEN")
        algorithm, key = await self._key_of(credential)
        rules = self._rules
        try:
            claims = jwt.decode(
                credential,
                key.key,
                algorithms=[algorithm],
                audience=rules.audience,
                issuer=rules.issuer,
                leeway=rules.leeway_s,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise NotAuthenticated(f"the token is not valid: {_reason(error)}") from None
        return Principal(str(claims["sub"])[:MAX_NAME_CHARS], _role(claims, rules.roles_claim))

    async def _key_of(self, credential: str) -> tuple[str, SigningKey]:
        if len(credential) > MAX_TOKEN_CHARS:
            raise NotAuthenticated(f"the token is longer than {MAX_TOKEN_CHARS} characters")
        try:
            header = jwt.get_unverified_header(credential)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise NotAuthenticated("the credential is not a token") from None
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._rules.algorithms:
            allowed = ", ".join(self._rules.algorithms)
            raise NotAuthenticated(f"the token's signature algorithm is not accepted; use one of: {allowed}")
        keys = await self._keys.get(lambda known: any(key.fits(kid, algorithm) for key in known))
        fitting = [key for key in keys if key.fits(kid, algorithm)]
        if not fitting:
            raise NotAuthenticated("the token is signed with an unknown key")
        if len(fitting) > 1:
            raise NotAuthenticated("the token does not name its key (kid), and several keys fit")
        return algorithm, fitting[0]


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
