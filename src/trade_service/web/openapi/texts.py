"""The words of the description that no route has of its own."""

from typing import Any

ABOUT = """Takes trade orders, cuts executions from them and submits those in bulk to an Execution Service.

Decimals are decimal(18,8), exact from end to end: JSON numbers in trade orders and in version 2, strings with
at least two decimals in the executions of version 1. Bodies may have them as numbers or as numeric strings; a
number that binary floating point has blurred, such as 0.19999999999999998, is the value of eight decimals next
to it. Timestamps are ISO 8601 with an offset. Bodies may have timestamps as numbers of seconds since 1970, and
integers as text. Unknown fields of bodies are ignored. Every error is one body, `application/problem+json`, with
`error`, `message`, `details` and a stable `code`; every answer has an id in `X-Request-ID`."""

TAGS = {
    "Trade orders": "Version 1: created, changed, and submitted one by one or in batches.",
    "Executions": "Version 1: what was cut from trade orders, sent, and filled.",
    "Reference data": "Blotters, destinations, trade types and execution statuses.",
    "Trade orders v2": "Lists with the names of portfolios and securities; batches.",
    "Executions v2": "Lists with names; written by hand.",
    "Bulk submissions": "Up to 10,000 executions at once, waited for or followed.",
    "Operators": "What did not end well, and what can be done about it.",
    "Health": "Probes.",
    "Operations": "Metrics and build information.",
}

MEANING = {
    200: "Done.",
    201: "Created.",
    202: "Begun: Location tells where to ask how far it is.",
    204: "Done, and there is nothing to tell.",
    207: "Some succeeded, some failed: every result says which it is.",
    400: "What was sent breaks a rule; the message names field, value and rule.",
    401: "Nobody is known by this key or token, or none was given.",
    403: "Whoever asks lacks the role that this needs.",
    404: "There is no such thing, or what the body points to does not exist.",
    408: "The body did not arrive in time.",
    409: "The present state forbids it: another version, a name that is taken, or an execution under way.",
    413: "The body or the list is larger than what is taken at once.",
    415: "The body is not plain JSON.",
    422: "The Idempotency-Key came before with another path, query or body.",
    429: "More requests than one client may make: Retry-After tells when to go on.",
    500: "A defect or the configuration is at fault: the log has the cause under the request id.",
    502: "The Execution Service failed after all retries; nothing was accepted.",
    503: "The database or the Execution Service is away, or there is too much to do: try again. Or `TOO_SLOW`.",
    504: "The Execution Service was silent for too long; nothing was accepted.",
}
"""Every status that a route may answer with."""


def _text_header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


HEADERS: dict[str, Any] = {
    "X-Request-ID": {**_text_header("The id of the request, as in the log."), "required": True},
    "X-Total-Count": {
        "description": "All rows that there are; see X-Total-Is-Estimate.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-Total-Is-Estimate": _text_header("`true` while the rows are being counted; absent when they were."),
    "X-Submission-State": _text_header("The states of what is still under way; absent when nothing is."),
    "X-Submission-Message": _text_header("What its client should do meanwhile."),
    "Idempotent-Replayed": _text_header("`true` in an answer to a repeat."),
    "Location": _text_header("Where the bulk submission can be asked for."),
    "Preference-Applied": _text_header("`respond-async` when it was done so."),
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": _text_header("How to say who asks."),
}
"""Headers of answers, by name."""
