"""Links of the description: with which operations a client goes on after an answer, and what they take of it.

Links that many answers share stand once under `components/links`. The values of bodies are runtime expressions
as well; the specification leaves it to the reader to take such a body for the fields that have to be in it, and
the descriptions say so. Event streams have no link: what follows links waits for the end of an answer, and a
stream may last a quarter of an hour.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

_REFERENCE = "#/components/links/{name}"
_ID, _VERSION = "$response.body#/id", "$response.body#/version"


class Link(msgspec.Struct, frozen=True):
    """What one operation takes of the answer of another."""

    name: str
    target: str
    """The operationId."""
    description: str
    parameters: Mapping[str, str] = {}
    body: Mapping[str, Any] | None = None
    """Fields of the body; the client gives the others."""

    def told(self) -> dict[str, Any]:
        """A Link Object."""
        link: dict[str, Any] = {"operationId": self.target, "description": self.description}
        if self.parameters:
            link["parameters"] = dict(self.parameters)
        if self.body is not None:
            link["requestBody"] = dict(self.body)
        return link


def links_of(operation_id: str, status: int) -> dict[str, dict[str, str]]:
    """References to the links of an answer, by name; empty where a client does not go on."""
    return {
        link.name: {"$ref": _REFERENCE.format(name=link.name)}
        for link in _LINKS.get((operation_id, status), ())
    }


def all_links() -> dict[str, dict[str, Any]]:
    """Every Link Object, by name."""
    links = {link.name: link for shared in _LINKS.values() for link in shared}
    return {name: link.told() for name, link in sorted(links.items())}


def _of_one(thing: str, operations: str) -> tuple[Link, Link, Link]:
    """Read, changed and deleted by the id and the version that were answered."""
    words = "".join(f" {one.lower()}" if one.isupper() else one for one in thing).strip()
    by_id = {"id": _ID}
    return (
        Link(f"read{thing}", f"get{operations}ById", f"Reads the {words}.", by_id),
        Link(
            f"change{thing}",
            f"put{operations}ById",
            f"Changes the {words}: the version has to be the one that was answered.",
            by_id,
            {"id": _ID, "version": _VERSION},
        ),
        Link(
            f"delete{thing}",
            f"delete{operations}ById",
            f"Deletes the {words}, unless it has another version by now.",
            by_id | {"version": _VERSION},
        ),
    )


def _after(links: Iterable[Link], *answers: tuple[str, int]) -> dict[tuple[str, int], tuple[Link, ...]]:
    """The same links after each of these answers; nothing is read again right after it was read."""
    return {
        (source, status): tuple(link for link in links if not (link.target == source and source[:3] == "get"))
        for source, status in answers
    }


def _reference(thing: str, collection: str, of_one: str) -> dict[tuple[str, int], tuple[Link, ...]]:
    one = _of_one(thing, of_one)
    return _after(one, (f"post{collection}", 201), (f"get{of_one}ById", 200), (f"put{of_one}ById", 200))


_ORDER = (
    *_of_one("TradeOrder", "V1TradeOrders"),
    Link("readTradeOrderV2", "getV2TradeOrdersById", "Reads the trade order with names.", {"id": _ID}),
    Link(
        "submitTradeOrder",
        "postV1TradeOrdersByIdSubmit",
        "Sends a part of the trade order.",
        {"id": _ID},
    ),
    Link(
        "createExecution",
        "postV1Executions",
        "Writes an execution of the trade order by hand.",
        body={"tradeOrderId": _ID},
    ),
    Link(
        "createExecutionV2",
        "postV2Executions",
        "Writes an execution of the trade order by hand, answered with names.",
        body={"tradeOrderId": _ID},
    ),
)
_FIRST_ORDER = (
    Link(
        "readFirstTradeOrder",
        "getV1TradeOrdersById",
        "Reads the first of the trade orders.",
        {"id": "$response.body#/results/0/tradeOrder/id"},
    ),
)
_ANY_EXECUTION = (
    Link("submitExecution", "postV1ExecutionByIdSubmit", "Sends the execution.", {"id": _ID}),
    Link(
        "submitExecutions",
        "postV2ExecutionsSubmit",
        "Sends the execution, and others with it.",
        body={"executionIds": [_ID]},
    ),
    Link(
        "fillExecution",
        "putV1ExecutionsByIdFill",
        "Reports a fill: the version has to be the one that was answered.",
        {"id": _ID},
        {"version": _VERSION},
    ),
    Link(
        "readAttempts",
        "getV2ExecutionsByIdAttempts",
        "Reads how the execution was sent.",
        {"id": _ID},
    ),
    Link(
        "readTradeOrderOfExecution",
        "getV1TradeOrdersById",
        "Reads the trade order that it is a part of.",
        {"id": "$response.body#/tradeOrder/id"},
    ),
)
_EXECUTION = (*_of_one("Execution", "V1Executions"), *_ANY_EXECUTION)
_EXECUTION_V2 = (*_of_one("ExecutionV2", "V2Executions"), *_ANY_EXECUTION)
_BY_SUBMISSION = {"id": "$response.body#/submissionId"}
_SUBMISSION = (
    Link("readSubmission", "getV2SubmissionsById", "Reads how far it is, and its results.", _BY_SUBMISSION),
    Link("readSubmissionAttempts", "getV2SubmissionsByIdAttempts", "Reads what was sent.", _BY_SUBMISSION),
)
_LINKS: Mapping[tuple[str, int], tuple[Link, ...]] = {
    **_reference("Blotter", "V1Blotters", "V1Blotters"),
    **_reference("Destination", "V1Destinations", "V1Destinations"),
    **_reference("ExecutionStatus", "V1ExecutionStatuses", "V1ExecutionStatuses"),
    **_reference("TradeType", "V1TradeTypes", "V1TradeType"),
    **_after(
        _ORDER,
        ("postV1TradeOrders", 201),
        ("getV1TradeOrdersById", 200),
        ("putV1TradeOrdersById", 200),
        ("getV2TradeOrdersById", 200),
    ),
    **_after(_FIRST_ORDER, ("postV1TradeOrdersBulk", 201), ("postV2TradeOrdersBatchCreate", 201)),
    **_after(
        _EXECUTION,
        ("postV1TradeOrdersByIdSubmit", 201),
        ("postV1Executions", 201),
        ("getV1ExecutionsById", 200),
        ("putV1ExecutionsById", 200),
        ("putV1ExecutionsByIdFill", 200),
        ("postV1ExecutionByIdSubmit", 200),
    ),
    **_after(
        _EXECUTION_V2,
        ("postV2Executions", 201),
        ("getV2ExecutionsById", 200),
        ("putV2ExecutionsById", 200),
    ),
    **_after(
        _SUBMISSION,
        ("postV2ExecutionsSubmit", 200),
        ("postV2ExecutionsSubmit", 202),
        ("postV2ExecutionsSubmit", 207),
    ),
}
"""By the operationId and the status of the answer."""
