"""Blotters over HTTP: read, refused and sent as the command does it, whole or not at all."""

import asyncio
import csv
import io
import itertools
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest

from tests import blotters
from tests.blotters.reading import RULES
from tests.blotters.workbooks import Value, xlsx
from tests.support.database import TestServer
from tests.support.trading import run_sql, value_of
from tests.web.live import Live, behave, live_alone
from tests.web.support import Answer
from trade_service.blotter.file_refusals import FileRefused
from trade_service.blotter.reading_process import ReadingTask
from trade_service.blotter.sheet_process import SheetBounds
from trade_service.store import blotter_store
from trade_service.submission.ports import StoreUnavailable
from trade_service.web.blotter_uploads import BlotterUploads
from trade_service.web.web_settings import ServerSettings

CHECK, SUBMIT = "/api/v2/blotters/check", "/api/v2/blotters/submit"
HEADER = "order_id,portfolio_id,order_type,security_id,quantity,destination,limit_price,note\n"
FILES = Path(blotters.__file__).parent
CASES = tomllib.loads((FILES / "cases.toml").read_text("utf-8"))["case"]
CHOSEN = (
    "text_guards.csv",
    "blank_rows.csv",
    "invisible_characters.csv",
    "sep_line.csv",
    "trailing_delimiters.csv",
    "formula.csv",
    "carriage_returns.csv",
    "bad_numbers.csv",
    "contradicting_dates.csv",
    "array.json",
    "built_in_formats.xlsx",
)
"""One of each kind; tests/blotters reads all of them with the same reader."""
_ids = itertools.count(5_000_000)


@pytest.fixture(scope="module")
async def running(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    server = ServerSettings(blotters_at_once=8, max_body_bytes=900_000, shutdown_grace_s=2.0)
    async with live_alone(postgres, template_database, server=server) as service:
        yield service


@pytest.fixture
def live(running: Live) -> Live:
    behave(running.simulator)
    return running


async def sent(
    live: Live, path: str, file: str | bytes, headers: dict[str, str] | None = None, **query: Any
) -> Answer:
    """Sends a file as the body."""
    body = file.encode() if isinstance(file, str) else file
    asked = f"{path}?{urlencode(query, doseq=True)}" if query else path
    return await live.client.post(asked, raw=body, headers={"Content-Type": "text/csv"} | (headers or {}))


def row(quantity: object = 100, side: str = "BUY", price: str = "9.5", note: str = "") -> str:
    return f"{next(_ids)},P1,{side},IBM,{quantity},ML,{price},{note}\n"


async def finished(live: Live, location: str) -> Any:
    """A bulk submission once nothing of it is pending."""
    async with asyncio.timeout(20):
        while (answer := await live.client.get(location)).body["pending"]:
            await asyncio.sleep(0.05)
    return answer.body


async def orders(live: Live) -> int:
    count: int = await value_of(live.services.database, "SELECT count(*) FROM trade_order")
    return count


def records(answer: Answer) -> list[dict[str, str]]:
    assert answer.status == 200, answer.raw
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.raw.decode(), newline="")))


async def test_a_check_says_how_the_file_is_read_and_what_would_be_sent(live: Live) -> None:
    before = await orders(live)
    file = (
        "Order;Side;Shares;Broker ref;Preis\n"
        + "".join(f"{next(_ids)};B;1.000;x;9,5\n" for _ in range(60))
        + f"{next(_ids)};S;0;y;1,25\n"
        + f"{next(_ids)};S;7;y;\n"
    )
    options: dict[str, Any] = {
        "map": ["Order=order_id", "Preis=limit_price", "Broker ref="],
        "set": ["destination=ML", "portfolio_id=P7", "security_id=IBM"],
        "decimal": "comma",
        "filename": "auftrag.csv",
    }
    answer = await sent(live, CHECK, file, **options)
    assert answer.status == 200, answer.raw
    body = answer.body
    assert (body["fileName"], body["form"]) == ("auftrag.csv", "csv, UTF-8, separated by a semicolon")
    assert (body["rows"], body["accepted"], body["refused"], body["moreRejects"]) == (62, 61, 1, False)
    columns = {one["name"]: (one["field"], one["isIgnored"]) for one in body["columns"]}
    assert columns["Shares"] == ("quantity", False)
    assert columns["Broker ref"] == (None, True)
    (reject,) = body["rejects"]
    assert (reject["line"], reject["column"], reject["code"]) == (62, "Shares", "BAD_LINE")
    assert "must be greater than zero" in reject["rule"]
    assert len(body["preview"]) == 50
    assert body["preview"][0] | {"orderId": 0} == {
        "line": 2, "orderId": 0, "portfolioId": "P7", "orderType": "BUY", "securityId": "IBM", "quantity": 1000,
        "limitPrice": 9.5, "tradeTimestamp": None, "destination": "ML", "blotter": None,
    }  # fmt: skip
    totals = body["totals"]
    assert (totals["toSend"], totals["new"], totals["withoutPrice"]) == (61, 61, 1)
    assert totals["bySide"]["BUY"] == {"orders": 60, "quantity": 60_000, "value": 570_000}
    assert any("equal an earlier one" in warning for warning in body["warnings"])
    assert await orders(live) == before
    changed = await sent(live, SUBMIT, file, **options | {"decimal": "point", "checksum": body["checksum"]})
    assert (changed.status, changed.body["code"]) == (409, "BLOTTER_CHANGED")


