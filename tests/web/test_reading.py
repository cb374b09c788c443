"""Bodies are read strictly: repeated names are refused in every position."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.domain.errors import InvalidInput
from trade_service.trading.listing.model import EXECUTION_FIELDS
from trade_service.web import operating, references, request_bodies, submissions, trade_orders
from trade_service.web.list_queries import read_filters
from trade_service.web.openapi.document import examples
from trade_service.web.openapi.schemas import INTEGER_TEXT, LEAST, MOST, up_to
from trade_service.web.request_bodies import (
    BatchSubmit,
    ExecutionPost,
    StrictDecoder,
    TradeOrderBulkPost,
    TradeOrderPost,
    TradeOrderSubmit,
)
from trade_service.web.submissions import ExecutionsSubmit

READER, SINGLE = StrictDecoder(BatchSubmit), StrictDecoder(TradeOrderSubmit)
Pairs = list[tuple[str, str]]


def spelled(pairs: Pairs) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in pairs) + "}"


TOO_LARGE: Pairs = [
    ("tradeOrderId", "1"),
    ("quantity", "1"),
    ("quantity", "1e9999999999999999999"),
    ("destinationId", "1"),
]
IDS = st.integers(min_value=1, max_value=10**6).map(str)
QUANTITIES = st.sampled_from(["1", "12.50", '"7"', '"0.00000001"', "1e2"])
FURTHER = st.tuples(
    st.sampled_from(["tradeOrderId", "quantity", "destinationId", "note", 'with "quotes"']),
    st.sampled_from(["1", '"1"', "2.5", "3"]),
)


@st.composite
def items(draw: st.DrawFn) -> Pairs:
    """A submission with all its fields in any order, sometimes with more."""
    must = [("tradeOrderId", draw(IDS)), ("quantity", draw(QUANTITIES)), ("destinationId", draw(IDS))]
    further = [(name, value) for name, value in draw(st.lists(FURTHER, max_size=2)) if fits(name, value)]
    return list(draw(st.permutations(must + further)))


def fits(name: str, value: str) -> bool:
    """Whether the value is valid for the field, so that only a repeated name can be wrong."""
    return not name.endswith("Id") or value.isdigit()


@given(st.lists(items(), min_size=1, max_size=4), st.booleans())
def test_a_name_said_twice_is_refused_and_nothing_else(submissions: list[Pairs], listed_twice: bool) -> None:
    listed = "[" + ", ".join(map(spelled, submissions)) + "]"
    names = ["submissions"] * (2 if listed_twice else 1)
    body = spelled([(name, listed) for name in names])
    repeats = listed_twice or any(len(dict(pairs)) < len(pairs) for pairs in submissions)
    try:
        read = READER.decode(body.encode())
    except InvalidInput as error:
        assert repeats
        assert "must be given once in an object" in error.message  # noqa: PT017  # hidden when it is not raised
    else:
        assert not repeats
        assert [one.trade_order_id for one in read.submissions] == [
            int(dict(pairs)["tradeOrderId"]) for pairs in submissions
        ]


def test_a_quantity_that_no_decimal_takes_hides_nothing() -> None:
    """Its digits are kept as text, although they were not quoted."""
    body = spelled([("submissions", f"[{spelled(TOO_LARGE)}]")])
    read = READER.decode(body.encode())
    with pytest.raises(InvalidInput, match="quantity: must be"):
        read.to_domain()
    alone = SINGLE.decode(spelled(TOO_LARGE[1:]).encode())
    with pytest.raises(InvalidInput, match="quantity: must be"):
        alone.to_domain(1)


@pytest.mark.parametrize("quantity", ["10", '"10.5"'])
def test_what_clients_send_is_read_once(quantity: str) -> None:
    one: Pairs = [("tradeOrderId", "1"), ("quantity", quantity), ("destinationId", "2")]
    body = spelled([("submissions", f"[{spelled(one)}, {spelled(one)}]")])
    assert READER.decode(body.encode()).fewest_quotes() == body.count('"')
    alone = spelled(one[1:])
    assert SINGLE.decode(alone.encode()).fewest_quotes() == alone.count('"')
    for again in one[1:]:
        with pytest.raises(InvalidInput, match="must be given once in an object"):
            SINGLE.decode(spelled([*one[1:], again]).encode())


MODULES = (references, request_bodies, operating, submissions, trade_orders)
SHAPES = {name: shape for module in MODULES for name, shape in vars(module).items()}
BODIES = [SHAPES[name] for name in examples() if name.endswith(("Post", "Put", "Submit", "Move"))]
NOT_INTEGERS = ["1.0", " 1", "1 ", "+1", "1e0", "01", "-0", "", "x", "1_0", "\u0661", "true", "9" * 5000]


def with_texts(value: Any) -> Any:
    """The same JSON with every integer as text; decimals may be text in any case."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {name: with_texts(one) for name, one in value.items()}
    return [with_texts(one) for one in value] if isinstance(value, list) else str(value)


