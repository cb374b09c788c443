"""JSON Web Tokens, and the public keys that verify them: from a file, or from an identity provider's JWKS.

Only the settings say which issuer, audience, algorithms and keys are trusted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import jwt
import msgspec
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from trade_service.domain.access import (
    GIVEN_ROLES,
    MAX_NAME_CHARS,
    CredentialsNotCheckable,
    KnownBy,
    NotAuthenticated,
    Principal,
    Role,
)
from trade_service.http_connector import BoundedConnector
from trade_service.identity.auth_settings import AuthSettings
from trade_service.single_flight import SingleFlightCache

_log = structlog.get_logger(__name__)

MAX_TOKEN_CHARS = 16_384
STALE_KEYS_S = 86_400.0
"""How long public keys are trusted while their source is unavailable."""
MAX_KEYS_BYTES = 1_000_000
MAX_KEYS = 100
KEYS_TIMEOUT_S = 5.0
LEAST_RSA_BITS = 2048
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_ROLES = {role.title: role for role in GIVEN_ROLES}
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""The kind of key by the first letters of an algorithm."""
_REASONS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidIssuedAtError: "it is not valid yet",
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.InvalidIssuerError: "it is from another issuer",
    jwt.InvalidSignatureError: "its signature is wrong",
    jwt.MissingRequiredClaimError: "it lacks one of exp, iss, aud, sub",
}
"""What is wrong with a token, without quoting it."""


class Tokens:
    """Authenticates requests by token.

    `load` reads the trusted public keys, again when a token's key is not among them; it may raise
    CredentialsNotCheckable. Raises ValueError unless issuer and audience are set: without them any token of a
    trusted key would be accepted.
    """

    def __init__(self, settings: AuthSettings, load: Callable[[], Awaitable[Sequence["SigningKey"]]]) -> None:
        if settings.jwt_issuer is None or settings.jwt_audience is None:
            raise ValueError("auth.jwt_issuer and auth.jwt_audience must be set")
        self._settings = settings
        self.keys = SingleFlightCache(
            "signing keys",
            load,
            CredentialsNotCheckable,
            max_age_s=settings.jwt_keys_max_age_s,
            pause_s=settings.jwt_keys_pause_s,
            stale_s=STALE_KEYS_S,
        )

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
            reason = _REASONS.get(type(error), "it cannot be read")
            raise NotAuthenticated(f"the token is not valid: {reason}") from None
        role = _role(claims, settings.jwt_roles_claim)
        return Principal(_subject(claims), role, KnownBy.TOKEN, float(claims["exp"]))

    async def _key_of(self, credential: str) -> tuple[str, "SigningKey"]:
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
        keys = await self.keys.get(lambda known: any(key.fits(kid, algorithm) for key in known))
        fitting = [key for key in keys if key.fits(kid, algorithm)]
        if not fitting:
            raise NotAuthenticated("the token is signed with an unknown key")
        if len(fitting) > 1:
            raise NotAuthenticated("the token does not name its key (kid), and several keys fit")
        return algorithm, fitting[0]


@asynccontextmanager
async def checked_tokens(settings: AuthSettings) -> AsyncIterator[Tokens]:
    """Tokens whose keys are read as the settings say; raises CredentialsNotCheckable for an unusable key file."""
    async with aiohttp.ClientSession(connector=BoundedConnector()) as session:
        if settings.jwt_jwks_url is not None:
            yield Tokens(settings, partial(keys_at, session, settings.jwt_jwks_url))
            return
        load = partial(asyncio.to_thread, keys_of_file, Path(settings.jwt_keys_file or ""))
        tokens = Tokens(settings, load)
        await tokens.keys.get()  # A URL may become reachable later, a file does not.
        yield tokens


def _subject(claims: Mapping[str, Any]) -> str:
    """The name of the token's owner, which must tell it from all others: never blank, and never cut."""
    subject = str(claims["sub"])
    if not subject.strip():
        raise NotAuthenticated("the token is not valid: its subject (sub) is empty")
    if len(subject) > MAX_NAME_CHARS:
        rule = f"its subject (sub) has more than {MAX_NAME_CHARS} characters"
        raise NotAuthenticated(f"the token is not valid: {rule}")
    if not subject.isprintable():
        raise NotAuthenticated("the token is not valid: its subject (sub) has control characters")
    return subject


def _role(claims: Mapping[str, Any], path: str) -> Role:
    """The highest role in the claim at `path`; ANYONE when there is none."""
    found: Any = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    words = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
    return max(
        (_ROLES[word] for word in words if isinstance(word, str) and word in _ROLES), default=Role.ANYONE
    )


