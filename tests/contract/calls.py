"""Calls that the contract's clients share."""

from typing import Any

from tests.web.support import Answer, Client

V1 = "/api/v1"
TRADE_ORDER_FIELDS = {
    "id", "orderId", "portfolioId", "orderType", "securityId", "quantity", "quantitySent", "limitPrice",
    "tradeTimestamp", "blotter", "submitted", "version",
}  # fmt: skip
EXECUTION_FIELDS = {
    "id", "executionTimestamp", "executionStatus", "blotter", "tradeType", "tradeOrder", "destination",
    "quantityOrdered", "quantityPlaced", "quantityFilled", "limitPrice", "executionServiceId", "version",
}  # fmt: skip
BLOTTER_FIELDS = {"id", "abbreviation", "name", "version"}
DESCRIBED_FIELDS = {"id", "abbreviation", "description", "version"}


async def ask(client: Client, method: str, path: str, status: int, body: object = None) -> Any:
    """The JSON of an answer that must have `status`; None without a body."""
    answer = await client.call(method, V1 + path, body)
    assert answer.status == status, (method, path, answer.status, answer.raw)
    if status >= 400:
        _check_error(answer)
    return answer.body


def _check_error(answer: Answer) -> None:
    """Every error has the fields that clients read, and a specific message."""
    body = answer.body
    assert body["error"] == body["message"]
    assert len(body["message"]) > 10
    assert isinstance(body["details"], dict)
    assert body["status"] in (answer.status, "FAILURE")  # The latter in the envelope of a bulk.
    assert body["code"] == body["code"].upper()
    assert answer.headers["content-type"].startswith("application/")


async def refused(client: Client, method: str, path: str, status: int, code: str, body: object = None) -> str:
    """The message of an error of this code."""
    error = await ask(client, method, path, status, body)
    assert error["code"] == code, error
    message: str = error["message"]
    return message
