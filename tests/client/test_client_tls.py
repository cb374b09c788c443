"""TLS of our clients: which certificates they accept, and which one they present."""

import ssl
from pathlib import Path

import pytest

from tests.client.raw_server import FOREVER, answering, batch, client, raw_server
from tests.support.certificates import Certificates, made_certificates
from trade_service.execution_service.reply_interpretation import ClientCode
from trade_service.reference_services.client import ReferenceServicesClient
from trade_service.submission.clock import SystemClock
from trade_service.submission.model import ReplyKind
from trade_service.tls import TlsFiles, TlsUnusable, client_context, server_context
from trade_service.trading.listing.display_names import NameKind, NamesUnavailable
from trade_service.trading.trading_settings import NamesSettings

CREATED = answering(201, b'{"status":"SUCCESS","results":[]}')
PORTFOLIO = answering(200, b'{"portfolioId":"P1","name":"Growth"}')


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return made_certificates(tmp_path_factory.mktemp("certificates"))


async def replied(base_url: str, **changes: str) -> tuple[ReplyKind, str, str]:
    """The kind, code and message of the reply to a batch."""
    async with client(base_url, **changes) as gateway:
        reply = await gateway.submit_batch(batch(), "01890000-0000-7000-8000-000000000001", FOREVER)
    return reply.kind, reply.code, reply.message


async def test_mutual_tls_with_the_execution_service(certificates: Certificates) -> None:
    ours = {
        "tls_ca": certificates.ca,
        "tls_certificate": certificates.client,
        "tls_key": certificates.client_key,
    }
    async with raw_server(CREATED, certificates.context(mutual=True)) as server:
        assert (await replied(server.base_url, **ours))[0] is ReplyKind.ANSWERED
        del ours["tls_certificate"], ours["tls_key"]
        kind, *_ = await replied(server.base_url, **ours)
        assert kind is not ReplyKind.ANSWERED, "without a certificate"
    assert server.connections == 1


@pytest.mark.parametrize("trusted", ["other_ca", None], ids=["another authority", "the system's authorities"])
async def test_a_foreign_certificate_is_refused_before_anything_is_sent(
    certificates: Certificates, trusted: str | None
) -> None:
    changes = {} if trusted is None else {"tls_ca": str(getattr(certificates, trusted))}
    async with raw_server(CREATED, certificates.context()) as server:
        kind, code, message = await replied(server.base_url, **changes)
    assert (kind, code) == (ReplyKind.NOT_SENT, ClientCode.TLS)
    assert "unable to get local issuer certificate" in message
    assert "127.0.0.1" not in message
    assert not server.requests


async def test_a_certificate_of_another_host_is_refused(certificates: Certificates) -> None:
    async with raw_server(CREATED, certificates.context(elsewhere=True)) as server:
        kind, code, message = await replied(server.base_url, tls_ca=certificates.ca)
    assert (kind, code) == (ReplyKind.NOT_SENT, ClientCode.TLS)
    assert "mismatch" in message
    assert not server.requests


async def test_mutual_tls_with_the_name_services(certificates: Certificates) -> None:
    async with raw_server(PORTFOLIO, certificates.context(mutual=True)) as server:

        async def name_of(**files: str) -> str | None:
            settings = NamesSettings(timeout_ms=5_000, **files)  # type: ignore[arg-type]
            url = server.base_url
            async with ReferenceServicesClient(url, url, settings, SystemClock()) as names:
                return await names.name_of(NameKind.PORTFOLIO, "P1")

        found = await name_of(
            tls_ca=certificates.ca, tls_certificate=certificates.client, tls_key=certificates.client_key
        )
        assert found == "Growth"
        for files in ({}, {"tls_ca": certificates.ca}):
            with pytest.raises(NamesUnavailable):
                await name_of(**files)


def test_unusable_files_are_named(certificates: Certificates, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    cases = {
        (
            "ca",
            str(tmp_path / "none.pem"),
        ): r"^execution_service\.tls_ca .*none\.pem cannot be read: No such file",
        ("ca", str(empty)): r"^execution_service\.tls_ca .*empty\.pem cannot be used: it holds no",
        ("certificate", str(empty)): r"^execution_service\.tls_certificate .*empty\.pem cannot be used",
        ("certificate", certificates.client): r"tls_certificate .*client\.pem cannot be used: it holds no",
        (
            "key",
            certificates.server_key,
        ): r"tls_key .*server_key\.pem cannot be used: the key does not belong",
        ("key", certificates.locked_key): r"^execution_service\.tls_key: the private key is encrypted",
        ("key", certificates.client_key): "",
    }
    for (name, path), message in cases.items():
        files = TlsFiles("execution_service", certificate=None)._replace(**{name: path})
        if name == "key":
            files = files._replace(certificate=certificates.client)
        if message:
            with pytest.raises(TlsUnusable, match=message):
                client_context(files)
        else:
            assert isinstance(client_context(files), ssl.SSLContext)
    with pytest.raises(TlsUnusable, match=r"server\.tls_client_ca .*empty\.pem"):
        server_context(TlsFiles("server", str(empty), certificates.server, certificates.server_key))
