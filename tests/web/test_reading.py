"""Bodies are read strictly: what is said twice is refused, however the reader finds out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.domain.errors import InvalidInput
from trade_service.web.reading import JsonReader
from trade_service.web.v1.requests import BatchSubmit

READER = JsonReader(BatchSubmit)
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
    """One submission with all its fields in some order, and at times with more than those."""
    must = [("tradeOrderId", draw(IDS)), ("quantity", draw(QUANTITIES)), ("destinationId", draw(IDS))]
    further = [(name, value) for name, value in draw(st.lists(FURTHER, max_size=2)) if fits(name, value)]
    return list(draw(st.permutations(must + further)))


def fits(name: str, value: str) -> bool:
    """Whether it could stand there, so that nothing but a repeated name can be wrong."""
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
    """Its digits are kept as text, although no quotation marks stood around them."""
    body = spelled([("submissions", f"[{spelled(TOO_LARGE)}]")])
    read = READER.decode(body.encode())
    with pytest.raises(InvalidInput, match="quantity: must be"):
        read.to_domain()


@pytest.mark.parametrize("quantity", ["10", '"10.5"'])
def test_what_clients_send_is_read_once(quantity: str) -> None:
    one: Pairs = [("tradeOrderId", "1"), ("quantity", quantity), ("destinationId", "2")]
    body = spelled([("submissions", f"[{spelled(one)}, {spelled(one)}]")])
    assert READER.decode(body.encode()).fewest_quotes() == body.count('"')
