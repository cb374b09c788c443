"""What the Execution Service calls: it reads an execution and reports its fills."""

from typing import Any

from tests.contract.calls import EXECUTION_FIELDS, ask, refused
from tests.web.live import Live


async def sent(live: Live, quantity: object = "100.5") -> Any:
    """An execution that the Execution Service has."""
    answer = await live.submit(await live.order("200.5"), quantity)
    assert answer.status == 201, answer.raw
    return answer.body


async def test_it_reads_the_version_and_reports_fills_until_all_is_filled(live: Live) -> None:
    execution = await sent(live)
    path = f"/executions/{execution['id']}"
    assert execution["executionStatus"]["abbreviation"] == "SENT"
    for status, filled in (("PART", 40.25), ("PART", "100.49999999"), ("FULL", "100.50000000")):
        read = await ask(live.client, "GET", path, 200)
        report = {"executionStatus": status, "quantityFilled": filled, "version": read["version"]}
        answer = await ask(live.client, "PUT", f"{path}/fill", 200, report)
        assert answer.keys() == EXECUTION_FIELDS
        assert answer["version"] == read["version"] + 1
        assert answer["executionStatus"]["abbreviation"] == status
        assert await ask(live.client, "GET", path, 200) == answer
    assert (answer["quantityFilled"], answer["quantityPlaced"]) == ("100.50", "100.50")


async def test_a_stale_version_is_refused_and_the_report_repeated_once(live: Live) -> None:
    execution = await sent(live)
    path = f"/executions/{execution['id']}"
    report = {"executionStatus": "PART", "quantityFilled": 1, "version": execution["version"] - 1}
    message = await refused(live.client, "PUT", f"{path}/fill", 409, "VERSION_CONFLICT", report)
    assert f"has version {execution['version']}, not {execution['version'] - 1}" in message
    report["version"] = (await ask(live.client, "GET", path, 200))["version"]
    await ask(live.client, "PUT", f"{path}/fill", 200, report)


async def test_impossible_reports_name_the_field(live: Live) -> None:
    execution = await sent(live)
    path = f"/executions/{execution['id']}/fill"
    good = {"executionStatus": "PART", "quantityFilled": 1, "version": execution["version"]}
    for change, field in (
        ({"executionStatus": "DONE"}, "executionStatus"),
        ({"quantityFilled": -1}, "quantityFilled"),
        ({"quantityFilled": "100.50000001"}, "quantityFilled"),
        ({"quantityFilled": "many"}, "quantityFilled"),
        ({"version": "1.0"}, "version"),
    ):
        assert field in await refused(live.client, "PUT", path, 400, "INVALID_INPUT", good | change)
    await refused(live.client, "GET", "/executions/987654", 404, "NOT_FOUND")
    await refused(live.client, "PUT", "/executions/987654/fill", 404, "NOT_FOUND", good)


async def test_a_portal_that_changes_the_blotter_meanwhile_loses_nothing(live: Live) -> None:
    """Both write the same row: the version decides, and neither overwrites the other."""
    execution = await sent(live)
    path = f"/executions/{execution['id']}"
    report = {"executionStatus": "PART", "quantityFilled": "10", "version": execution["version"]}
    await ask(live.client, "PUT", f"{path}/fill", 200, report)
    stale = {
        "executionStatusId": execution["executionStatus"]["id"],
        "blotterId": 3,
        "tradeTypeId": execution["tradeType"]["id"],
        "tradeOrderId": execution["tradeOrder"]["id"],
        "destinationId": execution["destination"]["id"],
        "quantityOrdered": execution["quantityOrdered"],
        "version": execution["version"],
    }
    await refused(live.client, "PUT", path, 409, "VERSION_CONFLICT", stale)
    assert (await ask(live.client, "GET", path, 200))["quantityFilled"] == "10.00"
