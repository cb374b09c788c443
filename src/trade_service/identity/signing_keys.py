"""Public keys that verify tokens: from a file, or from the JWKS of an identity provider."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import jwt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from trade_service.domain.access import CredentialsNotCheckable

MAX_BYTES = 1_000_000
MAX_KEYS = 100
TIMEOUT_S = 5.0


class SigningKey(NamedTuple):
    """A public key; None for attributes that its source does not state."""

    kid: str | None
    algorithm: str | None
    kind: str
    """RSA, EC or OKP."""
    key: Any

    def fits(self, kid: str | None, algorithm: str) -> bool:
        """Whether it may have signed a token with this key id and algorithm."""
        kinds = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
        named = self.kid is None or kid is None or self.kid == kid
        return named and self.algorithm in (None, algorithm) and kinds[algorithm[:2]] == self.kind


def keys_of_file(path: Path) -> Sequence[SigningKey]:
    """The keys in a PEM or JWKS file; raises CredentialsNotCheckable."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "not readable"
        raise CredentialsNotCheckable(f"auth.jwt_keys_file {path} cannot be read: {reason}") from error
    return parsed_keys(content, f"auth.jwt_keys_file {path}")


async def keys_at(session: aiohttp.ClientSession, url: str) -> Sequence[SigningKey]:
    """The keys of a JWKS URL; raises CredentialsNotCheckable."""
    place = "the address in auth.jwt_jwks_url"
    content = bytearray()
    try:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with session.get(url, timeout=timeout, allow_redirects=False) as answer:
            if answer.status != 200:
                raise CredentialsNotCheckable(f"{place} answered {answer.status}")
            async for part in answer.content.iter_any():
                content += part
                if len(content) > MAX_BYTES:
                    break
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise CredentialsNotCheckable(f"{place} does not answer: {type(error).__name__}") from error
    return parsed_keys(bytes(content), place)


def parsed_keys(content: bytes, place: str) -> Sequence[SigningKey]:
    """The usable keys in PEM or JWKS content; raises CredentialsNotCheckable when there is none."""
    if len(content) > MAX_BYTES:
        raise CredentialsNotCheckable(f"{place} has more than {MAX_BYTES} bytes")
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
    name = type(key).__name__
    return SigningKey(None, None, "RSA" if "RSA" in name else "OKP" if "Ed" in name else "EC", key)


def _of_jwks(content: bytes, place: str) -> list[SigningKey]:
    try:
        entries = msgspec.json.decode(content)["keys"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError) as error:
        raise CredentialsNotCheckable(f"{place} is neither PEM nor a JWKS, an object with keys") from error
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise CredentialsNotCheckable(f"{place} must have a list of at most {MAX_KEYS} keys")
    return [key for entry in entries if (key := _of_jwk(entry)) is not None]


def _of_jwk(entry: Any) -> SigningKey | None:
    """None for anything but a public signing key, above all for shared secrets and private keys."""
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP") or "d" in entry:
        return None
    if entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK.from_dict(entry).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return SigningKey(entry.get("kid"), entry.get("alg"), entry["kty"], key)