class SigningKey(NamedTuple):
    """A public key; None for attributes that its source does not state."""

    kid: str | None
    algorithm: str | None
    kind: str
    """RSA, EC or OKP."""
    key: Any

    def fits(self, kid: str | None, algorithm: str) -> bool:
        """Whether it may have signed a token with this key id and algorithm."""
        named = self.kid is None or kid is None or self.kid == kid
        return named and self.algorithm in (None, algorithm) and _KINDS[algorithm[:2]] == self.kind


def keys_of_file(path: Path) -> Sequence[SigningKey]:
    """The keys in a PEM or JWKS file, whose path may begin with ~; raises CredentialsNotCheckable."""
    path = path.expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(MAX_KEYS_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "not readable"
        raise CredentialsNotCheckable(f"auth.jwt_keys_file {path} cannot be read: {reason}") from error
    return parsed_keys(content, f"auth.jwt_keys_file {path}")


async def keys_at(session: aiohttp.ClientSession, url: str) -> Sequence[SigningKey]:
    """The keys of a JWKS URL; raises CredentialsNotCheckable."""
    place = "the address in auth.jwt_jwks_url"
    content = bytearray()
    try:
        timeout = aiohttp.ClientTimeout(total=KEYS_TIMEOUT_S)
        async with session.get(url, timeout=timeout, allow_redirects=False) as answer:
            if answer.status != 200:
                raise CredentialsNotCheckable(f"{place} answered {answer.status}")
            async for part in answer.content.iter_any():
                content += part
                if len(content) > MAX_KEYS_BYTES:
                    break
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise CredentialsNotCheckable(f"{place} does not answer: {type(error).__name__}") from error
    return parsed_keys(bytes(content), place)


def parsed_keys(content: bytes, place: str) -> Sequence[SigningKey]:
    """The usable keys in PEM or JWKS content; raises CredentialsNotCheckable when there is none."""
    if len(content) > MAX_KEYS_BYTES:
        raise CredentialsNotCheckable(f"{place} has more than {MAX_KEYS_BYTES} bytes")
    keys = [_of_pem(content, place)] if content.lstrip().startswith(b"-----") else _of_jwks(content, place)
    if not keys:
        raise CredentialsNotCheckable(f"{place} has no public signing key (RSA, EC or OKP)")
    return keys


def _of_pem(content: bytes, place: str) -> SigningKey:
    if b"PRIVATE KEY" in content:
        raise CredentialsNotCheckable(f"{place} holds a private key: provide only the public one")
    try:
        if b"BEGIN CERTIFICATE" in content:
            key: Any = x509.load_pem_x509_certificate(content).public_key()
        else:
            key = load_pem_public_key(content)
    except ValueError as error:
        raise CredentialsNotCheckable(f"{place} holds no PEM public key or certificate") from error
    kind, flaw = _kind_of(key)
    if flaw:
        raise CredentialsNotCheckable(f"{place} holds {flaw}")
    return SigningKey(None, None, kind, key)


def _kind_of(key: Any) -> tuple[str, str]:
    """The kind of a public key; with it why it is not trusted, if so (NIST SP 800-57 for the sizes)."""
    if isinstance(key, rsa.RSAPublicKey):
        flaw = f"an RSA key of {key.key_size} bits: use {LEAST_RSA_BITS} or more"
        return "RSA", flaw if key.key_size < LEAST_RSA_BITS else ""
    if isinstance(key, ec.EllipticCurvePublicKey):
        flaw = f"a key on the curve {key.curve.name}: use P-256, P-384 or P-521"
        return "EC", "" if key.curve.name in _CURVES else flaw
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return "OKP", ""
    return "", "a key of another kind: use RSA, EC, Ed25519 or Ed448"


def _of_jwks(content: bytes, place: str) -> list[SigningKey]:
    try:
        entries = msgspec.json.decode(content)["keys"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError) as error:
        raise CredentialsNotCheckable(f"{place} is neither PEM nor a JWKS, an object with keys") from error
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise CredentialsNotCheckable(f"{place} must have a list of at most {MAX_KEYS} keys")
    flaws: list[str] = []
    keys = [key for entry in entries if (key := _of_jwk(entry, flaws)) is not None]
    if flaws:
        if not keys:
            raise CredentialsNotCheckable(f"{place} holds {flaws[0]}")
        _log.warning("signing_keys_refused", place=place, reasons=flaws)
    return keys


def _of_jwk(entry: Any, flaws: list[str]) -> SigningKey | None:
    """None for anything but a public signing key, above all for shared secrets and private keys.

    `flaws` takes why a signing key is not trusted.
    """
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP") or "d" in entry:
        return None
    if entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK.from_dict(entry).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    kind, flaw = _kind_of(key)
    if flaw:
        flaws.append(flaw)
        return None
    return SigningKey(entry.get("kid"), entry.get("alg"), kind, key)
