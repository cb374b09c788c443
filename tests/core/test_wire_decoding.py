"""The JSON of the Execution Service's answers: exact, and tolerant of fields that decide nothing."""

import contextlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.execution_service.wire import (
    MAX_VALUES,
    UnreadableAnswer,
    decode_batch_answer,
    decode_page,
    decode_row,
    error_message,
)
from trade_service.submission.messages import ExecutionResult

GOLDEN = Path(__file__).parent.parent / "golden"


def _golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def test_the_golden_answers_are_read() -> None:
    created = decode_batch_answer(_golden("batch_answer_201.json"))
    assert created.results is not None
    assert (created.status, created.total_requested, created.successful) == ("SUCCESS", 3, 3)
    first = created.results[0].execution
    assert first is not None
    assert (first.id, first.trade_service_execution_id) == (7001, 101)
    partly = decode_batch_answer(_golden("batch_answer_207.json"))
    assert [result.status for result in partly.results or ()] == ["SUCCESS", "SUCCESS", "FAILED"]
    refused = decode_batch_answer(_golden("batch_answer_400_results.json"))
    assert [result.execution for result in refused.results or ()] == [None, None, None]
    malformed = decode_batch_answer(_golden("batch_answer_400_malformed.json"))
    assert (malformed.results, malformed.status, malformed.total_requested) == (None, None, None)


def test_the_golden_page_is_read() -> None:
    page = decode_page(_golden("executions_page.json"))
    assert [row.id for row in page.content] == [7003, 7002]
    assert page.content[0].quantity == Decimal(100)
    assert page.pagination is not None
    assert (page.pagination.has_next, page.pagination.total_elements) == (True, 3)


def test_the_golden_error_messages_are_read() -> None:
    assert error_message(_golden("batch_answer_500.json")).startswith("An unexpected error occurred")
    assert "tradeType must be BUY or SELL" in error_message(_golden("batch_answer_400_malformed.json"))
    assert error_message(b"<html>\n  <h1>Bad\tGateway</h1>\n</html>") == "<html> <h1>Bad Gateway</h1> </html>"
    assert error_message(b'{"error":"Not Found"}') == "Not Found"
    assert error_message(b'{"message":"","error":null}') == ""
    assert error_message(b"\xff\xfe") == "��"


@pytest.mark.parametrize(
    ("text", "value"),
    [("12.50", "12.50"), ('"12.50"', "12.50"), ("1E3", "1000"), ("0.1", "0.1"), ("5", "5")],
)
def test_numbers_arrive_exactly_as_numbers_or_text(text: str, value: str) -> None:
    page = decode_page(b'{"content":[{"id":1,"quantity":%s}]}' % text.encode())
    assert page.content[0].quantity == Decimal(value)


def _results(*results: str) -> list[ExecutionResult]:
    return decode_batch_answer(b'{"results":[%s]}' % ",".join(results).encode()).results or []


GOOD = '{"requestIndex":1,"status":"SUCCESS","execution":{"id":9,"tradeServiceExecutionId":102}}'


@pytest.mark.parametrize(
    "odd",
    [
        '"receivedTimestamp":1700000000.5', '"receivedTimestamp":1700000000', '"receivedTimestamp":{"s":1}',
        '"receivedTimestamp":null', '"security":null', '"security":"AAPL"', '"security":{"ticker":5}',
        '"version":"one"', '"executionStatus":5', '"quantity":"many"', '"limitPrice":[]',
        '"sentTimestamp":[]',
        '"unheardOf":{"a":[1,{"b":null}]}',
    ],
)  # fmt: skip
def test_an_odd_field_that_decides_nothing_spoils_nothing(odd: str) -> None:
    strange = '{"requestIndex":0,"status":"SUCCESS","execution":{"id":8,"tradeServiceExecutionId":101,%s}}'
    first, second = _results(strange % odd, GOOD)
    assert (first.request_index, first.status) == (0, "SUCCESS")
    assert first.execution is not None
    assert (first.execution.id, first.execution.trade_service_execution_id) == (8, 101)
    assert second.execution is not None
    assert (second.status, second.execution.id) == ("SUCCESS", 9)


@pytest.mark.parametrize(
    "odd",
    [
        '{"requestIndex":0,"status":"SUCCESS","execution":{"id":"eight","tradeServiceExecutionId":101}}',
        '{"requestIndex":0,"status":"SUCCESS","execution":{"id":8,"tradeServiceExecutionId":[]}}',
        '{"requestIndex":0,"status":"FAILED","execution":"gone"}',
        '{"requestIndex":0,"status":17,"execution":null}',
        '{"requestIndex":0,"status":["FAILED"]}',
    ],
)
def test_an_odd_field_that_decides_takes_the_status_of_its_own_result_only(odd: str) -> None:
    first, second = _results(odd, GOOD)
    assert (first.request_index, first.status) == (0, None)
    assert second.execution is not None
    assert (second.status, second.execution.id) == ("SUCCESS", 9)


def test_a_result_that_is_none_and_an_index_that_is_none_are_left_to_the_processor() -> None:
    assert [result.request_index for result in _results("null", "5", '{"requestIndex":"first"}', GOOD)] == [
        None,
        1,
    ]


def test_a_reason_of_another_type_is_kept_as_text() -> None:
    (result,) = _results('{"requestIndex":0,"status":"FAILED","message":{"cause":"connection timeout"}}')
    assert result.status == "FAILED"
    assert result.message is not None
    assert "connection timeout" in result.message


def test_results_of_another_type_are_no_results_but_not_missing_either() -> None:
    assert decode_batch_answer(b'{"results":{"0":"SUCCESS"}}').results == []
    assert decode_batch_answer(b'{"results":null,"status":5}').results is None


