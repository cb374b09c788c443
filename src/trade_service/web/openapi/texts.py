"""Texts of the OpenAPI document that belong to no route."""

from typing import Any

ABOUT = """Takes trade orders, slices executions from them and submits those in bulk to an Execution Service.

Decimals are decimal(18,8), exact from end to end: JSON numbers in trade orders and in version 2, strings with
at least two decimals in the executions of version 1. Bodies may have them as numbers or as numeric strings; a
number with a binary floating point error, such as 0.19999999999999998, is read as the nearest value with eight
decimals. Timestamps are ISO 8601 with an offset. Bodies may have timestamps as numbers of seconds since 1970, and
integers as text. Unknown fields of bodies are ignored. Every error is one body, `application/problem+json`, with
`error`, `message`, `details` and a stable `code`; every response has an id in `X-Request-ID`."""

TAGS = {
    "Trade orders": "Version 1: created, changed, and submitted one by one or in batches.",
    "Executions": "Version 1: slices of trade orders, sent and filled.",
    "Reference data": "Blotters, destinations, trade types and execution statuses.",
    "Trade orders v2": "Lists with the names of portfolios and securities; batches.",
    "Executions v2": "Lists with names; single executions.",
    "Bulk submissions": "Up to 10,000 executions at once, waited for or followed.",
    "Operators": "Unknown, rejected and exhausted executions, and their resolution.",
    "Health": "Probes.",
    "Operations": "Metrics and build information.",
}

MEANING = {
    200: "Done.",
    201: "Created.",
    202: "Accepted: Location has the address of the progress.",
    204: "No content.",
    207: "Some succeeded and some failed: see each result.",
    400: "The request breaks a rule; the message names field, value and rule.",
    401: "The key or token is missing or unknown.",
    403: "The caller lacks the required role.",
    404: "Not found: the resource itself, or one that the body refers to.",
    408: "The body did not arrive in time.",
    409: "Conflict: another version, a name that is taken, or an execution in flight.",
    413: "The body or the list is too large.",
    415: "The body is not plain JSON.",
    422: "The Idempotency-Key was used with another path, query or body.",
    429: "Too many requests of this client: Retry-After says when to continue.",
    500: "A defect, or wrong configuration: see the service log for this request id.",
    502: "The Execution Service failed after all retries; nothing was accepted.",
    503: "The database or the Execution Service is unavailable, or the service is overloaded. Or `TOO_SLOW`.",
    504: "The Execution Service did not answer in time; nothing was accepted.",
}
"""Every status of a response."""


def _text_header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


HEADERS: dict[str, Any] = {
    "X-Request-ID": {**_text_header("The id of the request, as in the log."), "required": True},
    "X-Total-Count": {
        "description": "The number of all rows; see X-Total-Is-Estimate.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-Total-Is-Estimate": _text_header("`true` while the rows are being counted; absent when they were."),
    "X-Submission-State": _text_header("The states of pending executions; absent when there are none."),
    "X-Submission-Message": _text_header("What the client should do meanwhile."),
    "Idempotent-Replayed": _text_header("`true` in an answer to a repeat."),
    "Location": _text_header("The address of the bulk submission."),
    "Preference-Applied": _text_header("`respond-async` when it was applied."),
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": _text_header("How to authenticate."),
}
"""Response headers, by name."""
