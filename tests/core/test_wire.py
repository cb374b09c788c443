"""The JSON of the Execution Service's messages: exact, checked, and tolerant where nothing hangs on it."""

import contextlib
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.domain.errors import InvalidInput
from trade_service.execution_service import wire
from trade_service.execution_service.tolerant import UnreadableAnswer
from trade_service.execution_service.wire import (
    decode_batch_answer,
    decode_page,
    decode_row,
    encode_batch_request,
    error_message,
    unsendable,
)
from trade_service.submission.messages import BatchExecutionRequest, ExecutionRequest, ExecutionResult

GOLDEN = Path(__file__).parent.parent / "golden"
SMALLEST = Decimal("0.00000001")
GREATEST = Decimal("9999999999.99999999")
PLAIN_NUMBER = re.compile(rb"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,8})?")


def _post(**changes: Any) -> ExecutionRequest:
    return msgspec.structs.replace(
        ExecutionRequest("NEW", "BUY", "NYSE", "AAPL00000000000000000001", Decimal(100), None, 101, 1),
        **changes,
    )


def _spelled(quantity: Decimal) -> bytes:
    body = encode_batch_request(BatchExecutionRequest([_post(quantity=quantity)]))
    return body.split(b'"quantity":')[1].split(b",")[0]


def _golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def _exactly(body: bytes) -> object:
    """JSON with its numbers as they are spelled."""
    return json.loads(body, parse_float=str, parse_int=str)


# --- out ---


def test_the_golden_request_is_what_is_sent() -> None:
    request = BatchExecutionRequest(
        [
            _post(quantity=Decimal("1234567890.12345678"), limit_price=Decimal("150.50000000")),
            _post(
                trade_type="SELL",
                destination="ML",
                security_id="MSFT00000000000000000002",
                quantity=SMALLEST,
                trade_service_execution_id=102,
            ),
            _post(
                destination="INST",
                security_id="NOSUCH000000000000000003",
                quantity=Decimal("1E+2"),
                limit_price=GREATEST,
                trade_service_execution_id=103,
            ),
        ]
    )
    assert _exactly(encode_batch_request(request)) == _exactly(_golden("batch_request.json"))


@pytest.mark.parametrize(
    ("quantity", "spelled"),
    [
        ("1234567890.12345678", b"1234567890.12345678"),
        ("1E+3", b"1000"),
        ("1.5E+3", b"1500"),
        ("1E-8", b"0.00000001"),
        ("0.00000100", b"0.00000100"),
        ("100.00000000", b"100.00000000"),
        ("100", b"100"),
        ("100.50000000", b"100.50000000"),
        ("9999999999.99999999", b"9999999999.99999999"),
        ("1.0000000000000000000000000", b"1"),
    ],
)
def test_numbers_leave_digit_for_digit_and_plain(quantity: str, spelled: bytes) -> None:
    assert _spelled(Decimal(quantity)) == spelled


@given(st.decimals(min_value=SMALLEST, max_value=GREATEST, places=8), st.integers(0, 6))
def test_every_decimal_18_8_arrives_as_it_was(quantity: Decimal, form: int) -> None:
    """In whatever way Python happens to hold it."""
    held = quantity.normalize() if form == 0 else quantity * Decimal(1).scaleb(-form) * Decimal(10) ** form
    text = _spelled(held)
    assert PLAIN_NUMBER.fullmatch(text)
    assert Decimal(text.decode()) == quantity


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_any_decimal_either_leaves_exactly_or_is_refused(quantity: Decimal) -> None:
    try:
        text = _spelled(quantity)
    except InvalidInput:
        fits = quantity.is_finite() and 0 < quantity <= GREATEST and quantity == round(quantity, 8)
        assert not fits
    else:
        assert Decimal(text.decode()) == quantity


POSTS = st.builds(
    _post,
    destination=st.text(max_size=21),
    security_id=st.text(max_size=25),
    quantity=st.decimals(min_value=-1, max_value=2 * GREATEST, places=8) | st.decimals(),
    limit_price=st.none() | st.decimals(min_value=SMALLEST, max_value=GREATEST, places=8),
    trade_service_execution_id=st.integers(-1, 2**31),
)


