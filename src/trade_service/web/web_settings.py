"""Settings of the HTTP API."""

import re
from typing import Annotated

from trade_service.section import Section, Setting, is_loopback


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value != "*" and re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s?#@]+", value, re.IGNORECASE) is None:
            raise ValueError(
                'a list of origins such as https://portal.example or "*" for all, without a path'
            )
    return values


class ServerSettings(Section, frozen=True):
    """The HTTP server."""

    host: Annotated[str, Setting("Address to listen on; 0.0.0.0 for all.", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Setting("Port to listen on; 0 for any free one.", 0, 65535)] = 8082
    tls_certificate: Annotated[
        str | None,
        Setting(
            "PEM file of the server's certificate, then those of its issuers. With it, only HTTPS is served.",
            min_length=1,
            none="HTTP is served",
        ),
    ] = None
    tls_key: Annotated[
        str | None,
        Setting("PEM file of its private key.", min_length=1, none="it is in the certificate's file"),
    ] = None
    tls_client_ca: Annotated[
        str | None,
        Setting(
            "PEM file of authorities: every client, probes included, must present a certificate from them.",
            min_length=1,
            none="clients need no certificate",
        ),
    ] = None
    max_body_bytes: Annotated[int, Setting("Largest request body accepted.", 1_000, 1_000_000_000)] = (
        10_000_000
    )
    max_header_bytes: Annotated[int, Setting("Largest request head accepted.", 1_024, 1_048_576)] = 65_536
    request_timeout_s: Annotated[
        float, Setting("Time-out of a request; must exceed submission.wait_s.", 0.1, 3600)
    ] = 30.0
    shutdown_grace_s: Annotated[
        float, Setting("Maximum time a shutdown waits for work in flight.", 0, 3600)
    ] = 20.0
    max_concurrent_requests: Annotated[
        int, Setting("Maximum number of concurrent requests; further ones get 503.", 1, 100_000)
    ] = 2000
    cors_allow_origins: Annotated[
        tuple[str, ...] | None,
        Setting(
            "Origins whose pages may call; * for all.",
            check=_origins,
            none="* when auth.mode is set, else pages of this machine",
        ),
    ] = None

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine reach the address."""
        return is_loopback(self.host)


class RateLimitSettings(Section, frozen=True):
    """Rate limit per client: by its key or token, else by its address. Probes are exempt."""

    requests_per_s: Annotated[
        float, Setting("Sustained requests per second per client; 0 for no limit.", 0, 1_000_000)
    ] = 0.0
    burst: Annotated[int, Setting("Requests a client may make at once.", 1, 1_000_000)] = 200
    max_clients: Annotated[
        int, Setting("Maximum number of clients tracked; the least recently seen is dropped.", 1, 1_000_000)
    ] = 10_000
