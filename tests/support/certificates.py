"""Certificates of an authority that exists only in the tests."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from trade_service.tls import TlsFiles, server_context

DAY = timedelta(days=1)


class Certificates(msgspec.Struct, frozen=True):
    """Paths of PEM files: the authority, a server on this machine and a client of its, and a stranger's client."""

    ca: str
    server: str
    server_key: str
    elsewhere: str
    """Of the same key, for another host."""
    client: str
    client_key: str
    locked_key: str
    """The client's key, encrypted."""
    other_ca: str

    def context(self, *, mutual: bool = False, elsewhere: bool = False) -> ssl.SSLContext:
        """For a server of the tests; with `elsewhere` it shows the other host's certificate."""
        ca = self.ca if mutual else None
        certificate = self.elsewhere if elsewhere else self.server
        return server_context(TlsFiles("server", ca, certificate, self.server_key))


def made_certificates(folder: Path) -> Certificates:
    """New ones, valid for a day."""
    authority, other = _Authority("Tests"), _Authority("Others")
    server_key, client_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    texts = {
        "ca": authority.certificate,
        "server": authority.issue("localhost", server_key),
        "elsewhere": authority.issue("elsewhere.example", server_key),
        "server_key": _key(server_key, NoEncryption()),
        "client": authority.issue("trade-service.example", client_key),
        "client_key": _key(client_key, NoEncryption()),
        "locked_key": _key(client_key, BestAvailableEncryption(b"a password")),
        "other_ca": other.certificate,
    }
    paths = {name: folder / f"{name}.pem" for name in texts}
    for name, text in texts.items():
        paths[name].write_bytes(text)
        paths[name].chmod(0o600)  # libpq's rule for keys
    return Certificates(**{name: str(path) for name, path in paths.items()})


def _key(key: ec.EllipticCurvePrivateKey, lock: KeySerializationEncryption) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


class _Authority:
    def __init__(self, name: str) -> None:
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(self._name, self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = self._signed(builder)

    def issue(self, name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
        """A certificate for that host; `localhost` has this machine's address too."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        hosts: list[x509.GeneralName] = [x509.DNSName(name)]
        if name == "localhost":
            hosts.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        builder = _builder(subject, self._name, key.public_key())
        return self._signed(builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False))

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )
