"""Mutual TLS with a real PostgreSQL that was built with it, where the system has one: the embedded one was not."""

import getpass
import shutil
import subprocess
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from tempfile import gettempdir
from urllib.parse import urlencode

import pytest

from tests.client.raw_server import closed_port
from tests.support.certificates import Certificates, made_certificates
from trade_service.store.database import Database
from trade_service.store.statements import Statement
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
AS_OWNER = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
SESSION = Statement.parsed("SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()")

pytestmark = pytest.mark.skipif(
    not PROGRAMS, reason="needs Debian's package postgresql: the embedded PostgreSQL is built without TLS"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Certificates]]:
    """The URL, without parameters, of a server that demands certificates."""
    folder, port = tmp_path_factory.mktemp("tls"), closed_port()
    certificates = made_certificates(folder)
    data = folder / "data"
    if AS_OWNER:
        for parent in takewhile(lambda path: path != Path(gettempdir()), [folder, *folder.parents]):
            parent.chmod(0o755)
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres")

    def run(*command: object) -> None:
        subprocess.run([*AS_OWNER, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd=folder)

    run(PROGRAMS[-1].with_name("initdb"), "-D", data, "-A", "trust", "-U", "trade")
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(
            f"ssl = on\nssl_cert_file = '{certificates.server}'\nssl_key_file = '{certificates.server_key}'\n"
            f"ssl_ca_file = '{certificates.ca}'\nlisten_addresses = '127.0.0.1'\nport = {port}\n"
            f"unix_socket_directories = ''\nfsync = off\n"
        )
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n", "utf-8")
    run(PROGRAMS[-1], "-D", data, "-l", folder / "log", "-w", "start")
    try:
        yield f"postgresql://trade@127.0.0.1:{port}/postgres", certificates
    finally:
        run(PROGRAMS[-1], "-D", data, "-m", "immediate", "-w", "stop")


async def session(url: str, **parameters: str) -> tuple[bool, str]:
    """What the server says of the connection: whether it is encrypted, and whose certificate it has seen."""
    async with Database(StoreSettings(f"{url}?{urlencode(parameters)}", connect_timeout_s=5)) as database:
        ((is_encrypted, name),) = await database.fetch(SESSION)
        return is_encrypted, name


async def test_the_parameters_of_libpq(server: tuple[str, Certificates]) -> None:
    url, certificates = server
    ours = {"sslcert": certificates.client, "sslkey": certificates.client_key}
    seen = (True, "/CN=trade-service.example")
    for mode in ("verify-full", "verify-ca"):
        assert await session(url, sslmode=mode, sslrootcert=certificates.ca, **ours) == seen
    assert await session(url, sslmode="require", **ours) == seen
    for refused in (
        {"sslmode": "verify-full", "sslrootcert": certificates.other_ca, **ours},
        {"sslmode": "verify-full", "sslrootcert": certificates.ca},
        {"sslmode": "disable", **ours},
    ):
        with pytest.raises(StoreUnavailable):
            await session(url, **refused)
