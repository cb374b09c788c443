"""The figures of `trade-service top` from two scrapes of a scripted run."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from rich.console import Console

from tests.core.test_submission_metrics import batch
from trade_service.cli.top import Figures, Replica, Replicas, Scrape, rendered
from trade_service.domain.executions import SubmissionState
from trade_service.observability.metrics import BulkExecutionMetrics
from trade_service.submission.circuit import CircuitState
from trade_service.submission.events import AlarmEvent, CircuitEvent

_S = SubmissionState


def scrape(registry: CollectorRegistry, at_s: float) -> Scrape:
    return Scrape.of(generate_latest(registry).decode(), at_s)


def shown(figures: Figures) -> list[str]:
    """The lines of the view, with single blanks."""
    console = Console(width=200)
    with console.capture() as capture:
        console.print(rendered("http://localhost", figures, 200))
    return [" ".join(line.split()) for line in capture.get().splitlines()]


def test_rates_cover_the_time_between_the_scrapes_and_gauges_the_last_one() -> None:
    registry = CollectorRegistry()
    metrics = BulkExecutionMetrics(registry)
    Gauge("trade_service_queue_executions", "waiting", registry=registry).set(7)
    metrics(batch(100))
    before = scrape(registry, 10.0)
    metrics(batch(50, (_S.REJECTED, "ITEM_REFUSED"), (_S.UNKNOWN, "ITEM_UNCLEAR"), call_ms=30.0))
    metrics(batch(30, call_ms=10.0))
    metrics(CircuitEvent(CircuitState.OPEN, "why", None, None))
    metrics(AlarmEvent("ACCEPTED_LATE", "look"))
    figures = Figures(before, scrape(registry, 12.0))
    assert figures.accepted_rate == pytest.approx((48 + 30) / 2)
    assert figures.failed_rate == pytest.approx(1 / 2)
    assert figures.rate("trade_service_calls_total") == pytest.approx(1.0)
    assert figures.executions_a_batch == pytest.approx(40)
    assert figures.stage_ms["call"] == pytest.approx(20)
    assert figures.circuit == "open"
    assert figures.reasons == [("ITEM_REFUSED", 1.0), ("ITEM_UNCLEAR", 1.0)]
    lines = shown(figures)
    assert "queue 7 of 0 circuit open" in lines
    assert "oldest unknown 0 s alarms 1" in lines
    assert "accepted 39/s failed 0/s" in lines


def test_a_restarted_service_counts_from_zero() -> None:
    old, new = CollectorRegistry(), CollectorRegistry()
    BulkExecutionMetrics(old)(batch(100))
    BulkExecutionMetrics(new)(batch(10))
    figures = Figures(scrape(old, 1.0), scrape(new, 2.0))
    assert figures.accepted_rate == pytest.approx(10)


def test_an_idle_service_can_be_shown() -> None:
    registry = CollectorRegistry()
    BulkExecutionMetrics(registry)
    figures = Figures(scrape(registry, 1.0), scrape(registry, 2.0))
    assert (figures.executions_a_batch, figures.reasons, figures.circuit) == (None, [], "closed")
    assert "calls 0.0/s executions a batch –" in shown(figures)


def test_other_text_than_prometheus_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Scrape.of("<html>{}</html>", 0.0)


def test_a_replica_that_is_not_alive_is_marked() -> None:
    empty = scrape(CollectorRegistry(), 10.0)
    replicas = Replicas(10, (Replica("one", 20, 200, 1), Replica("two", 0, 0, 3, alive=False)))
    figures = Figures(empty, scrape(CollectorRegistry(), 11.0), replicas)
    lines = shown(figures)
    assert "one 20.0/s 2.0/s 1" in lines
    assert "two (not alive) 0.0/s 0.0/s 3" in lines
    listed: Any = figures.for_programs()["replicas"]
    assert [one["alive"] for one in listed.values()] == [True, False]
