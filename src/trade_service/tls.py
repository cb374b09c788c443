"""TLS contexts from the PEM files that settings name. They are read once: renewed certificates need a restart."""

import ssl
from pathlib import Path
from typing import NamedTuple, NoReturn

_REASONS = {
    "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
    "NO_START_LINE": "it holds no certificate in PEM",
    "NO_CERTIFICATE_OR_CRL_FOUND": "it holds no certificate in PEM",
}


class TlsUnusable(Exception):
    """A certificate, a key or a list of authorities cannot be used; names its setting and the reason."""


class TlsFiles(NamedTuple):
    """PEM files, and the settings section that names them: they are its `tls_ca`, `tls_certificate`, `tls_key`."""

    section: str
    ca: str | None = None
    """Authorities that the other side's certificate must come from."""
    certificate: str | None = None
    """Our certificate, followed by those of its issuers."""
    key: str | None = None
    """Its private key; None: it is in the certificate's file."""


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """For serving HTTPS. With `ca`, a client must present a certificate. Raises TlsUnusable."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _present(context, files)
    if files.ca is not None:
        _trust(context, files, "tls_client_ca")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext | bool:
    """For calls over HTTPS; True, the default, where no file is named. Raises TlsUnusable.

    With `ca`, only those authorities are trusted, instead of the system's.
    """
    if files[1:] == (None, None, None):
        return True
    context = ssl.create_default_context() if files.ca is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if files.ca is not None:
        _trust(context, files, "tls_ca")
    if files.certificate is not None or files.key is not None:
        _present(context, files)
    return context


def _present(context: ssl.SSLContext, files: TlsFiles) -> None:
    if files.certificate is None:
        raise TlsUnusable(
            f"{files.section}.tls_certificate must be set with the other files of {files.section}.tls_*"
        )
    certificate = _readable(files, "tls_certificate", files.certificate)
    key = None if files.key is None else _readable(files, "tls_key", files.key)

    def no_password() -> NoReturn:
        place = f"{files.section}.{'tls_certificate' if key is None else 'tls_key'}"
        raise TlsUnusable(f"{place}: the private key is encrypted; provide it without a password")

    try:
        context.load_cert_chain(certificate, key, password=no_password)
    except (ssl.SSLError, ValueError) as error:
        both = f"{files.section}.tls_certificate {certificate}"
        if key is not None:
            both += f" with {files.section}.tls_key {key}"
        raise TlsUnusable(f"{both} cannot be used: {_reason(error)}") from error


def _trust(context: ssl.SSLContext, files: TlsFiles, setting: str) -> None:
    path = _readable(files, setting, files.ca or "")
    try:
        context.load_verify_locations(cafile=path)
    except (ssl.SSLError, ValueError) as error:
        raise TlsUnusable(f"{files.section}.{setting} {path} cannot be used: {_reason(error)}") from error


def _readable(files: TlsFiles, setting: str, name: str) -> Path:
    path = Path(name).expanduser()
    try:
        path.open("rb").close()
    except OSError as error:
        raise TlsUnusable(
            f"{files.section}.{setting} {path} cannot be read: {error.strerror or error}"
        ) from error
    return path


def _reason(error: Exception) -> str:
    known = getattr(error, "reason", None) or ""
    return _REASONS.get(known, f"it holds no usable PEM ({known or error})")
