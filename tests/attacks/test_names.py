"""Callers who hide or share a name: empty and over-long subjects, and a name that only the body gives."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.core.test_identity import AUDIENCE, ISSUER, PEM, signed
from tests.support.database import TestServer
from tests.support.trading import value_of
from tests.web.live import ORDERS, Live, live_alone, order_body
from tests.web.support import Answer
from trade_service.identity.auth_settings import AuthSettings

LONG = "a" * 254


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("keys") / "keys.pem"
    path.write_bytes(PEM)
    return path


@pytest.fixture(scope="module")
async def live(postgres: TestServer, template_database: str, keys: Path) -> AsyncIterator[Live]:
    auth = AuthSettings(mode="jwt", jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_keys_file=str(keys))
    async with live_alone(postgres, template_database, auth=auth) as service:
        yield service


def as_subject(subject: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {signed(sub=subject, roles=['operator'])}"}


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("", "its subject (sub) is empty"),
        (" \t", "its subject (sub) is empty"),
        (f"{LONG}ab", "its subject (sub) has more than 255 characters"),
        ("ann\x00", "its subject (sub) has control characters"),
        ("ann\x1b[2J", "its subject (sub) has control characters"),
    ],
)
async def test_a_subject_that_names_nobody_is_refused(live: Live, subject: str, reason: str) -> None:
    headers = as_subject(subject) | {"Idempotency-Key": "k"}
    answer = await live.client.post(ORDERS, order_body(), headers=headers)
    assert (answer.status, answer.body["code"]) == (401, "NOT_AUTHENTICATED")
    assert reason in answer.body["message"]


async def test_subjects_that_begin_alike_share_no_keys(live: Live) -> None:
    body = order_body()

    async def create(subject: str) -> Answer:
        headers = as_subject(subject) | {"Idempotency-Key": "shared"}
        return await live.client.post(ORDERS, body, headers=headers)

    assert (await create(f"{LONG}a")).status == 201
    assert (await create(f"{LONG}b")).status == 409, "its own request, for an order id that is taken"
    assert (await create(f"{LONG}a")).headers["idempotent-replayed"] == "true"


async def test_a_name_in_the_body_never_stands_for_a_token(live: Live) -> None:
    mallory = as_subject("mallory")
    live.simulator.script(["malformed_400"])
    order = await live.client.post(ORDERS, order_body(), headers=mallory)
    part = {"quantity": 100, "destinationId": 1}
    await live.client.post(f"{ORDERS}/{order.body['id']}/submit", part, headers=mallory)
    execution_id = await value_of(live.services.database, "SELECT max(id) FROM execution")
    body = {"executionIds": [execution_id], "reason": "again", "operator": "ann"}
    requeued = await live.client.post("/api/v2/executions/requeue", body, headers=mallory)
    assert requeued.status == 200, requeued.raw
    path = f"/api/v2/executions/{execution_id}/attempts"
    history = await live.client.get(path, headers=mallory)
    assert [(one["actor"], one["actorKnownBy"]) for one in history.body["evidence"]] == [("mallory", "token")]
    log = await live.client.get("/api/v2/audit-log?action=requeue", headers=mallory)
    (entry,) = log.body["entries"]
    assert (entry["actor"], entry["knownBy"]) == ("mallory", "token")