async def test_files_have_the_outcome_that_the_command_gives_them(live: Live) -> None:
    chosen = [case for case in CASES if case["file"] in CHOSEN]
    assert len(chosen) == len(CHOSEN)
    for case in chosen:
        answer = await sent(live, CHECK, (FILES / "files" / case["file"]).read_bytes())
        if "refused" in case:
            assert (answer.status, answer.body["code"]) == (400, "BLOTTER_REFUSED"), case["file"]
            assert case["refused"] in answer.body["message"], case["file"]
            continue
        body = answer.body
        assert body["accepted"] == len(case.get("orders", [])), case["file"]
        found = [(f"{one['line']} {one['column']}", one["rule"]) for one in body["rejects"]]
        wanted = [tuple(error.split(": ", 1)) for error in case.get("errors", [])]
        assert [place for place, _ in found] == [place for place, _ in wanted], case["file"]
        assert all(part in rule for (_, rule), (_, part) in zip(found, wanted, strict=True)), case["file"]
        assert tuple(body["doubts"]) == tuple(case.get("doubts", ())), case["file"]


async def test_refused_rows_come_back_safe_and_are_read_again(live: Live) -> None:
    bad = row('"=HYPERLINK(""http://x"")"', note="=1+1")
    file = HEADER + row() + bad + row(-5) + row(side="SELL SHORT")
    rejects = await sent(live, CHECK, file, headers={"Accept": "text/csv"})
    rows = records(rejects)
    assert [(one["result_line"], one["result_state"], one["result_code"]) for one in rows] == [
        ("3", "refused", "BAD_LINE"),
        ("4", "refused", "BAD_LINE"),
        ("5", "refused", "BAD_LINE"),
    ]
    assert (rows[0]["quantity"], rows[0]["note"]) == ('\'=HYPERLINK("http://x")', "'=1+1")
    again = (await sent(live, CHECK, rejects.raw)).body
    assert (again["rows"], again["refused"]) == (3, 3)
    corrected = rejects.raw.decode().replace("'-5", "5")
    assert (await sent(live, CHECK, corrected)).body["accepted"] == 1


async def test_good_rows_are_sent_as_one_submission_and_the_others_can_be_downloaded(live: Live) -> None:
    file = HEADER + "".join(row(n) for n in range(1, 601)) + row(0) + row("1.5x")
    live.simulator.script(["item_fail_permanent:3"])
    answer = await sent(live, SUBMIT, file)
    assert answer.status == 202, answer.raw
    body, location = answer.body, answer.headers["location"]
    assert location == f"/api/v2/submissions/{body['submissionId']}"
    assert (body["rows"], body["accepted"], body["refused"], body["executions"]) == (602, 600, 2, 600)
    assert [one["line"] for one in body["rejects"]] == [602, 603]
    done = await finished(live, location)
    assert (done["totalRequested"], done["successful"] + done["failed"]) == (600, 600)
    assert done["failed"] >= 1
    (newest,) = (await live.client.get("/api/v2/submissions?limit=1")).body["submissions"]
    assert (newest["submissionId"], newest["isBlotter"]) == (body["submissionId"], True)
    base = f"/api/v2/blotters/{body['submissionId']}"
    rejects = records(await live.client.get(f"{base}/rejects"))
    assert len(rejects) == done["failed"] + 2
    assert {one["result_state"] for one in rejects} == {"rejected", "refused"}
    results = records(await live.client.get(f"{base}/results"))
    assert [int(one["result_line"]) for one in results] == list(range(2, 604))
    assert sum(one["result_state"] == "accepted" for one in results) == done["successful"]
    await live.accounts_agree()
    again = await sent(live, SUBMIT, file)
    assert (again.status, again.body["accepted"]) == (202, 600)
    redone = await finished(live, again.headers["location"])
    assert redone["successful"] == 600
    await live.accounts_agree()
    log = await live.client.get("/api/v2/audit-log?limit=1000")
    actions = [
        (entry["action"], entry["objectCount"])
        for entry in log.body["entries"]
        if entry["requestId"] == answer.headers["x-request-id"]
    ]
    assert sorted(actions) == [("create", 600), ("submit", 600)]


