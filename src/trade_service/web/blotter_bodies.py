"""The bodies of the answers about blotters."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from trade_service.blotter.order_limits import unpriced_warning
from trade_service.blotter.records import CellError, Layout, OrderRecord
from trade_service.domain.fields import Moment, plain
from trade_service.trading.blotter_preview import Preview, Sum
from trade_service.trading.blotter_submissions import KeptBlotter, ReadBlotter, RefusedRecord
from trade_service.trading.line_results import BAD_LINE
from trade_service.web.responses import presented

SHOWN_ORDERS = 50
SHOWN_REJECTS = 200
SHOWN_GROUPS = 50


class BlotterColumn(msgspec.Struct, frozen=True, rename="camel"):
    """A column of the file, and the field that it holds."""

    name: str
    field: str | None
    """None where it is not a field of orders."""
    is_ignored: bool
    """Whether it has no influence: other columns without a field are checked for what they say against sending."""


class BlotterReject(msgspec.Struct, frozen=True, rename="camel"):
    """Why a row is refused; a row has one for each of its errors."""

    line: int
    order_id: int | None
    code: str
    column: str
    value: str
    rule: str
    message: str

    @classmethod
    def of(cls, error: CellError, code: str) -> "BlotterReject":
        return cls(error.line, error.order_id, code, error.column, error.value, error.rule, str(error))


class BlotterSum(msgspec.Struct, frozen=True, rename="camel"):
    """Orders to be sent that have something in common."""

    orders: int
    quantity: Decimal
    value: Decimal
    """Quantity times limit price, of the orders that have one."""


class BlotterTotals(msgspec.Struct, frozen=True, rename="camel"):
    """What would be sent."""

    to_send: int
    new: int
    resumed: int
    """Known orders of which something is left to send."""
    sent_before: int
    refused_before: int
    """Of `resumed`: those whose executions were rejected or exhausted."""
    without_price: int
    total: BlotterSum
    by_side: Mapping[str, BlotterSum]
    by_destination: Mapping[str, BlotterSum]
    by_portfolio: Mapping[str, BlotterSum]
    """The largest; of each of the three at most 50."""


class BlotterOrder(msgspec.Struct, frozen=True, rename="camel"):
    """A good row as an order."""

    line: int
    order_id: int
    portfolio_id: str
    order_type: str
    security_id: str
    quantity: Decimal
    limit_price: Decimal | None
    trade_timestamp: Moment | None
    destination: str
    blotter: str | None


class BlotterCheckAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """How a file is read, and what submitting it would do."""

    file_name: str | None
    checksum: str
    """Of the file and how it is to be read: submitting with it sends exactly what was checked."""
    form: str
    unit: str
    """What the file calls its rows: line or row."""
    header_line: int
    columns: Sequence[BlotterColumn]
    doubts: Sequence[str]
    """Readings that were detected and that a person should confirm."""
    warnings: Sequence[str]
    rows: int
    accepted: int
    refused: int
    rejects: Sequence[BlotterReject]
    """The first 200; with `Accept: text/csv` the answer is a file of all refused rows."""
    more_rejects: bool
    totals: BlotterTotals
    preview: Sequence[BlotterOrder]
    """The first 50 good rows."""


class RefusedRowAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A row of a submitted blotter that was refused."""

    line: int
    order_id: int | None
    code: str
    message: str


class BlotterSubmitAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A submitted blotter."""

    submission_id: str
    rows: int
    accepted: int
    refused: int
    executions: int
    """Of the bulk submission, those of earlier runs included."""
    rejects: Sequence[RefusedRowAnswer]
    """The first 200."""
    more_rejects: bool

    @classmethod
    def of(cls, submission_id: str, kept: KeptBlotter) -> "BlotterSubmitAnswer":
        refused = [row for row in kept.rows if row.is_refused]
        return cls(
            submission_id,
            len(kept.rows),
            len(kept.rows) - len(refused),
            len(refused),
            len(kept.execution_ids),
            [presented(RefusedRowAnswer, row) for row in refused[:SHOWN_REJECTS]],
            len(refused) > SHOWN_REJECTS,
        )


def check_answer(
    read: ReadBlotter,
    preview: Preview,
    taken: Sequence[RefusedRecord],
    file_name: str | None,
    checksum: str,
    blotters: Mapping[int, str],
    destinations: Mapping[int, str],
) -> BlotterCheckAnswer:
    """The answer to a check; `taken` are the rows that the database refuses."""
    layout, lost = read.layout, {one.record.line for one in taken}
    errors = [BlotterReject.of(error, BAD_LINE) for row in read.refused for error in row.errors]
    errors += [BlotterReject.of(one.error, one.code) for one in taken]
    errors.sort(key=lambda one: one.line)
    refused = len(read.refused) + len(taken)
    good = (record for record in read.orders if record.line not in lost)
    return BlotterCheckAnswer(
        file_name=file_name,
        checksum=checksum,
        form=layout.form,
        unit=layout.unit,
        header_line=layout.header_line,
        columns=_columns(layout),
        doubts=layout.doubts,
        warnings=[*_warnings(read, preview)],
        rows=read.rows,
        accepted=read.rows - refused,
        refused=refused,
        rejects=errors[:SHOWN_REJECTS],
        more_rejects=len(errors) > SHOWN_REJECTS,
        totals=_totals(preview),
        preview=[
            _order(record, blotters, destinations)
            for record, _ in zip(good, range(SHOWN_ORDERS), strict=False)
        ],
    )


def _columns(layout: Layout) -> list[BlotterColumn]:
    fields = {column: field for field, column in layout.fields.items()}
    return [BlotterColumn(name, fields.get(name), name in layout.ignored) for name in layout.header]


def _warnings(read: ReadBlotter, preview: Preview) -> Iterable[str]:
    if read.left_out is not None:
        yield read.left_out
    if preview.unpriced:
        yield unpriced_warning(preview.unpriced, preview.limits)
    if preview.first_alike is not None:
        first, second = preview.first_alike
        yield (
            f"{preview.alike:,} orders equal an earlier one in all but the order id, such as {preview.unit}s "
            f"{first} and {second}: sent twice?"
        )


def _totals(preview: Preview) -> BlotterTotals:
    return BlotterTotals(
        to_send=preview.to_send,
        new=preview.new,
        resumed=preview.rest,
        sent_before=preview.done,
        refused_before=preview.refused_before,
        without_price=preview.unpriced,
        total=presented(BlotterSum, preview.total),
        by_side=_largest(preview.by_side),
        by_destination=_largest(preview.by_destination),
        by_portfolio=_largest(preview.by_portfolio),
    )


def _largest(groups: Mapping[str, Sum]) -> dict[str, BlotterSum]:
    ordered = sorted(groups.items(), key=lambda pair: (-pair[1].value, -pair[1].orders, pair[0]))
    return {name: presented(BlotterSum, one) for name, one in ordered[:SHOWN_GROUPS]}


def _order(record: OrderRecord, blotters: Mapping[int, str], destinations: Mapping[int, str]) -> BlotterOrder:
    order = record.order
    return BlotterOrder(
        line=record.line,
        order_id=order.order_id,
        portfolio_id=order.portfolio_id,
        order_type=order.order_type,
        security_id=order.security_id,
        quantity=plain(order.quantity),
        limit_price=None if order.limit_price is None else plain(order.limit_price),
        trade_timestamp=order.trade_timestamp,
        destination=destinations[record.destination_id],
        blotter=None if order.blotter_id is None else blotters[order.blotter_id],
    )