@pytest.mark.parametrize(
    "body",
    [b"", b"   ", b"[]", b"null", b'"x"', b"17", b"<html>", b'{"results":[', b"{}{}", b"\xff\xfe{\x00}\x00",
     b'{"status":"\xff"}', b'{"deep":' + b"[" * 100_000],
    ids=range(12),
)  # fmt: skip
def test_what_is_no_json_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        decode_batch_answer(body)
    with pytest.raises(UnreadableAnswer):
        decode_page(body)


@pytest.mark.parametrize(
    "row",
    [
        "null", "5", "{}", '{"id":null}', '{"id":"x"}', '{"id":1,"tradeServiceExecutionId":"x"}',
        '{"id":1,"quantity":"many"}', '{"id":1,"quantity":"NaN"}', '{"id":1,"security":"AAPL"}',
        '{"id":1,"security":{"securityId":5}}', '{"id":1,"securityId":5}', '{"id":1,"tradeType":5}',
        '{"id":1,"destination":[]}',
    ],
)  # fmt: skip
def test_a_row_that_may_be_ours_makes_its_page_unreadable(row: str) -> None:
    """Skipped over, it could be taken for a proof of absence."""
    with pytest.raises(UnreadableAnswer):
        decode_page(b'{"content":[{"id":2},%s]}' % row.encode())


@pytest.mark.parametrize(
    "row",
    ['"receivedTimestamp":{}', '"version":"x"', '"limitPrice":"x"', '"executionStatus":5', '"security":null'],
)
def test_a_row_with_an_odd_field_that_decides_nothing_is_read(row: str) -> None:
    page = decode_page(
        b'{"content":[{"id":7,"tradeServiceExecutionId":101,"quantity":0.1,%s}]}' % row.encode()
    )
    (read,) = page.content
    assert (read.id, read.trade_service_execution_id, read.quantity) == (7, 101, Decimal("0.1"))


@given(st.binary(max_size=60))
def test_no_body_does_more_than_be_unreadable(body: bytes) -> None:
    for decode in (decode_batch_answer, decode_page):
        try:
            decode(body)
        except UnreadableAnswer:
            continue
    error_message(body)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(
    st.dictionaries(st.sampled_from(["requestIndex", "status", "message", "execution"]), JSON_VALUES),
    st.dictionaries(st.sampled_from(["id", "tradeServiceExecutionId", "security", "quantity"]), JSON_VALUES),
)
def test_whatever_one_result_holds_the_next_one_is_read(
    odd: dict[str, Any], execution: dict[str, Any]
) -> None:
    results = _results(json.dumps({**odd, "execution": odd.get("execution", execution)}), GOOD)
    assert results[-1].execution is not None
    assert (results[-1].status, results[-1].execution.id) == ("SUCCESS", 9)


MARK = b"\xef\xbb\xbf"


def test_a_byte_order_mark_is_read_over() -> None:
    batch = b'{"results":[{"requestIndex":0,"status":"SUCCESS","execution":{"id":102}}]}'
    assert decode_batch_answer(MARK + batch) == decode_batch_answer(batch)
    row = b'{"id":7,"tradeServiceExecutionId":1,"quantity":2}'
    listing = b'{"content":[%s],"pagination":{"hasNext":false}}' % row
    assert decode_page(MARK + listing) == decode_page(listing)
    assert decode_row(MARK + row).content == decode_page(listing).content
    assert error_message(MARK + b'{"message":"no"}') == "no"


ODD_NUMBERS = [b"1e2000000", b"1e99999999999999999999", b"-1e-99999999999999999999", b"NaN", b'"NaN"', b"1e400",
               b'"1e99999999999999999999"', b"9" * 5000, b"1." + b"9" * 50_000, b"true", b"[]", b"{}"]  # fmt: skip


@pytest.mark.parametrize("number", ODD_NUMBERS, ids=range(len(ODD_NUMBERS)))
@pytest.mark.parametrize(
    "field", ["id", "tradeServiceExecutionId", "quantity", "limitPrice", "receivedTimestamp"]
)
def test_no_number_does_more_than_make_its_page_unreadable(field: str, number: bytes) -> None:
    row = {"id": b"5", "quantity": b"1"} | {field: number}
    text = b",".join(b'"%s":%s' % (name.encode(), value) for name, value in row.items())
    with contextlib.suppress(UnreadableAnswer):
        decode_page(b'{"content":[{%s}],"pagination":{"hasNext":false}}' % text)
    with contextlib.suppress(UnreadableAnswer):
        decode_row(b"{%s}" % text)


@pytest.mark.parametrize("number", [b"1e99999999999999999999", b"3000000000", b"[]", b"1e400"])
def test_an_odd_number_of_one_result_spoils_no_other(number: bytes) -> None:
    odd = '{"requestIndex":0,"status":"SUCCESS","execution":{"id":%s,"tradeServiceExecutionId":101}}'
    _, second = _results(odd % number.decode(), GOOD)
    assert second.execution is not None
    assert (second.status, second.execution.id) == ("SUCCESS", 9)


def test_an_answer_with_too_many_values_is_not_decoded() -> None:
    for decode, body in (
        (decode_page, b'{"content":[%s]}'),
        (decode_batch_answer, b'{"x":[%s]}'),
    ):
        decode(body.replace(b"%s", b",".join([b'{"id":1}'] * MAX_VALUES)))
        with pytest.raises(UnreadableAnswer, match="more than 20000 values"):
            decode(body.replace(b"%s", b",".join([b'{"id":1}'] * (MAX_VALUES + 2))))


def test_an_unreadable_row_is_named() -> None:
    with pytest.raises(UnreadableAnswer, match=r"^execution 7: quantity: "):
        decode_page(b'{"content":[{"id":7,"quantity":1e9999999999999999999}]}')