@given(st.lists(POSTS, min_size=1, max_size=4))
def test_the_look_at_a_whole_batch_says_what_the_look_at_each_of_its_items_says(
    posts: list[ExecutionRequest],
) -> None:
    request = BatchExecutionRequest(posts)
    told = []
    for sees_all in (wire._is_plain, lambda _posts: False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wire, "_is_plain", sees_all)
            try:
                told.append(str(_exactly(encode_batch_request(request))))
            except InvalidInput as error:
                told.append(error.message)
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "number",
    ["0", "-1", "-0", "0E-999999", "10000000000", "1E+999999", "0.000000001", "1.123456789", "NaN", "sNaN",
     "Infinity", "-Infinity"],
)  # fmt: skip
@pytest.mark.parametrize(("field", "name"), [("quantity", "quantity"), ("limit_price", "limitPrice")])
def test_a_number_that_does_not_fit_is_named(number: str, field: str, name: str) -> None:
    with pytest.raises(InvalidInput, match=rf"executions\[1\]\.{name}: .*decimal\(18,8\)"):
        encode_batch_request(BatchExecutionRequest([_post(), _post(**{field: Decimal(number)})]))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"execution_status": "x" * 21}, "executionStatus"),
        ({"trade_type": "x" * 21}, "tradeType"),
        ({"destination": "x" * 21}, "destination"),
        ({"security_id": "x" * 25}, "securityId"),
        ({"trade_service_execution_id": 0}, "tradeServiceExecutionId"),
        ({"trade_service_execution_id": 2**31}, "tradeServiceExecutionId"),
    ],
)
def test_text_and_ids_that_do_not_fit_are_named(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidInput, match=rf"executions\[0\]\.{name}: "):
        encode_batch_request(BatchExecutionRequest([_post(**changes)]))


def test_the_longest_text_fits() -> None:
    post = _post(execution_status="é" * 20, destination="é" * 20, security_id="é" * 24)
    sent = json.loads(encode_batch_request(BatchExecutionRequest([post])))["executions"][0]
    assert (sent["executionStatus"], sent["securityId"]) == ("é" * 20, "é" * 24)


@pytest.mark.parametrize("count", [0, 101])
def test_a_batch_holds_1_to_100_items(count: int) -> None:
    with pytest.raises(InvalidInput, match=f"executions: must hold 1 to 100 items; got {count}"):
        encode_batch_request(BatchExecutionRequest([_post()] * count))


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Unicode"):
        encode_batch_request(BatchExecutionRequest([_post(destination="\ud800")]))


# --- in ---


def test_the_golden_answers_are_read() -> None:
    created = decode_batch_answer(_golden("batch_answer_201.json"))
    assert created.results is not None
    assert (created.status, created.total_requested, created.successful) == ("SUCCESS", 3, 3)
    first = created.results[0].execution
    assert first is not None
    assert (first.id, first.trade_service_execution_id) == (7001, 101)
    assert first.quantity == Decimal("1234567890.12345678")
    assert first.security_name == "AAPL00000000000000000001"
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


def test_the_golden_errors_are_told() -> None:
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


def _odd_posts() -> st.SearchStrategy[ExecutionRequest]:
    """Posts of which some cannot be written, for any reason."""
    numbers = st.sampled_from([Decimal(10), Decimal("1E+3"), Decimal("NaN"), Decimal("Infinity"), Decimal(0),
                               Decimal("-1"), Decimal("1E-9"), Decimal("99999999999"), None, "many"])  # fmt: skip
    texts = st.sampled_from(["ML", "AAPL", "x" * 30, "\ud800", None, 5])
    return st.builds(
        ExecutionRequest, st.just("NEW"), st.just("BUY"), texts, texts, numbers, st.none() | numbers,
        st.sampled_from([1, 2**31, 0, None]), st.just(1),
    )  # fmt: skip


@given(st.lists(_odd_posts() | st.just(_post()), min_size=1, max_size=8))
def test_what_cannot_be_written_is_found_alone_and_the_rest_is_written(posts: list[ExecutionRequest]) -> None:
    faults = unsendable(posts)
    assert all(rule for rule in faults.values())
    rest = [one for index, one in enumerate(posts) if index not in faults]
    assert not unsendable(rest)
    if rest:
        encode_batch_request(BatchExecutionRequest(rest))
    for index in faults:
        with pytest.raises((InvalidInput, TypeError, ArithmeticError, AttributeError, ValueError)):
            encode_batch_request(BatchExecutionRequest([posts[index]]))
