"""The addresses of clients behind proxies, and the clients of rate limits."""

import pytest

from trade_service.web.hosts import TrustedProxies, network_of
from trade_service.web.web_settings import ServerSettings

PROXIES = TrustedProxies(("10.0.0.0/8", "2001:db8::/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.1.1.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.1.1.1", ["spoofed, 198.51.100.1, 203.0.113.7, 10.2.2.2"], "203.0.113.7"),
        ("10.1.1.1", ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", ["unknown"], "10.1.1.1"),
        ("10.1.1.1", ["198.51.100.1, unknown, 10.2.2.2"], "10.2.2.2"),
        ("10.1.1.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("::ffff:10.1.1.1", ["[2001:db9::7]:443"], "2001:db9::7"),
        ("2001:db8::1", ["2001:DB9:0::7"], "2001:db9::7"),
        ("", ["203.0.113.7"], ""),
        ("10.1.1.1", ["198.51.100.1," + "10.2.2.2," * 5000 + "10.3.3.3"], "10.2.2.2"),
    ],
)
def test_the_client_is_the_nearest_address_that_is_no_trusted_proxy(
    peer: str, forwarded: list[str], client: str
) -> None:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    assert PROXIES.client_of(peer, [(b"host", b"x"), *headers]) == client


def test_no_proxy_is_trusted_by_default() -> None:
    assert ServerSettings().trusted_proxies == ()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a:b", "a:b"),
    ],
)
def test_an_ipv6_client_is_its_network(address: str, network: str) -> None:
    assert network_of(address) == network