async def test_a_repeat_with_the_same_key_gets_the_same_submission(live: Live) -> None:
    key, file = {"Idempotency-Key": "blotter-1"}, HEADER + row() + row(0)
    first, second = [await sent(live, SUBMIT, file, headers=key) for _ in range(2)]
    assert (first.status, second.status) == (202, 202)
    assert (second.raw, second.headers["idempotent-replayed"]) == (first.raw, "true")
    lost = "UPDATE idempotency_key SET status = NULL, headers = NULL, body = NULL, running_until = now()"
    await run_sql(live.services.database, lost)
    rebuilt = await sent(live, SUBMIT, file, headers=key)
    assert (rebuilt.status, rebuilt.body) == (202, first.body)
    other = await sent(live, SUBMIT, file + row(), headers=key)
    assert (other.status, other.body["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_order_ids_that_exist_are_resumed_and_others_trades_refused(live: Live) -> None:
    same, taken, free = row(10), row(20), row(30)
    assert (await sent(live, SUBMIT, HEADER + same + taken)).status == 202
    other = taken.replace(",20,", ",21,")
    answer = await sent(live, SUBMIT, HEADER + same + other + free + free.replace("IBM", "AAPL"))
    assert (answer.body["accepted"], answer.body["refused"]) == (1, 3)
    codes = [(one["line"], one["code"]) for one in answer.body["rejects"]]
    assert codes == [(3, "ALREADY_EXISTS"), (4, "BAD_LINE"), (5, "BAD_LINE")]
    check = (await sent(live, CHECK, HEADER + same + other)).body
    assert (check["accepted"], check["totals"]["toSend"], check["totals"]["sentBefore"]) == (1, 0, 1)
    assert "another quantity" in check["rejects"][0]["message"]


async def test_the_same_file_at_the_same_time_is_sent_once(live: Live) -> None:
    rows = [row() for _ in range(250)]
    files = [HEADER + "".join(rows), HEADER + "".join(reversed(rows))]
    answers = await asyncio.gather(*(sent(live, SUBMIT, file) for file in files * 2))
    assert [one.status for one in answers] == [202] * 4, [one.raw for one in answers]
    assert {one.body["executions"] for one in answers} == {250}
    for answer in answers:
        assert (await finished(live, answer.headers["location"]))["successful"] == 250
    await live.accounts_agree()


async def test_all_is_created_or_nothing(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await orders(live)

    async def fails(*_: object) -> None:
        raise StoreUnavailable("gone")

    file = HEADER + "".join(row() for _ in range(150))
    with monkeypatch.context() as patched:
        patched.setattr(blotter_store, "begin_bulk", fails)
        answer = await sent(live, SUBMIT, file)
    assert (answer.status, answer.body["code"]) == (503, "STORE_UNAVAILABLE")
    assert await orders(live) == before
    strict = await sent(live, SUBMIT, file + row(0), strict="true")
    assert (strict.status, strict.body["code"]) == (400, "BLOTTER_REFUSED")
    nothing = await sent(live, SUBMIT, HEADER + row(0))
    assert (nothing.status, nothing.body["code"]) == (400, "BLOTTER_REFUSED")
    assert await orders(live) == before
    assert (await sent(live, SUBMIT, file)).body["executions"] == 150
    assert await orders(live) == before + 150


async def test_what_cannot_be_read_is_refused_by_name(live: Live) -> None:
    header: list[Value] = [*HEADER.strip().split(",")]
    cells: list[list[Value]] = [header, [str(next(_ids)), "P1", "BUY", "IBM", 5, "ML", 1, ""]]
    book = xlsx({"One": cells, "Two": cells})
    several = await sent(live, CHECK, book, headers={"Content-Type": "application/octet-stream"})
    assert (several.status, several.body["code"]) == (400, "BLOTTER_REFUSED")
    assert "choose one with sheet (One, Two)" in several.body["message"]
    assert several.body["details"] == {
        "question": "SHEET", "parameter": "sheet", "reason": "it has several sheets", "choices": ["One", "Two"],
        "fields": [], "columns": [],
    }  # fmt: skip
    assert (await sent(live, CHECK, book, sheet="Two")).body["accepted"] == 1
    for headers in ({"Content-Type": "multipart/form-data; boundary=x"}, {"Content-Encoding": "gzip"}):
        refused = await sent(live, CHECK, HEADER, headers=headers)
        assert (refused.status, refused.body["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    for name, value in (("map", "x"), ("decimal", "dot"), ("timeZone", "Mars"), ("sheets", "One")):
        answer = await sent(live, f"{CHECK}?{name}={value}", HEADER + row())
        assert (answer.status, answer.body["code"]) == (400, "INVALID_INPUT"), name
    assert (await sent(live, CHECK, b"")).body["code"] == "BLOTTER_REFUSED"
    assert (await sent(live, CHECK, b"x" * 950_000)).body["code"] == "BODY_TOO_LARGE"
    many = HEADER + "".join(row() for _ in range(10_001))
    assert "more than 10,000 rows" in (await sent(live, CHECK, many)).body["message"]
    absent = await live.client.get("/api/v2/blotters/00000000-0000-7000-8000-000000000000/rejects")
    assert (absent.status, absent.body["code"]) == (404, "NOT_FOUND")


QUESTIONS: dict[str, dict[str, Any]] = {
    "order_id,side,symbol,qty,Memo\n": {
        "question": "MISSING_FIELDS", "parameter": "map", "fields": ["portfolio_id", "destination"],
        "columns": ["order_id", "side", "symbol", "qty", "Memo"],
    },
    HEADER.replace("quantity", "qty,shares") + "1,P,BUY,IBM,5,6,ML,1,\n": {
        "question": "COLUMN_OF_FIELD", "parameter": "map", "fields": ["quantity"], "columns": ["qty", "shares"],
    },
    HEADER.replace("limit_price", "Price") + row(): {
        "question": "FIELD_OF_COLUMN", "parameter": "map", "fields": ["limit_price"], "columns": ["Price"],
    },
    HEADER + "1,P,BUY,IBM,\"1,234\",ML,1,\n": {
        "question": "DECIMAL_SIGN", "parameter": "decimal", "choices": ["point", "comma"],
    },
    HEADER.replace("note", "trade_timestamp") + "1,P,BUY,IBM,5,ML,1,03/04/2026 10:00Z\n": {
        "question": "DATE_ORDER", "parameter": "dates", "choices": ["day", "month"],
    },
    HEADER.replace("note", "trade_timestamp") + "1,P,BUY,IBM,5,ML,1,2026-04-03 10:00\n": {
        "question": "TIME_ZONE", "parameter": "timeZone",
    },
    "[]": {"question": None},
}  # fmt: skip
NOTHING: dict[str, Any] = {"choices": [], "fields": [], "columns": []}


async def test_a_refused_file_says_what_to_choose(live: Live) -> None:
    for file, expected in QUESTIONS.items():
        answer = await sent(live, CHECK, file)
        assert (answer.status, answer.body["code"]) == (400, "BLOTTER_REFUSED"), answer.raw
        details = answer.body["details"]
        reason = details.pop("reason")
        assert answer.body["message"].startswith(f"blotter: {reason}")
        known = NOTHING if expected["question"] else {}
        assert details == known | expected, file


async def test_a_client_that_leaves_ends_the_reading_of_its_file(live: Live) -> None:
    large = HEADER + "".join(row() for _ in range(9_000))
    leaving = asyncio.create_task(sent(live, CHECK, large))
    async with asyncio.timeout(10):
        while not _readers():
            await asyncio.sleep(0.005)
        (reader,) = _readers()
        reader.suspend()  # It would end by itself.
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        while _readers():
            await asyncio.sleep(0.01)


def _readers() -> list[psutil.Process]:
    return [
        one for one in psutil.Process().children() if any("reading_process" in part for part in one.cmdline())
    ]


def _task(**bounds: int) -> ReadingTask:
    return ReadingTask(RULES, 10_000, 1_000, SheetBounds(**bounds))


async def test_a_reading_that_is_given_up_leaves_no_process() -> None:
    uploads, large = BlotterUploads(1), (HEADER + row() * 200_000).encode()
    reading = asyncio.create_task(uploads.read(large, _task(), "a"))
    waiting = asyncio.create_task(uploads.read((HEADER + row()).encode(), _task(), "b"))
    async with asyncio.timeout(10):
        while not _readers():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        assert len(_readers()) == 1
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert (await waiting).rows == 1
    assert not _readers()


async def test_a_reading_is_bounded() -> None:
    uploads = BlotterUploads(2)
    large = (HEADER + "".join(row(note="x" * 900) for _ in range(2))).encode()
    with pytest.raises(FileRefused, match="more than 1,000 characters in its cells"):
        await uploads.read(large, _task(), "a")
    with pytest.raises(FileRefused, match="ended early"):
        await uploads.read((HEADER + row() * 200_000).encode(), _task(memory_bytes=2**20), "a")
