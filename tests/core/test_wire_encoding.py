"""The JSON of a batch request: exact, and checked before it is sent."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.execution_service import wire
from trade_service.execution_service.wire import encode_batch
from trade_service.submission.messages import ExecutionRequest

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
    body, faults = encode_batch([_post(quantity=quantity)])
    assert not faults
    return body.split(b'"quantity":')[1].split(b",")[0]


def _exactly(body: bytes) -> object:
    """JSON with the spelling of its numbers."""
    return json.loads(body, parse_float=str, parse_int=str)


def _fault(post: ExecutionRequest) -> str:
    """The rule that a post breaks, which must not keep its neighbour from being encoded."""
    body, faults = encode_batch([_post(), post])
    assert body == encode_batch([_post()])[0]
    assert faults.keys() == {1}
    return faults[1]


def test_the_golden_request_is_what_is_sent() -> None:
    posts = [
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
    assert _exactly(encode_batch(posts)[0]) == _exactly((GOLDEN / "batch_request.json").read_bytes())


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
    """However Python represents it."""
    held = quantity.normalize() if form == 0 else quantity * Decimal(1).scaleb(-form) * Decimal(10) ** form
    text = _spelled(held)
    assert PLAIN_NUMBER.fullmatch(text)
    assert Decimal(text.decode()) == quantity


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_any_decimal_either_leaves_exactly_or_is_refused(quantity: Decimal) -> None:
    fits = quantity.is_finite() and 0 < quantity <= GREATEST and quantity == round(quantity, 8)
    if fits:
        assert Decimal(_spelled(quantity).decode()) == quantity
    else:
        assert "decimal(18,8)" in _fault(_post(quantity=quantity))


POSTS = st.builds(
    _post,
    destination=st.text(max_size=21),
    security_id=st.text(max_size=25),
    quantity=st.decimals(min_value=-1, max_value=2 * GREATEST, places=8) | st.decimals(),
    limit_price=st.none() | st.decimals(min_value=SMALLEST, max_value=GREATEST, places=8),
    trade_service_execution_id=st.integers(-1, 2**31),
)


@given(st.lists(POSTS, min_size=1, max_size=4))
def test_checking_a_whole_batch_gives_the_result_of_checking_each_item(posts: list[ExecutionRequest]) -> None:
    results = []
    for is_plain in (wire._is_plain, lambda _posts: False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wire, "_is_plain", is_plain)
            body, faults = encode_batch(posts)
            results.append((_exactly(body), faults))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "number",
    ["0", "-1", "-0", "0E-999999", "10000000000", "1E+999999", "0.000000001", "1.123456789", "NaN", "sNaN",
     "Infinity", "-Infinity"],
)  # fmt: skip
@pytest.mark.parametrize(("field", "name"), [("quantity", "quantity"), ("limit_price", "limitPrice")])
def test_a_number_that_does_not_fit_is_named(number: str, field: str, name: str) -> None:
    assert re.match(rf"{name}: .*decimal\(18,8\)", _fault(_post(**{field: Decimal(number)})))


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
    assert _fault(_post(**changes)).startswith(f"{name}: ")


def test_the_longest_text_fits() -> None:
    post = _post(execution_status="é" * 20, destination="é" * 20, security_id="é" * 24)
    sent = json.loads(encode_batch([post])[0])["executions"][0]
    assert (sent["executionStatus"], sent["securityId"]) == ("é" * 20, "é" * 24)


def test_nothing_is_encoded_for_no_posts() -> None:
    assert encode_batch([]) == (b'{"executions":[]}', {})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"destination": "\ud800"}, "Unicode"),
        ({"quantity": None}, "cannot be written as JSON: AttributeError"),
    ],
)
def test_what_cannot_be_encoded_is_left_out(changes: dict[str, Any], fault: str) -> None:
    assert fault in _fault(_post(**changes))


def _odd_posts() -> st.SearchStrategy[ExecutionRequest]:
    """Posts, some of which cannot be encoded for some reason."""
    numbers = st.sampled_from([Decimal(10), Decimal("1E+3"), Decimal("NaN"), Decimal("Infinity"), Decimal(0),
                               Decimal("-1"), Decimal("1E-9"), Decimal("99999999999"), None, "many"])  # fmt: skip
    texts = st.sampled_from(["ML", "AAPL", "x" * 30, "\ud800", None, 5])
    return st.builds(
        ExecutionRequest, st.just("NEW"), st.just("BUY"), texts, texts, numbers, st.none() | numbers,
        st.sampled_from([1, 2**31, 0, None]), st.just(1),
    )  # fmt: skip


@given(st.lists(_odd_posts() | st.just(_post()), min_size=1, max_size=8))
def test_what_cannot_be_encoded_is_left_out_alone(posts: list[ExecutionRequest]) -> None:
    body, faults = encode_batch(posts)
    assert all(faults.values())
    assert encode_batch([post for index, post in enumerate(posts) if index not in faults]) == (body, {})
    for index, fault in faults.items():
        assert encode_batch([posts[index]]) == (b'{"executions":[]}', {0: fault})
