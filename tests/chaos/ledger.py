"""Records the answers that clients got, to compare with both ledgers at the end."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

_REFUSED = re.compile(r"^execution (\d+) was not accepted")
_EXCEEDED = re.compile(r"trade order \d+ has .* left of ")
_NOT_PROMISED = "STORE_UNAVAILABLE"
"""The only reason that is not about the execution itself."""
_ON_THE_WAY = "NEW"
_NEVER = ("INTERNAL_ERROR", "ALREADY_EXISTS")
"""A defect, and errors that a repeated key must not get."""


class Ledger:
    """All promises made in answers."""

    def __init__(self) -> None:
        self.orders: set[int] = set()
        """Order ids reported as created."""
        self.sent: dict[int, int | None] = {}
        """The executionServiceId of answers, by execution id."""
        self.refused: dict[int, str] = {}
        """The reason why an execution was reported as not accepted, by its id."""
        self.pending: set[int] = set()
        self.faults: list[str] = []
        """Answers that no failure explains."""
        self.statuses: Counter[str] = Counter()

    def execution(self, told: Mapping[str, Any]) -> None:
        """Records an execution of an answer."""
        execution_id, status = told["id"], told["executionStatus"]["abbreviation"]
        if status == _ON_THE_WAY:
            self.pending.add(execution_id)
            return
        service_id = told["executionServiceId"]
        before = self.sent.get(execution_id)
        if None not in (before, service_id) and service_id != before:
            self.faults.append(
                f"execution {execution_id} was reported as {before} there, then as {service_id}"
            )
        self.sent[execution_id] = before if service_id is None else service_id

    def refusal(self, message: str, details: Mapping[str, Any]) -> None:
        """Records an error if it says that an execution ended."""
        if _EXCEEDED.search(message):
            # No client asks for more than there is: something was cut twice under one key.
            self.faults.append(f"refused for what it did itself: {message}")
        found = _REFUSED.match(message)
        if found and details.get("reason") != _NOT_PROMISED:
            self.refused[int(found.group(1))] = message

    def answered(self, status: int, body: Any, call: str) -> None:
        """Counts an answer; keeps an unexpected one."""
        self.statuses[str(status)] += 1
        if isinstance(body, dict) and body.get("code") in _NEVER:
            self.faults.append(f"{call} was answered with {status} {body['code']}")

    def unanswered(self) -> None:
        """Counts a request without an answer."""
        self.statuses["none"] += 1
