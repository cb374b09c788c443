"""Lists as CSV and NDJSON: all rows that match, in constant memory, by the rules of every other response."""

import asyncio
import csv
import gzip
import io
import weakref
from collections.abc import AsyncGenerator, AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import msgspec
import pytest
from litestar import get

from tests.support.database import TestServer
from tests.support.trading import run_sql
from tests.web.live import Live, live_alone
from tests.web.support import EQUITY, ORDER, Client, FakeUseCases, served
from trade_service.domain.errors import TooSlow
from trade_service.trading.listing.service import NamedOrder
from trade_service.web.access import CLIENT
from trade_service.web.dependencies import ExportSettings, WebSettings
from trade_service.web.export_forms import ExportForm, wanted_form
from trade_service.web.exports import Exports

ORDERS = "/api/v2/tradeOrders"
EXECUTIONS = "/api/v2/executions"
CSV, NDJSON = {"Accept": "text/csv"}, {"Accept": "application/x-ndjson"}
COUNT = 2_300
ROWS = f"""
INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity, trade_timestamp, limit_price)
SELECT 100000 + n, 'P' || n % 3, 'BUY', (ARRAY['IBM', '=1+1', '-2', '@x'])[1 + n % 4], n % 7 + 0.12345678,
       timestamptz '2026-01-30 15:30Z' + n % 5 * interval '1 s', CASE WHEN n % 2 = 0 THEN 9999999999.00000001 END
FROM generate_series(1, {COUNT}) n
"""


