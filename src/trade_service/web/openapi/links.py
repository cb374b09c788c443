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
_QUANTITY, _ORDERED = "$response.body#/quantity", "$response.body#/quantityOrdered"


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


def _of_one(thing: str, operations: str, **kept: str) -> tuple[Link, Link, Link]:
    """Read, changed and deleted by the id and the version that were answered; `kept` are fields that stay."""
    words = "".join(f" {one.lower()}" if one.isupper() else one for one in thing).strip()
    by_id = {"id": _ID}
    return (
        Link(f"read{thing}", f"get{operations}ById", f"Reads the {words}.", by_id),
        Link(
            f"change{thing}",
            f"put{operations}ById",
            f"Changes the {words}: the version has to be the one that was answered.",
            by_id,
            {"id": _ID, "version": _VERSION, **kept},
        ),
        Link(
            f"delete{thing}",
            f"delete{operations}ById",
            f"Deletes the {words}, unless it has another version by now.",
            by_id | {"version": _VERSION},
        ),
    )


def _read(name: str, target: str, what: str, pointer: str) -> tuple[Link]:
    """Read by an id that is somewhere in the answer."""
    return (Link(name, target, f"Reads {what}.", {"id": f"$response.body#/{pointer}"}),)


def _after(links: Iterable[Link], *answers: tuple[str, int]) -> dict[tuple[str, int], tuple[Link, ...]]:
    """The same links after each of these answers; nothing is read again right after it was read."""
    return {
        (source, status): tuple(link for link in links if not (link.target == source and source[:3] == "get"))
        for source, status in answers
    }


def _reference(
    thing: str, collection: str, of_one: str, *uses: Link
) -> dict[tuple[str, int], tuple[Link, ...]]:
    links = (*_of_one(thing, of_one), *uses)
    return _after(links, (f"post{collection}", 201), (f"get{of_one}ById", 200), (f"put{of_one}ById", 200))


_ORDER = (
    *_of_one(
        "TradeOrder",
        "V1TradeOrders",
        orderId="$response.body#/orderId",
        orderType="$response.body#/orderType",
        quantity=_QUANTITY,
    ),
    *_read("readTradeOrderV2", "getV2TradeOrdersById", "the trade order with names", "id"),
    Link(
        "submitTradeOrder",
        "postV1TradeOrdersByIdSubmit",
        "Sends the whole trade order.",
        {"id": _ID},
        {"quantity": _QUANTITY},
    ),
    Link(
        "createExecution",
        "postV1Executions",
        "Writes an execution of the whole trade order by hand.",
        body={"tradeOrderId": _ID, "quantityOrdered": _QUANTITY},
    ),
    Link(
        "createExecutionV2",
        "postV2Executions",
        "Writes an execution of the whole trade order by hand, answered with names.",
        body={"tradeOrderId": _ID, "quantityOrdered": _QUANTITY},
    ),
)
_ORDERS_BLOTTER = Link(
    "createTradeOrder", "postV1TradeOrders", "Creates a trade order in the blotter.", body={"blotterId": _ID}
)
_SUBMIT_TO = Link(
    "submitToDestination",
    "postV1TradeOrdersBatchSubmit",
    "Sends trade orders to the destination.",
    body={"submissions": [{"destinationId": _ID}]},
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
        "Reports that all was filled: the version has to be the one that was answered.",
        {"id": _ID},
        {"executionStatus": "FULL", "quantityFilled": _ORDERED, "version": _VERSION},
    ),
    *_read("readAttempts", "getV2ExecutionsByIdAttempts", "how the execution was sent", "id"),
    *_read(
        "readOrderOfExecution",
        "getV1TradeOrdersById",
        "the trade order that it is a part of",
        "tradeOrder/id",
    ),
)
_KEPT = {
    "executionStatusId": "$response.body#/executionStatus/id",
    "tradeOrderId": "$response.body#/tradeOrder/id",
    "destinationId": "$response.body#/destination/id",
    "quantityOrdered": _ORDERED,
}
_EXECUTION = (*_of_one("Execution", "V1Executions", **_KEPT), *_ANY_EXECUTION)
_EXECUTION_V2 = (*_of_one("ExecutionV2", "V2Executions", **_KEPT), *_ANY_EXECUTION)
_SUBMISSION = (
    *_read("readSubmission", "getV2SubmissionsById", "how far it is, and its results", "submissionId"),
    *_read("readSubmissionAttempts", "getV2SubmissionsByIdAttempts", "what was sent", "submissionId"),
)
_FIRST_ORDER = _read(
    "readFirstCreated", "getV1TradeOrdersById", "the first of the trade orders", "results/0/tradeOrder/id"
)
_LINKS: Mapping[tuple[str, int], tuple[Link, ...]] = {
    **_reference("Blotter", "V1Blotters", "V1Blotters", _ORDERS_BLOTTER),
    **_reference("Destination", "V1Destinations", "V1Destinations", _SUBMIT_TO),
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
        _read("readFirstOrder", "getV1TradeOrdersById", "the first of the page", "0/id"),
        ("getV1TradeOrders", 200),
    ),
    **_after(
        _read("readFirstOrderV2", "getV2TradeOrdersById", "the first of the page", "tradeOrders/0/id"),
        ("getV2TradeOrders", 200),
    ),
    **_after(
        _read("readFirstExecution", "getV1ExecutionsById", "the first of the page", "0/id"),
        ("getV1Executions", 200),
    ),
    **_after(
        _read("readFirstExecutionV2", "getV2ExecutionsById", "the first of the page", "executions/0/id"),
        ("getV2Executions", 200),
    ),
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
