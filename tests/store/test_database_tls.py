"""TLS to PostgreSQL: the parameters of the URL mean what libpq says.

The embedded PostgreSQL is built without TLS, so a proxy that ends TLS stands before it. What is tested is our
side: the driver asks for TLS, checks the certificate and presents one.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

import pytest

from tests.client.raw_server import closed_port
from tests.support.certificates import Certificates, made_certificates
from tests.support.postgres_proxy import PostgresProxy, proxied
from trade_service.settings.database_url import parse_database_url
from trade_service.settings.load import load_settings
from trade_service.settings.sources import SettingsError
from trade_service.store.database import Database
from trade_service.store.statements import Statement
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable

ONE = Statement.parsed("SELECT 1")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return made_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=[False, True], ids=["TLS", "mutual TLS"])
async def server(
    request: pytest.FixtureRequest, database_url: str, certificates: Certificates
) -> AsyncIterator[tuple[str, bool]]:
    """The URL, without parameters, of a database that demands TLS, and whether it demands a certificate too."""
    async with proxied(database_url, PostgresProxy(certificates.context(mutual=request.param))) as (url, _):
        yield url.partition("?")[0], request.param


async def connects(url: str, **parameters: str) -> bool:
    """Whether a statement can be run there."""
    canonical = parse_database_url(f"{url}?{urlencode(parameters)}")[0].text()
    async with Database(StoreSettings(canonical, connect_timeout_s=5)) as database:
        try:
            return len(await database.fetch(ONE)) == 1
        except StoreUnavailable:
            return False


async def test_modes_and_certificates(server: tuple[str, bool], certificates: Certificates) -> None:
    url, is_mutual = server
    ours = {"sslcert": certificates.client, "sslkey": certificates.client_key}
    known = {"sslrootcert": certificates.ca}
    foreign = {"sslrootcert": certificates.other_ca}
    assert await connects(url, sslmode="verify-full", **known, **ours)
    assert await connects(url, sslmode="verify-ca", **known, **ours)
    assert await connects(url, sslmode="require", **ours)
    assert await connects(url, sslmode="verify-full", **known) is not is_mutual
    assert not await connects(url, sslmode="verify-full", **foreign, **ours)
    assert not await connects(url, sslmode="verify-ca", **foreign, **ours)
    assert not await connects(url, sslmode="disable", **ours)


async def test_only_verify_full_checks_the_host(database_url: str, certificates: Certificates) -> None:
    known = {"sslrootcert": certificates.ca}
    async with proxied(database_url, PostgresProxy(certificates.context(elsewhere=True))) as (url, _):
        url = url.partition("?")[0]
        assert await connects(url, sslmode="verify-ca", **known)
        assert not await connects(url, sslmode="verify-full", **known)


@pytest.mark.parametrize("parameter", ["sslrootcert", "sslcert", "sslkey"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, parameter: str) -> None:
    url = f"postgresql://host/trade?{urlencode({'sslmode': 'verify-full', parameter: tmp_path / 'none.pem'})}"
    with pytest.raises(
        SettingsError, match=rf"^DATABASE_URL: its {parameter} .*none\.pem cannot be read: No such"
    ):
        load_settings({"DATABASE_URL": url})


async def test_callers_do_not_read_the_driver_s_words(certificates: Certificates, database_url: str) -> None:
    """They quote addresses, users and the lines of pg_hba.conf."""
    missing = urlunsplit(urlsplit(database_url)._replace(path="/no_such_database"))
    async with proxied(database_url, PostgresProxy(certificates.context())) as (url, _):
        foreign = {"sslmode": "verify-full", "sslrootcert": certificates.other_ca}
        urls = {
            f"{url.partition('?')[0]}?{urlencode(foreign)}": "the database refused the connection",
            f"postgresql://trade@127.0.0.1:{closed_port()}/trade": "the database does not answer",
            missing: "the database does not answer or could not do it",
        }
        for one, public in urls.items():
            async with Database(StoreSettings(one, connect_timeout_s=5)) as database:
                with pytest.raises(StoreUnavailable) as caught:
                    await database.fetch(ONE)
            assert caught.value.public == public
            assert len(str(caught.value)) > len(public), "the log has them"
