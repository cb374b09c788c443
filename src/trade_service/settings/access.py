"""Settings of who may ask, how often, and what is measured of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from trade_service.settings import checks
from trade_service.settings.fields import Section, about

AuthMode = Literal["none", "api-key", "jwt"]
RoleName = Literal["anyone", "reader", "trader", "operator"]


class AuthSettings(Section, frozen=True, kw_only=True):
    """Authentication. Every route asks for a role: reader, trader or operator, each including the former."""

    mode: (
        Annotated[
            AuthMode,
            about(
                "none, api-key (see `trade-service keys`) or jwt.",
                none="none on a loopback address; else it has to be chosen",
            ),
        ]
        | None
    ) = None
    api_key_max_age_s: Annotated[
        float, about("How long a revoked key may still be let in: keys are read so often.", ge=0, le=300)
    ] = 5.0
    jwt_issuer: (
        Annotated[str, about("Who issues tokens (iss).", min_length=1, none="has to be set for jwt")] | None
    ) = None
    jwt_audience: (
        Annotated[str, about("Whom tokens are for (aud).", min_length=1, none="has to be set for jwt")] | None
    ) = None
    jwt_algorithms: Annotated[
        tuple[str, ...],
        about("How tokens may be signed: RS256, ES256, EdDSA and the like.", check=checks.algorithms),
    ] = ("RS256",)
    jwt_keys_file: (
        Annotated[
            str, about("File with the public keys: PEM or JWKS.", min_length=1, none="jwt_jwks_url is asked")
        ]
        | None
    ) = None
    jwt_jwks_url: (
        Annotated[
            str,
            about("Address of the public keys (JWKS).", none="jwt_keys_file is read", check=checks.http_url),
        ]
        | None
    ) = None
    jwt_keys_max_age_s: Annotated[
        float, about("How often the public keys are read anew.", ge=1, le=86_400)
    ] = 600.0
    jwt_keys_pause_s: Annotated[
        float, about("Shortest time between two readings, also for unknown keys.", ge=1, le=3600)
    ] = 30.0
    jwt_roles_claim: Annotated[
        str, about("Claim with the role, dotted where it is nested.", min_length=1)
    ] = "roles"
    jwt_leeway_s: Annotated[float, about("How far the issuer's clock may be off.", ge=0, le=300)] = 30.0

    @property
    def jwt_keys_path(self) -> Path | None:
        """`jwt_keys_file` as a path, a leading ~ replaced by the home directory."""
        return None if self.jwt_keys_file is None else Path(self.jwt_keys_file).expanduser()


class RateLimitSettings(Section, frozen=True, kw_only=True):
    """How often one client may ask: by its key or token, else by its address. Probes are not counted."""

    requests_per_s: Annotated[
        float, about("Requests a client may make in the long run; 0 for no limit.", ge=0, le=1_000_000)
    ] = 0.0
    burst: Annotated[int, about("Requests a client may make at once.", ge=1, le=1_000_000)] = 200
    max_clients: Annotated[
        int,
        about("Clients that are remembered; the one not seen for longest is forgotten.", ge=1, le=1_000_000),
    ] = 10_000


class MetricsSettings(Section, frozen=True, kw_only=True):
    """What is measured of requests and connections, and who may read all metrics."""

    enabled: Annotated[bool, about("Whether there are metrics at all.")] = True
    role: Annotated[RoleName, about("Who may read /metrics, /actuator/prometheus and /actuator/metrics.")] = (
        "anyone"
    )
