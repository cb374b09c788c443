"""Filters that choose what is sent: nothing that they say, and nothing that they leave out, widens the choice."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trade_service.domain.errors import DomainError, InvalidInput
from trade_service.trading.listing.model import EXECUTION_FIELDS, Kind, Test
from trade_service.trading.requeueing import RequeueFilter, checked_filter
from trade_service.web.list_queries import filter_names, read_filters
from trade_service.web.operating import RequeuePost
from trade_service.web.request_bodies import StrictDecoder

SPELLINGS = {
    spelling: (field, test)
    for field in EXECUTION_FIELDS.values()
    for name, test, aliases in filter_names(field)
    for spelling in (name, *aliases)
}
TEXTS = st.sampled_from(
    ["", " ", ",", "NEW", "NEW,SENT", " NEW", "1", "1,2", "1.5", "x", "true", "\0", "new"]
)
SCALARS: st.SearchStrategy[Any] = st.one_of(TEXTS, st.integers(-3, 3), st.booleans(), st.none(), st.just({}))
CONDITIONS = st.dictionaries(
    st.one_of(st.sampled_from([*SPELLINGS, "unknown", "Id"])),
    st.one_of(SCALARS, st.lists(SCALARS, max_size=3)),
    max_size=3,
)


@given(CONDITIONS)
@example({})
@example({"id": []})
@example({"executionStatus.abbreviation": "NEW,SENT"})
@example({"status": "NEW", "statuses": "SENT"})
@example({"executionStatus.abbreviation": ["NEW", ""]})
def test_every_condition_of_a_submission_counts_as_it_was_given(conditions: dict[str, Any]) -> None:
    try:
        filters = read_filters(conditions, EXECUTION_FIELDS)
    except InvalidInput:
        return
    assert len(filters) == len(conditions) > 0
    found = {(one.field, one.test): one.values for one in filters}
    for spelling, value in conditions.items():
        field, test = SPELLINGS[spelling]
        given_values = value if isinstance(value, list) else [value]
        values = found[field.name, test]
        assert 1 <= len(values) <= len(given_values)
        assert test is Test.ANY_OF or len(values) == 1
        if field.kind is Kind.TEXT:
            assert set(values) == {
                str(one).lower() if isinstance(one, bool) else str(one) for one in given_values
            }


@pytest.mark.parametrize(
    "value", ["1,2", ["1,2"], [], "", " ", [1, None], [1, ""], None, {}, [[1]], "1e9", True]
)
def test_a_condition_that_is_empty_or_several_values_in_one_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match=r"^id: must "):
        read_filters({"id": value}, EXECUTION_FIELDS)


def test_too_many_values_are_counted_before_any_is_read() -> None:
    with pytest.raises(InvalidInput, match=r"^id: must have 1 to 1000 values; got a list of 1001"):
        read_filters({"id": ["not a number"] * 1001}, EXECUTION_FIELDS)


REQUEUES = StrictDecoder(RequeuePost)
LISTS = {"states": "states", "codes": "codes", "orderIds": "order_ids", "destinations": "destinations"}
WANTED = st.dictionaries(
    st.sampled_from([*LISTS, "since", "until", "state", "orderId"]),
    st.one_of(
        st.lists(st.sampled_from(["rejected", "accepted", "", "ML", "a,b", 7, "7", 2**31, None]), max_size=3),
        st.sampled_from([None, "", "2026-01-01T00:00:00Z", 0, [], "rejected"]),
    ),
    max_size=3,
)  # fmt: skip


@given(WANTED)
@example({})
@example({"orderIds": []})
@example({"orderIds": [2**31]})
@example({"since": None})
def test_every_condition_of_a_requeue_counts_as_it_was_given(wanted: dict[str, Any]) -> None:
    body = json.dumps({"reason": "r", "filter": wanted}).encode()
    try:
        found = REQUEUES.decode(body).wanted()
        assert found is not None
        found = checked_filter(found)
    except DomainError:
        return
    assert wanted
    for name, attribute in LISTS.items():
        values = getattr(found, attribute)
        if name in wanted:
            assert [str(one) for one in values] == [str(one) for one in wanted[name]]
            assert values
        else:
            assert values == getattr(RequeueFilter(), attribute)
    assert (found.since is not None, found.until is not None) == ("since" in wanted, "until" in wanted)


@pytest.mark.parametrize("field", ["states", "codes", "order_ids", "destinations"])
def test_an_empty_list_does_not_stand_for_all(field: str) -> None:
    with pytest.raises(InvalidInput, match="must be 1 to 1000"):
        checked_filter(RequeueFilter(**{field: ()}))  # type: ignore[arg-type]
