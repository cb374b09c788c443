"""Tokens with public keys at a URL, over real sockets: the issuer may be unavailable, and changes its keys."""

from collections.abc import AsyncIterator

import pytest

from tests.client.raw_server import Conversation, raw_server
from tests.core.test_identity import AUDIENCE, ISSUER, OTHER_RSA_KEY, RSA_KEY, jwk, jwks, signed
from tests.support.database import TestServer
from tests.web.live import ORDERS, Live, live_alone, order_body
from trade_service.identity.auth_settings import AuthSettings

SECRET = "s3cr3t"


class Issuer:
    """Serves its public keys."""

    def __init__(self) -> None:
        self.status = 503
        self.keys = jwks(jwk(RSA_KEY.public_key(), "a"))
        self.asked = 0

    async def converse(self, talk: Conversation) -> None:
        while True:
            head = await talk.reader.readuntil(b"\r\n\r\n")
            assert SECRET.encode() in head, "the address is asked as it was given"
            self.asked += 1
            await talk.answer(self.status, self.keys)


@pytest.fixture
async def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def live(postgres: TestServer, template_database: str, issuer: Issuer) -> AsyncIterator[Live]:
    async with raw_server(issuer.converse) as server:
        auth = AuthSettings(
            mode="jwt",
            jwt_issuer=ISSUER,
            jwt_audience=AUDIENCE,
            jwt_jwks_url=f"{server.base_url}/keys?token={SECRET}",
            jwt_keys_pause_s=1.0,
        )
        async with live_alone(postgres, template_database, auth=auth) as service:
            yield service


async def test_keys_at_an_address_let_in_whom_they_signed(live: Live, issuer: Issuer) -> None:
    async def create(token: str | None) -> tuple[int, bytes]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = await live.client.post(ORDERS, order_body(), headers=headers)
        return answer.status, answer.raw

    status, away = await create(signed())
    assert (status, b"CREDENTIALS_NOT_CHECKABLE" in away) == (503, True)
    assert (await live.client.get("/actuator/health/readiness")).status == 200
    issuer.status = 200
    while (answered := await create(signed()))[0] == 503:
        pass  # Asked again after a pause, however many callers arrive.
    assert answered[0] == 201
    seen = issuer.asked
    refused = [
        await create(None),
        await create(signed(roles=["reader"])),
        await create(signed(exp=1)),
        await create(signed(aud="another")),
        await create(signed(OTHER_RSA_KEY)),
    ]
    assert [status for status, _ in refused] == [401, 403, 401, 401, 401]
    assert issuer.asked == seen
    issuer.keys = jwks(jwk(OTHER_RSA_KEY.public_key(), "b"))
    while (changed := await create(signed(OTHER_RSA_KEY, kid="b")))[0] == 401:
        pass
    assert changed[0] == 201
    shown = b"".join(raw for _, raw in [*refused, (0, away)])
    assert SECRET.encode() not in shown
    assert signed()[-20:].encode() not in shown
