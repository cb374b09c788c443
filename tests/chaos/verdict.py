"""Reads and compares both ledgers without the code under test: one file, five queries, no shared types. Pure but
for the reading."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tests.chaos.database import Database
from tests.chaos.ledger import Ledger

GIVEN_BACK = frozenset({"rejected", "exhausted"})
AT_REST = frozenset({"none", "accepted", *GIVEN_BACK})
SHOWN = 12


class Order(msgspec.Struct, frozen=True):
    """A row of trade_order."""

    id: int
    order_id: int
    quantity: Decimal
    quantity_sent: Decimal
    submitted: bool


class Execution(msgspec.Struct, frozen=True):
    """A row of execution, with fields of its order."""

    id: int
    order: int
    state: str
    status: str
    service_id: int | None
    quantity: Decimal
    placed: Decimal
    side: str
    security: str
    destination: str


class Row(msgspec.Struct, frozen=True):
    """An execution that the simulator accepted."""

    service_id: int
    execution: int
    quantity: Decimal
    side: str
    security: str
    destination: str


class Verdict(msgspec.Struct):
    """The findings; empty if all is well."""

    executions: int = 0
    accepted: int = 0
    rejected: int = 0
    exhausted: int = 0
    lost: int = 0
    doubled: int = 0
    findings: list[str] = msgspec.field(default_factory=list)

    def find(self, what: str, which: Iterable[object]) -> int:
        """Records the rows with one kind of error; returns their number."""
        listed = sorted(which, key=str)
        if listed:
            shown = ", ".join(str(one) for one in listed[:SHOWN])
            more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
            self.findings.append(f"{what}: {shown}{more}")
        return len(listed)


_ORDERS = "SELECT id, order_id, quantity, quantity_sent, submitted FROM trade_order"
_EXECUTIONS = """
SELECT e.id, e.trade_order_id, coalesce(e.submission_state, 'null'), s.abbreviation, e.execution_service_id,
       e.quantity_ordered, e.quantity_placed, upper(trim(o.order_type)), rtrim(o.security_id), d.abbreviation
FROM execution e
JOIN trade_order o ON o.id = e.trade_order_id
JOIN execution_status s ON s.id = e.execution_status_id
JOIN destination d ON d.id = e.destination_id
"""


async def our_books(database: Database) -> tuple[list[Order], list[Execution]]:
    """Reads orders and executions from PostgreSQL."""
    orders = [Order(*row) for row in await database.rows(_ORDERS)]
    return orders, [Execution(*row) for row in await database.rows(_EXECUTIONS)]


def their_books(path: Path) -> list[Row]:
    """The simulator's file: the first line names the first id, and every accepted execution takes the next; a line
    that names one itself comes after ids that were lost."""
    opened, *lines = (json.loads(line, parse_float=Decimal) for line in path.read_bytes().splitlines())
    rows: list[Row] = []
    next_id = opened["firstId"]
    for line in lines:
        if line["line"] == "accepted":
            next_id = line.get("firstId", next_id)
            rows += [_row(service_id, post) for service_id, post in enumerate(line["executions"], next_id)]
            next_id += len(line["executions"])
    return rows


def judge(
    orders: Sequence[Order], executions: Sequence[Execution], rows: Sequence[Row], ledger: Ledger
) -> Verdict:
    """Compares both ledgers with each other and with the answers to clients."""
    states = Counter(one.state for one in executions)
    verdict = Verdict(
        executions=len(executions),
        accepted=states["accepted"],
        rejected=states["rejected"],
        exhausted=states["exhausted"],
        findings=[f"clients: {fault}" for fault in ledger.faults],
    )
    ours = {one.id: one for one in executions}
    theirs: dict[int, list[Row]] = {}
    for row in rows:
        theirs.setdefault(row.execution, []).append(row)
    _compare(verdict, ours, theirs)
    _hold_to_promises(verdict, ours, theirs, ledger)
    verdict.lost += verdict.find(
        "orders reported to clients as created, which do not exist",
        ledger.orders - {order.order_id for order in orders},
    )
    _weigh(verdict, orders, executions)
    return verdict


def _compare(verdict: Verdict, ours: Mapping[int, Execution], theirs: Mapping[int, Sequence[Row]]) -> None:
    accepted = {one.id for one in ours.values() if one.state == "accepted"}
    verdict.find("not at rest", (f"{i} {one.state}" for i, one in ours.items() if one.state not in AT_REST))
    verdict.lost += verdict.find("accepted here, and not there", accepted - theirs.keys())
    verdict.lost += verdict.find("there, and not accepted here", theirs.keys() - accepted)
    verdict.doubled = verdict.find(
        "accepted more than once",
        (f"{i} as {[row.service_id for row in rows]}" for i, rows in theirs.items() if len(rows) > 1),
    )
    pairs = [(ours[i], rows) for i, rows in theirs.items() if i in accepted]
    verdict.find(
        "under another id here",
        (one.id for one, rows in pairs if one.service_id not in {row.service_id for row in rows}),
    )
    verdict.find("different there", (one.id for one, rows in pairs if any(_differs(one, r) for r in rows)))
    verdict.find(
        "accepted, and not placed whole or still NEW",
        (one.id for one, _ in pairs if one.placed != one.quantity or one.status == "NEW"),
    )


def _hold_to_promises(
    verdict: Verdict, ours: Mapping[int, Execution], theirs: Mapping[int, Sequence[Row]], ledger: Ledger
) -> None:
    broken = {
        execution_id
        for execution_id, service_id in ledger.sent.items()
        if service_id not in {None, *(row.service_id for row in theirs.get(execution_id, ()))}
        or execution_id not in theirs
    }
    verdict.lost += verdict.find("told to be sent, and not there", broken)
    verdict.find("told to be refused, and there", ledger.refused.keys() & theirs.keys())
    verdict.find("told to be refused, and told to be sent", ledger.refused.keys() & ledger.sent.keys())
    verdict.lost += verdict.find(
        "told to clients, and not in the database",
        (ledger.sent.keys() | ledger.refused.keys() | ledger.pending) - ours.keys(),
    )


def _weigh(verdict: Verdict, orders: Iterable[Order], executions: Iterable[Execution]) -> None:
    held: dict[int, Decimal] = {}
    for one in executions:
        if one.state not in GIVEN_BACK:
            held[one.order] = held.get(one.order, Decimal(0)) + one.quantity
    verdict.find(
        "orders whose quantity sent is not the sum of what was not given back",
        (
            f"{order.id} has {order.quantity_sent}, not {held.get(order.id, 0)}"
            for order in orders
            if order.quantity_sent != held.get(order.id, 0)
        ),
    )
    verdict.find("orders of which too much was sent", (o.id for o in orders if o.quantity_sent > o.quantity))
    verdict.find(
        "orders that are called submitted wrongly",
        (o.id for o in orders if o.submitted is not (o.quantity - o.quantity_sent <= Decimal("0.01"))),
    )


def _differs(one: Execution, row: Row) -> bool:
    return (one.quantity, one.side, one.security, one.destination) != (
        row.quantity, row.side, row.security, row.destination,
    )  # fmt: skip


def _row(service_id: int, post: Mapping[str, Any]) -> Row:
    return Row(
        service_id,
        post["tradeServiceExecutionId"],
        Decimal(post["quantity"]),
        post["tradeType"],
        post["securityId"],
        post["destination"],
    )
