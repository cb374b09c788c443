"""Settings of authentication."""

from typing import Annotated, Literal

from trade_service.section import Section, Setting, http_url

AuthMode = Literal["none", "api-key", "jwt"]

_SIGNATURES = frozenset(
    {f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)} | {"EdDSA"}
)
"""Signatures by a private key that only the issuer has; shared secrets are not accepted."""


def _algorithms(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values or not set(values) <= _SIGNATURES:
        raise ValueError(f"a list of {', '.join(sorted(_SIGNATURES))}")
    return values


class AuthSettings(Section, frozen=True):
    """Authentication. Every route requires a role: reader, trader or operator, each including the former."""

    mode: Annotated[
        AuthMode | None,
        Setting(
            "none, api-key (see `trade-service keys`) or jwt.",
            none="none on a loopback address; required elsewhere",
        ),
    ] = None
    api_key_max_age_s: Annotated[
        float,
        Setting(
            "Maximum time a revoked or expired key is still accepted: the cache lifetime of keys.", 0, 300
        ),
    ] = 5.0
    jwt_issuer: Annotated[
        str | None, Setting("Issuer of tokens (iss).", min_length=1, none="required for jwt")
    ] = None
    jwt_audience: Annotated[
        str | None, Setting("Audience of tokens (aud).", min_length=1, none="required for jwt")
    ] = None
    jwt_algorithms: Annotated[
        tuple[str, ...],
        Setting("Accepted signatures: RS256, ES256, EdDSA and the like.", check=_algorithms),
    ] = ("RS256",)
    jwt_keys_file: Annotated[
        str | None,
        Setting("File with the public keys: PEM or JWKS.", min_length=1, none="jwt_jwks_url is used"),
    ] = None
    jwt_jwks_url: Annotated[
        str | None,
        Setting(
            "Address of the public keys (JWKS).",
            check=http_url,
            none="jwt_keys_file is used",
            may_hold_secret=True,
        ),
    ] = None
    jwt_keys_max_age_s: Annotated[
        float, Setting("Interval at which the public keys are refreshed.", 1, 86_400)
    ] = 600.0
    jwt_keys_pause_s: Annotated[
        float, Setting("Minimum time between two refreshes, also for unknown key ids.", 1, 3600)
    ] = 30.0
    jwt_roles_claim: Annotated[
        str, Setting("Claim that holds the role; dotted where nested.", min_length=1)
    ] = "roles"
    jwt_leeway_s: Annotated[float, Setting("Tolerated difference from the issuer's clock.", 0, 300)] = 30.0
