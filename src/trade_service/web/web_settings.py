"""Settings of the HTTP API."""

import ipaddress
import re
from typing import Annotated, Literal

from trade_service.section import Section, Setting, is_loopback


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value != "*" and re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s?#@]+", value, re.IGNORECASE) is None:
            raise ValueError(
                'a list of origins such as https://portal.example or "*" for all, without a path'
            )
    return values


def _hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value != "*" and re.fullmatch(r"[^\s:/?#@\[\]*]+|[0-9a-fA-F:.]+", value) is None:
            raise ValueError('a list of host names or addresses without ports, or "*" for all')
    return values


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(value)) for value in values)
    except ValueError:
        raise ValueError("a list of addresses or networks such as 10.0.0.0/8") from None


_OWN_ADDRESSES = re.compile(r"/api(/v[0-9]+(/.*)?)?|/(actuator|console|metrics|schema)(/.*)?")


def _base_path(value: str) -> str:
    path = value.removesuffix("/")
    if re.fullmatch(r"(?:/(?!\.{1,2}(?:/|$))[\w.~-]+)*", path, re.ASCII) is None:
        raise ValueError(
            "a path such as /trade or /desk/trade, of letters, digits, hyphens, dots and underscores"
        )
    if _OWN_ADDRESSES.fullmatch(path):
        raise ValueError("a path that is no address of the service itself, such as /trade")
    return path


class ServerSettings(Section, frozen=True):
    """The HTTP server."""

    host: Annotated[str, Setting("Address to listen on; 0.0.0.0 for all.", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Setting("Port to listen on; 0 for any free one.", 0, 65535)] = 8082
    base_path: Annotated[
        str | None,
        Setting(
            "Path below which a proxy publishes the service, such as /trade. Requests are served with and "
            "without it.",
            check=_base_path,
            none="no path",
        ),
    ] = None
    workers: Annotated[
        int,
        Setting(
            "Number of worker processes, each a replica; auto: one per processor. They divide the settings "
            "marked below.",
            0,
            256,
            zero="auto",
        ),
    ] = 1
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
    max_body_bytes: Annotated[
        int, Setting("Largest request body accepted at any address.", 1_000, 1_000_000_000)
    ] = 10_000_000
    max_small_body_bytes: Annotated[
        int,
        Setting(
            "Largest request body about one order, execution or action. Addresses that take lists accept more, as "
            "docs/security.md says.",
            1_000,
            1_000_000,
        ),
    ] = 65_536
    max_body_memory_bytes: Annotated[
        int,
        Setting(
            "Most bytes of request bodies held at once, over all connections; past it requests get 503.",
            1_000,
            100_000_000_000,
            share=1000,
        ),
    ] = 128_000_000
    max_header_bytes: Annotated[int, Setting("Largest request head accepted.", 1_024, 1_048_576)] = 65_536
    request_timeout_s: Annotated[
        float, Setting("Time-out of a request; must exceed submission.wait_s.", 0.1, 3600)
    ] = 30.0
    shutdown_grace_s: Annotated[
        float, Setting("Maximum time a shutdown waits for work in flight.", 0, 3600)
    ] = 20.0
    max_concurrent_requests: Annotated[
        int,
        Setting(
            "Maximum number of concurrent requests; further ones get 503. One client may have half of them. "
            "Reading begins only below 70 % of it, writing below 80 %, operators below 90 %; fill reports always.",
            1,
            100_000,
            share=1,
        ),
    ] = 2000
    reads_per_client: Annotated[
        int, Setting("Reads of one client that are served at once; further ones wait.", 1, 100_000, share=1)
    ] = 64
    lists_at_once: Annotated[
        int, Setting("Lists that are read at once; further ones wait.", 1, 1_000, share=1)
    ] = 4
    lists_per_client: Annotated[
        int, Setting("Lists of one client that are read at once; further ones wait.", 1, 1_000, share=1)
    ] = 2
    max_event_streams: Annotated[
        int, Setting("Event streams open at once, shared out by client.", 1, 100_000, share=1)
    ] = 50
    event_stream_s: Annotated[
        float, Setting("How long an event stream lasts; its client then resumes it.", 1, 86_400)
    ] = 900.0
    max_exports: Annotated[
        int,
        Setting(
            "Exports of lists sent at once; one client may have half of them, further ones get 503.",
            1,
            1_000,
            share=1,
        ),
    ] = 4
    blotters_at_once: Annotated[
        int,
        Setting("Uploaded blotters that are read at once, each by a process of its own.", 1, 100, share=1),
    ] = 4
    export_s: Annotated[float, Setting("How long an export may take.", 1, 86_400)] = 3_600.0
    cors_allow_origins: Annotated[
        tuple[str, ...] | None,
        Setting(
            "Origins whose pages may call; * for all.",
            check=_origins,
            none="pages of this machine where nobody authenticates on a loopback address, else *",
        ),
    ] = None
    allowed_hosts: Annotated[
        tuple[str, ...] | None,
        Setting(
            "Hosts that requests may name, beside those of this machine; * for all. Probes are exempt.",
            check=_hosts,
            none="only names of this machine on a loopback address, else all",
        ),
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Setting(
            "Addresses or networks (CIDR) of proxies whose X-Forwarded-For is believed.", check=_networks
        ),
    ] = ()

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine reach the address."""
        return is_loopback(self.host)


class ApiSettings(Section, frozen=True):
    """The API."""

    unknown_parameters: Annotated[
        Literal["ignore", "refuse"],
        Setting(
            "Whether the lists of v2 ignore query parameters that they do not know, and name them in the header "
            "X-Ignored-Parameters, or answer 400 as all other addresses of v2 do."
        ),
    ] = "ignore"


class RateLimitSettings(Section, frozen=True):
    """Rate limit per client: by the owner of its key or token, else by its address.

    Probes are exempt, and so is what the Execution Service calls. One process serves fewer requests than the
    defaults allow one client.
    """

    requests_per_s: Annotated[
        float, Setting("Sustained requests per second per client; 0 for no limit.", 0, 1_000_000, share=1)
    ] = 5_000.0
    burst: Annotated[int, Setting("Requests a client may make at once.", 1, 1_000_000, share=1)] = 50_000
    max_clients: Annotated[
        int, Setting("Maximum number of clients tracked; further ones share a limit.", 1, 1_000_000)
    ] = 10_000
