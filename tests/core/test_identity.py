"""Credentials: accepted and refused ones, and how often their source is read."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from trade_service.domain.access import (
    ApiKey,
    CredentialsNotCheckable,
    KnownBy,
    NotAuthenticated,
    Principal,
    Role,
)
from trade_service.identity.api_keys import ApiKeys, make_key
from trade_service.identity.auth_settings import AuthSettings
from trade_service.identity.tokens import SigningKey, Tokens, keys_of_file, parsed_keys

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
PEM = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ISSUER, AUDIENCE = "https://id.example", "trade"
SETTINGS = AuthSettings(jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_algorithms=("RS256", "ES256"))


def jwk(key: Any, kid: str | None, **more: object) -> dict[str, object]:
    kind = ECAlgorithm if isinstance(key, ec.EllipticCurvePublicKey) else RSAAlgorithm
    made = kind.to_jwk(key, as_dict=True)
    return {**made, **({} if kid is None else {"kid": kid}), **more}


def jwks(*entries: Mapping[str, object]) -> bytes:
    return json.dumps({"keys": entries}).encode()


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    sound = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": now + 60, "roles": ["trader"]}
    return {name: value for name, value in {**sound, **changes}.items() if value is not None}


def signed(key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "a", **changes: object) -> str:
    return jwt.encode(claims(**changes), key, algorithm, headers=None if kid is None else {"kid": kid})


def tokens(
    content: bytes = jwks(jwk(RSA_KEY.public_key(), "a")), settings: AuthSettings = SETTINGS
) -> Tokens:
    async def load() -> Sequence[SigningKey]:
        return parsed_keys(content, "the keys")

    return Tokens(settings, load)


# --- tokens ---


async def test_a_valid_token_is_accepted() -> None:
    exp = time.time() + 60
    ann = Principal("ann", Role.TRADER, KnownBy.TOKEN, exp)
    assert await tokens().principal(signed(exp=exp)) == ann
    assert await tokens(PEM).principal(signed(kid="whatever", exp=exp)) == ann
    both = jwks(jwk(EC_KEY.public_key(), "e", alg="ES256"), jwk(RSA_KEY.public_key(), "a"))
    assert (await tokens(both).principal(signed(EC_KEY, "ES256", "e"))).name == "ann"
    assert (await tokens(both).principal(signed(kid=None))).name == "ann"


@pytest.mark.parametrize(
    ("claim", "role"),
    [
        (["reader"], Role.READER),
        (["reader", "operator", "somebody", 7], Role.OPERATOR),
        ("reader trader", Role.TRADER),
        ([], Role.ANYONE),
        (None, Role.ANYONE),
        ({"trader": True}, Role.ANYONE),
    ],
)
async def test_the_highest_role_counts(claim: object, role: Role) -> None:
    assert (await tokens().principal(signed(roles=claim))).role is role


async def test_roles_may_be_nested() -> None:
    nested = msgspec.structs.replace(SETTINGS, jwt_roles_claim="realm_access.roles")
    checked = tokens(settings=nested)
    assert (await checked.principal(signed(realm_access={"roles": ["operator"]}))).role is Role.OPERATOR
    assert (await checked.principal(signed(realm_access="operator"))).role is Role.ANYONE


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (lambda: signed(exp=int(time.time()) - 31), "it has expired"),
        (lambda: signed(nbf=int(time.time()) + 60), "it is not valid yet"),
        (lambda: signed(exp=None), "it lacks one of exp, iss, aud, sub"),
        (lambda: signed(sub=None), "it lacks one of exp, iss, aud, sub"),
        (lambda: signed(aud=None), "it lacks one of exp, iss, aud, sub"),
        (lambda: signed(sub=""), r"its subject \(sub\) is empty"),
        (lambda: signed(sub=" \t"), r"its subject \(sub\) is empty"),
        (lambda: signed(sub="a" * 256), r"its subject \(sub\) has more than 255 characters"),
        (lambda: signed(sub="ann\x00"), r"its subject \(sub\) has control characters"),
        (lambda: signed(aud="other"), "it is for another audience"),
        (lambda: signed(iss="https://other.example"), "it is from another issuer"),
        (lambda: signed(OTHER_RSA_KEY), "its signature is wrong"),
        (lambda: signed()[:-6] + "AAAAAA", "its signature is wrong"),
        (lambda: signed(kid="b"), "an unknown key"),
        (lambda: signed(algorithm="RS384"), "signature algorithm is not accepted; use one of: RS256, ES256"),
        (lambda: signed(algorithm="PS256"), "signature algorithm is not accepted"),
        (lambda: jwt.encode(claims(), "", "none"), "signature algorithm is not accepted"),
        (
            lambda: jwt.encode(claims(), "a secret of many bytes, 32 of them", "HS256"),
            "signature algorithm is not accepted",
        ),
        (lambda: "x" * 20_000, "longer than 16384 characters"),
        (lambda: "a.b.c", "the credential is not a token"),
        (lambda: None, "a token is needed"),
    ],
)
async def test_anything_else_is_refused(token: Any, reason: str) -> None:
    text = token()
    with pytest.raises(NotAuthenticated, match=reason) as raised:
        await tokens().principal(text)
    assert text is None or text not in str(raised.value)


async def test_a_public_key_is_no_shared_secret() -> None:
    """The classic confusion: HS256 with the public PEM as the key. No setting can allow it."""
    forged = _forged_with(PEM)
    with pytest.raises(NotAuthenticated):
        await tokens(PEM).principal(forged)


@pytest.mark.parametrize("missing", ["jwt_issuer", "jwt_audience"])
def test_tokens_need_an_issuer_and_an_audience(missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        tokens(settings=msgspec.structs.replace(SETTINGS, **{missing: None}))


def _forged_with(secret: bytes) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    body = ".".join(part(json.dumps(one).encode()) for one in ({"alg": "HS256"}, claims()))
    return f"{body}.{part(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"


async def test_a_token_that_names_no_key_must_not_be_guessed() -> None:
    two = jwks(jwk(RSA_KEY.public_key(), "a"), jwk(OTHER_RSA_KEY.public_key(), "b"))
    with pytest.raises(NotAuthenticated, match="several keys fit"):
        await tokens(two).principal(signed(kid=None))


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
def test_nonsense_is_refused(text: str) -> None:
    for checker in (tokens(), ApiKeys(Keys().active, 5)):
        with pytest.raises(NotAuthenticated):
            asyncio.run(checker.principal(text))


# --- the keys that sign ---


def test_only_public_keys_for_signatures_are_taken() -> None:
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}
    for_encryption = jwk(RSA_KEY.public_key(), "enc", use="enc")
    broken = {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}
    kept = jwk(RSA_KEY.public_key(), "a")
    found = parsed_keys(jwks(secret, for_encryption, broken, kept), "x")
    assert [key.kid for key in found] == ["a"]
    with pytest.raises(CredentialsNotCheckable, match="no public signing key"):
        parsed_keys(jwks(secret), "x")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "neither PEM nor a JWKS"),
        (b"[]", "neither PEM nor a JWKS"),
        (b'{"keys": 1}', "must have a list of at most 100 keys"),
        (json.dumps({"keys": [{}] * 101}).encode(), "must have a list of at most 100 keys"),
        (b"-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----\n", "holds no PEM public key"),
        (RSA_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "holds a private key"),
        (b" " * 1_000_001, "more than 1000000 bytes"),
    ],
)
def test_content_without_keys_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(CredentialsNotCheckable, match=reason):
        parsed_keys(content, "the file")


WEAK_KEYS = [
    (
        rsa.generate_private_key(public_exponent=65537, key_size=1024),
        "an RSA key of 1024 bits: use 2048 or more",
    ),
    (ec.generate_private_key(ec.SECP256K1()), "a key on the curve secp256k1: use P-256, P-384 or P-521"),
]


@pytest.mark.parametrize(("key", "flaw"), WEAK_KEYS, ids=["RSA-1024", "secp256k1"])
def test_weak_keys_are_refused(key: Any, flaw: str) -> None:
    public = key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for content in (pem, jwks(jwk(public, "weak"))):
        with pytest.raises(CredentialsNotCheckable, match=f"^auth.jwt_keys_file keys holds {flaw}"):
            parsed_keys(content, "auth.jwt_keys_file keys")
    found = parsed_keys(jwks(jwk(public, "weak"), jwk(RSA_KEY.public_key(), "a")), "x")
    assert [key.kid for key in found] == ["a"], "a weak key beside others is left out"


def test_keys_for_other_purposes_are_refused() -> None:
    pem = x25519.X25519PrivateKey.generate().public_key()
    content = pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(CredentialsNotCheckable, match="a key of another kind"):
        parsed_keys(content, "x")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialsNotCheckable, match=r"jwt_keys_file .* cannot be read: No such file"):
        keys_of_file(tmp_path / "keys.pem")
    (tmp_path / "keys.pem").write_bytes(PEM)
    assert len(keys_of_file(tmp_path / "keys.pem")) == 1


# --- API keys ---


class Keys:
    """A table of keys."""

    def __init__(self, *keys: ApiKey) -> None:
        self.keys = list(keys)
        self.reads = 0

    async def active(self) -> list[ApiKey]:
        self.reads += 1
        return list(self.keys)


async def test_a_key_is_known_by_its_digest_alone() -> None:
    new, other = make_key("portal", Role.TRADER), make_key("other", Role.READER)
    secret = new.text.split("_", 2)[2]
    assert secret.encode() not in new.key.digest
    assert secret not in repr(new)
    checker = ApiKeys(Keys(new.key, other.key).active, 5)
    assert await checker.principal(new.text) == Principal("portal", Role.TRADER, KnownBy.API_KEY)
    mixed = f"ts_{new.key.id}_{other.text[-43:]}"
    for wrong in (
        mixed,
        new.text[:-1],
        f"{new.text}x",
        new.text.upper(),
        make_key("x", Role.READER).text,
        "",
    ):
        with pytest.raises(NotAuthenticated):
            await checker.principal(wrong)
    with pytest.raises(NotAuthenticated, match="an API key is needed"):
        await checker.principal(None)


async def test_unknown_keys_do_not_become_reads() -> None:
    keys = Keys()
    checker = ApiKeys(keys.active, 5)
    for _ in range(50):
        with pytest.raises(NotAuthenticated):
            await checker.principal(make_key("x", Role.READER).text)
    assert keys.reads <= 2
