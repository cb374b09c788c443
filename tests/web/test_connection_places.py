"""Which connections are closed to make room, and how many the limit of open files allows."""

import resource

import pytest

from trade_service.http_server.file_limit import TooFewFiles, affordable_connections
from trade_service.http_server.places import Places


class Held:
    """A connection that notes when it is dropped, and is forgotten then."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True
        self._places.forget(self)


def test_the_longest_waiting_makes_room_before_any_that_is_served() -> None:
    places = Places(3, 1_000)
    first, second, reads_slowly = Held(places), Held(places), Held(places)
    places.stalled(reads_slowly, 10)
    places.waiting |= {first: None, second: None}
    assert places.make_room()
    assert (first.dropped, second.dropped, reads_slowly.dropped) == (True, False, False)
    assert places.make_room()
    assert places.make_room()
    assert reads_slowly.dropped
    assert not places.make_room()


def test_unread_answers_share_one_budget_and_the_longest_unread_goes_first() -> None:
    places = Places(10, 100)
    slow = [Held(places) for _ in range(4)]
    for one in slow[:3]:
        places.stalled(one, 40)
    assert [one.dropped for one in slow] == [True, False, False, False]
    places.flowing(slow[1])
    places.stalled(slow[3], 60)
    assert [one.dropped for one in slow] == [True, False, False, False]


def test_an_answer_larger_than_the_budget_is_cut_off() -> None:
    places = Places(10, 100)
    one = Held(places)
    places.stalled(one, 101)
    assert one.dropped


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Limits of open files that only this test sees, the last of them in force."""
    in_force = [(256, 1_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: in_force[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: in_force.append(pair))
    return in_force


def test_the_soft_limit_is_raised_to_the_hard_one(limits: list[tuple[int, int]]) -> None:
    assert affordable_connections(800, 200) == 800
    assert limits[-1] == (1_000, 1_000)


def test_too_many_connections_are_lowered_with_a_warning(
    limits: list[tuple[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert affordable_connections(801, 200) == 800
    assert "connections_limited" in capsys.readouterr().out


def test_a_limit_that_leaves_no_place_is_an_error(limits: list[tuple[int, int]]) -> None:
    with pytest.raises(TooFewFiles, match="the limit of open files is 1000, and 1000 of them"):
        affordable_connections(1, 1_000)


def test_without_a_limit_all_are_allowed(limits: list[tuple[int, int]]) -> None:
    limits.append((256, resource.RLIM_INFINITY))
    assert affordable_connections(1_000_000, 200) == 1_000_000