@pytest.fixture(scope="module")
async def live(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    async with live_alone(postgres, template_database) as service:
        await run_sql(service.services.database, ROWS)
        for _ in range(3):
            await service.submit(await service.order(10), 10)
        yield service


async def listed(live: Live, path: str, member: str) -> list[Any]:
    """All rows of a list, page by page."""
    rows: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await live.client.get(f"{path}&limit=1000&cursor={cursor}")
        assert answer.status == 200, answer.raw
        rows += answer.body[member]
        cursor = answer.body["pagination"]["nextCursor"]
    return rows


async def test_ndjson_has_all_rows_of_the_list_in_its_order(live: Live) -> None:
    path = f"{ORDERS}?sort=-quantity,orderId&portfolio.name=P1,P2"
    answer = await live.client.get(path, headers=NDJSON)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert 'attachment; filename="trade-orders-' in answer.headers["content-disposition"]
    rows = [msgspec.json.decode(line) for line in answer.raw.splitlines()]
    assert len(rows) > 1_000
    assert rows == await listed(live, path, "tradeOrders")
    everything = (await live.client.get(f"{ORDERS}?limit=2", headers=NDJSON)).raw.splitlines()
    assert len(everything) == COUNT + 3


async def test_cells_are_exact_and_no_spreadsheet_runs_them(live: Live) -> None:
    path = f"{ORDERS}?sort=orderId&quantity.min=1&blotter.abbreviation="
    answer = await live.client.get(path, headers=CSV | {"Accept-Encoding": "identity"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = {row["orderId"]: row for row in csv.DictReader(io.StringIO(answer.raw.decode(), newline=""))}
    row = rows["100002"]
    assert list(row) == [
        *("id", "orderId", "portfolio.portfolioId", "portfolio.name", "orderType", "security.securityId"),
        *("security.ticker", "quantity", "quantitySent", "limitPrice", "tradeTimestamp", "blotter.id"),
        *("blotter.abbreviation", "blotter.name", "blotter.version", "submitted", "version"),
    ]
    assert (row["quantity"], row["limitPrice"]) == ("2.12345678", "9999999999.00000001")
    assert (row["tradeTimestamp"], row["blotter.id"], row["submitted"]) == (
        "2026-01-30T15:30:02Z",
        "",
        "false",
    )
    assert rows["100001"]["limitPrice"] == ""
    assert {one["security.ticker"] for one in rows.values()} >= {"'=1+1", "'-2", "'@x", "IBM"}


async def test_it_is_compressed_as_it_goes(live: Live) -> None:
    async with live.client.session.get(
        live.client.url + EXECUTIONS, headers=NDJSON | {"Accept-Encoding": "gzip"}, auto_decompress=False
    ) as response:
        assert response.headers["content-encoding"] == "gzip"
        rows = gzip.decompress(await response.read()).splitlines()
    assert [msgspec.json.decode(row)["submissionState"] for row in rows] == ["accepted"] * 3
    answer = await live.client.get("/api/v2/audit-log?limit=1&action=submit", headers=NDJSON)
    assert [msgspec.json.decode(row)["action"] for row in answer.raw.splitlines()] == ["submit"] * 3


async def test_a_list_without_rows_still_has_its_header(live: Live) -> None:
    answer = await live.client.get(f"{EXECUTIONS}?id=1,2&orderId=99", headers=CSV)
    assert answer.raw.startswith(b"id,executionTimestamp,executionStatus.id,")
    assert answer.raw.count(b"\n") == 1
    assert (await live.client.get(f"{EXECUTIONS}?id=1&orderId=99", headers=NDJSON)).raw == b""
    assert (await live.client.call("HEAD", ORDERS, headers=CSV)).raw == b""


LISTS = {
    "submissions": ("submissions", b"submissionId,"),
    "failures/executions": ("executions", b"executionId,"),
    "unknowns": ("unknowns", b"executionId,"),
    "evidence": ("evidence", b"foundAt,"),
    "audit-log": ("entries", b"at,id,"),
}


async def test_every_list_is_exported_as_it_is_answered(live: Live) -> None:
    ids = [row["id"] for row in (await live.client.get(f"{EXECUTIONS}?limit=9")).body["executions"]]
    await live.client.post(f"{EXECUTIONS}/submit", {"executionIds": ids})
    live.simulator.script(["item_fail_permanent"])
    await live.submit(await live.order(7), 7)
    for path, (member, header) in LISTS.items():
        listed_rows = (await live.client.get(f"/api/v2/{path}?limit=100")).body[member]
        answer = await live.client.get(f"/api/v2/{path}", headers=NDJSON)
        assert answer.status == 200, answer.raw
        assert [msgspec.json.decode(line) for line in answer.raw.splitlines()] == listed_rows, path
        table = await live.client.get(f"/api/v2/{path}", headers=CSV)
        assert table.raw.startswith(header), table.raw[:80]
        assert table.raw.count(b"\n") >= 1 + len(listed_rows), path


async def test_a_request_that_breaks_a_rule_gets_a_problem(live: Live) -> None:
    answer = await live.client.get(f"{ORDERS}?sort=nothing", headers=CSV)
    assert (answer.status, answer.body["code"]) == (400, "INVALID_INPUT")


# --- over pages of a test's own making ---


class Kept(NamedOrder, frozen=True, weakref=True):
    """An order whose life is watched."""


class Endless:
    """Pages without end, or up to a failure."""

    def __init__(self, fails_at: int = -1, ends_at: int = -1) -> None:
        self.fails_at = fails_at
        self.ends_at = ends_at
        self.read = 0
        self.most_alive = 0
        self.alive: weakref.WeakSet[Kept] = weakref.WeakSet()
        self.closed = asyncio.Event()

    async def order_pages(self, _: object) -> AsyncGenerator[list[Kept], None]:
        try:
            while self.read != self.ends_at:
                if self.read == self.fails_at:
                    raise TooSlow("the page took too long")
                self.read += 1
                page = [Kept(ORDER, EQUITY, "Growth", f"T{n}") for n in range(1_000)]
                for one in page:
                    self.alive.add(one)
                self.most_alive = max(self.most_alive, len(self.alive))
                yield page
                del page, one
        finally:
            self.closed.set()


def serving(lists: Endless, **bounds: Any) -> Any:
    fakes = msgspec.structs.replace(FakeUseCases().services(), lists=cast(Any, lists))
    return served(fakes, WebSettings(exports=ExportSettings(**bounds)))


async def test_memory_does_not_grow_with_the_list() -> None:
    lists = Endless(ends_at=40)
    async with serving(lists) as client:
        answer = await client.get(ORDERS, headers=CSV)
    assert answer.raw.count(b"\n") == 40_001
    assert lists.most_alive <= 2_000


async def test_an_error_before_the_first_byte_is_a_problem_and_a_later_one_cuts_the_body() -> None:
    async with serving(Endless(fails_at=0)) as client:
        answer = await client.get(ORDERS, headers=CSV)
        assert (answer.status, answer.body["code"]) == (503, "TOO_SLOW")
        assert "content-disposition" not in answer.headers
    async with serving(Endless(fails_at=2)) as client:
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.get(ORDERS, headers=CSV)
    async with serving(Endless(), max_s=0.2) as client:
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.get(ORDERS, headers=NDJSON)


async def opened(client: Client, headers: dict[str, str]) -> aiohttp.ClientResponse:
    response = await client.session.get(client.url + ORDERS, headers=headers)
    await response.content.readany()
    return response


async def test_exports_are_bounded_and_a_client_that_leaves_frees_its_place() -> None:
    lists = Endless()
    async with serving(lists, max_exports=2) as client:
        response = await opened(client, CSV)
        refused = await client.get(ORDERS, headers=NDJSON)
        assert (refused.status, refused.body["code"]) == (503, "OVERLOADED")
        assert refused.headers["retry-after"] == "1"
        response.close()
        await asyncio.wait_for(lists.closed.wait(), 5)
        (await opened(client, NDJSON)).close()


async def _listed() -> None:
    """A handler of lists."""


async def test_a_response_that_is_never_sent_takes_no_place() -> None:
    services = FakeUseCases().services()
    exports = Exports(ExportSettings(max_exports=1), services.authenticator)
    scope = {"type": "http", "state": {CLIENT: "one"}, "route_handler": get("/")(_listed), "headers": []}
    request = cast(Any, SimpleNamespace(scope=scope))
    pages = Endless(ends_at=0)
    for _ in range(2):
        await exports.respond(request, ExportForm.CSV, Kept, "orders", cast(Any, pages.order_pages(None)))
    assert (exports.open, pages.read) == (0, 0)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", None),
        ("*/*", None),
        ("text/html,application/xhtml+xml,*/*;q=0.8", None),
        ("text/csv", ExportForm.CSV),
        ("TEXT/CSV; charset=utf-8", ExportForm.CSV),
        ("text/csv, */*", ExportForm.CSV),
        ("*/*, application/x-ndjson", ExportForm.NDJSON),
        ("application/json, text/csv;q=0.9", None),
        ("application/json;q=0.1, text/csv;q=0.5, application/x-ndjson;q=0.7", ExportForm.NDJSON),
        ("text/csv;q=0", None),
        ("text/csv;q=much", None),
    ],
)
def test_the_form_is_what_accept_prefers(accept: str, form: ExportForm | None) -> None:
    class Asking:
        class headers:  # noqa: N801
            @staticmethod
            def getall(_: str, default: object) -> list[str]:
                return [accept] if accept else cast(list[str], default)

    assert wanted_form(cast(Any, Asking)) is form