@pytest.mark.parametrize("shape", BODIES)
def test_every_integer_of_every_body_may_be_text(shape: Any) -> None:
    """Covers every body with an example in the OpenAPI document."""
    reader: StrictDecoder[Any] = StrictDecoder(shape)
    plain = examples()[shape.__name__]
    as_text = with_texts(plain)
    read = reader.decode(json.dumps(as_text).encode())
    if hasattr(read, "to_domain") and shape.__name__ != "TradeOrderSubmit":
        assert read.to_domain() == reader.decode(json.dumps(plain).encode()).to_domain()
    for name in shape.__struct_fields__:
        said = getattr(reader.decode(json.dumps(plain).encode()), name)
        if isinstance(said, int):
            assert str(getattr(read, name)) == str(said)


@pytest.mark.parametrize("text", NOT_INTEGERS)
def test_text_that_is_no_plain_integer_is_refused_with_its_place(text: str) -> None:
    one = {"tradeOrderId": "1", "quantity": "1", "destinationId": 1}
    body = json.dumps({"submissions": [one, one | {"destinationId": text}]})
    with pytest.raises(InvalidInput, match=r"submissions\[1\]: destinationId: must be an integer") as refused:
        READER.decode(body.encode())
    assert (refused.value.details["field"], refused.value.details["index"]) == ("destinationId", 1)


def test_text_of_an_integer_that_no_column_holds_is_refused() -> None:
    body = b'{"submissions": [{"tradeOrderId": "2147483648", "quantity": 1, "destinationId": 1}]}'
    with pytest.raises(InvalidInput, match="tradeOrderId: must be an integer from -2147483648 to 2147483647"):
        READER.decode(body)


def test_text_is_read_as_an_integer_only_where_one_is_meant() -> None:
    order = {"orderId": "7", "portfolioId": "1", "orderType": "BUY", "securityId": "2", "quantity": "3"}
    read = StrictDecoder(TradeOrderBulkPost).decode(json.dumps({"tradeOrders": [order]}).encode())
    [new] = read.to_domain()
    assert (new.order_id, new.portfolio_id, new.security_id) == (7, "1", "2")
    filters = StrictDecoder(ExecutionsSubmit).decode(b'{"executionIds": ["7"], "filter": {"id": "8"}}')
    assert (filters.execution_ids, filters.filter) == ([7], {"id": "8"})


@given(st.integers(1, 10**12), st.integers(-(10**13), 10**13))
def test_the_pattern_takes_the_integers_up_to_its_bound(most: int, number: int) -> None:
    for one in (number, number % (2 * most), most - 1, most, most + 1):
        assert (re.fullmatch(up_to(most), str(one)) is not None) is (1 <= one <= most)


@given(st.integers(LEAST - 10, MOST + 10) | st.sampled_from([LEAST - 1, LEAST, MOST, MOST + 1, 0, -1]))
def test_the_pattern_of_the_description_says_what_is_read(number: int) -> None:
    body = json.dumps({"submissions": [{"tradeOrderId": str(number), "quantity": 1, "destinationId": 1}]})
    described = re.search(INTEGER_TEXT, str(number)) is not None
    try:
        assert READER.decode(body.encode()).submissions[0].trade_order_id == number
        assert described
    except InvalidInput:
        assert not described


def test_numbers_that_floats_have_blurred_are_read_wherever_a_decimal_is() -> None:
    meant = Decimal("0.2")
    order = '"orderId": 1, "portfolioId": "P", "orderType": "BUY", "securityId": "S"'
    execution = '"executionStatusId": 1, "tradeOrderId": 1, "destinationId": 1'
    for said in ("0.19999999999999998", '"0.19999999999999998"'):
        new_order = f'{{{order}, "quantity": {said}, "limitPrice": {said}}}'.encode()
        new_execution = f'{{{execution}, "quantityOrdered": {said}, "quantityFilled": {said}}}'.encode()
        part = f'{{"submissions": [{{"tradeOrderId": 1, "quantity": {said}, "destinationId": 1}}]}}'.encode()
        if said.startswith('"'):
            for shape, body in (
                (TradeOrderPost, new_order),
                (ExecutionPost, new_execution),
                (BatchSubmit, part),
            ):
                reader: StrictDecoder[Any] = StrictDecoder(shape)
                with pytest.raises(InvalidInput, match="must have at most 8 decimals"):
                    reader.decode(body).to_domain()
            continue
        created = StrictDecoder(TradeOrderPost).decode(new_order).to_domain()
        assert (created.quantity, created.limit_price) == (meant, meant)
        values = StrictDecoder(ExecutionPost).decode(new_execution).to_domain()
        assert (values.quantity_ordered, values.quantity_filled) == (meant, meant)
        assert READER.decode(part).to_domain()[0].quantity == meant
    asked = StrictDecoder(ExecutionsSubmit).decode(
        b'{"filter": {"quantityOrdered.min": 0.19999999999999998}}'
    )
    [condition] = read_filters(asked.filter or {}, EXECUTION_FIELDS)
    assert condition.values == (meant,)
