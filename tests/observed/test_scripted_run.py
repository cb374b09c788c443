"""The metrics of a run with known numbers, and the documents, dashboards and alerts that use them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # no stubs are pinned
from prometheus_client.parser import text_string_to_metric_families

from tests.observed.scripted import Scripted, scripted_run
from tests.support.database import TestServer
from trade_service.cli.top import Scrape

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
DASHBOARD = ROOT / "deploy/grafana/trade-service.json"
PAGE = ROOT / "docs/metrics.md"
OURS = ("trade_service_", "http_", "hikari_")
USE = re.compile(r"\b((?:trade_service|http|hikari)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
ROW = re.compile(r"^\| `(\w+)` \| (counter|gauge|histogram) \|([^|]*)\| [^|]+ \| `(.+)` \|$", re.M)

Labels = dict[str, set[str]]


@pytest.fixture(scope="module")
async def run(postgres: TestServer, template_database: str) -> Scripted:
    return await scripted_run(postgres, template_database)


@pytest.fixture(scope="module")
def end(run: Scripted) -> Scrape:
    return run.end


def series(scrape: Scrape) -> dict[str, Labels]:
    """For each sample name its labels and their values."""
    found: dict[str, Labels] = {}
    for name, labels in scrape.samples:
        of_name = found.setdefault(name, {})
        for label, value in labels:
            of_name.setdefault(label, set()).add(value)
    return found


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def expressions() -> Iterator[tuple[str, str]]:
    """Every deployed or documented query, by its place."""
    for alert in alerts():
        yield alert["alert"], alert["expr"]
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']}", target["expr"]
    for name, _, _, query in documented().values():
        yield f"table {name}", query
    text = PAGE.read_text("utf-8")
    for number, query in enumerate(re.findall(r"```promql\n(.*?)```", text, re.S)):
        yield f"page {number}", query


def documented() -> dict[str, tuple[str, str, str, str]]:
    rows = ROW.findall(PAGE.read_text("utf-8"))
    assert len(rows) == len({row[0] for row in rows})
    return {row[0]: row for row in rows}


def wrong_in(expression: str, known: Mapping[str, Labels]) -> Iterator[str]:
    uses = USE.findall(expression)
    if not uses:
        yield "no metric of ours"
    labels: set[str] = set()
    for name, matchers in uses:
        if name not in known:
            yield f"no metric {name}"
            continue
        labels |= set(known[name])
        for label, operator, value in MATCHER.findall(matchers):
            if label not in known[name]:
                yield f"{name} has no label {label}"
            elif (
                operator in ("=", "=~")
                and "." not in value
                and not set(value.split("|")) <= known[name][label]
            ):
                yield f"{name} has no {label} {value}"
    for grouping in re.findall(r"\bby \(([^)]*)\)", expression):
        for label in re.split(r",\s*", grouping):
            if label not in labels | {"instance"}:
                yield f"nothing in it has the label {label}"


def test_every_query_asks_for_what_exists(end: Scrape) -> None:
    known = series(end)
    wrong = [f"{where}: {what}" for where, query in expressions() for what in wrong_in(query, known)]
    assert wrong == []
    assert len(list(expressions())) > 50


def test_a_wrong_query_would_be_noticed(end: Scrape) -> None:
    known = series(end)
    for query in (
        "trade_service_no_such_thing > 0",
        'trade_service_executions_total{colour="red"}',
        'trade_service_executions_total{state="lost"}',
        "sum by (colour) (trade_service_executions_total)",
        "up == 0",
    ):
        assert list(wrong_in(query, known)), query


def test_alerts_are_sound_and_each_has_its_section_in_the_runbook(end: Scrape) -> None:
    rules, known = alerts(), series(end)
    sections = re.findall(r"^## (\w+)$", (ROOT / "docs/runbook.md").read_text("utf-8"), re.M)
    assert sections == [rule["alert"] for rule in rules]
    registry = (ROOT / "console/src/pages/registry.ts").read_text("utf-8")
    pages = re.findall(r'path: "(/[\w-]+)"', registry)
    for rule in rules:
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert re.findall(r"^/console(/[\w-]+)", rule["annotations"]["console"])[0] in pages
        assert rule["labels"]["severity"] in ("critical", "warning")
        names = [name for name, _ in USE.findall(rule["expr"])]
        labels = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert labels <= {label for name in names for label in known[name]}, rule["alert"]


def test_the_runbook_names_metrics_that_exist(end: Scrape) -> None:
    text = (ROOT / "docs/runbook.md").read_text("utf-8")
    named = {name for name, _ in USE.findall(text)}
    assert named <= set(series(end)) | set(documented())


def test_the_table_names_every_metric_with_its_type_and_labels_and_no_other(run: Scripted) -> None:
    in_table = {
        name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in documented().values()
    }
    families = [
        family
        for family in text_string_to_metric_families(run.text)
        if family.name.startswith(OURS) and not family.name.endswith("_created")
    ]
    real = {
        f"{f.name}_total" if f.type == "counter" else f.name: (
            f.type,
            {label for sample in f.samples for label in sample.labels} - {"le"},
        )
        for f in families
    }
    assert in_table == real


def test_batches(end: Scrape) -> None:
    def batches(**labels: str) -> float:
        return end.total("trade_service_batches_total", **labels)

    # Four of 1, 8, 10, 5, 3, 2, 2, 1, 1, 1; again: the 3, 2 that were proven absent, twice the exhausted one.
    assert batches(origin="fresh") == 13
    assert batches(origin="recovery") == 4
    assert batches(outcome="lost") == 3
    assert end.total("trade_service_calls_total") == 17
    sizes = "trade_service_batch_size"
    assert (end.total(f"{sizes}_count"), end.total(f"{sizes}_sum")) == (17, 37 + 7)
    assert end.total(f"{sizes}_bucket", le="1.0") == 9
    callers = "trade_service_batch_callers"
    assert end.total(f"{callers}_sum") - end.total(f"{callers}_count") == 7, "eight requests in one batch"


def test_times(end: Scrape) -> None:
    name = "trade_service_batch_duration_seconds"
    assert end.by(f"{name}_count", "stage") == dict.fromkeys(
        ("whole", "queue", "claim", "call", "record"), 17
    )
    seconds = end.by(f"{name}_sum", "stage")
    assert all(0 < value < 30 for value in seconds.values())
    assert seconds["whole"] == pytest.approx(seconds["claim"] + seconds["call"] + seconds["record"])


def test_outcomes_and_retries(end: Scrape) -> None:
    outcomes = end.by("trade_service_executions_total", "state")
    # Unknown are the 2 and the 2 whose answers were lost, the one of which the ledger was not readable, and
    # one that failed three times for what may pass; what a look-up finds of them is no outcome of a batch.
    assert outcomes == {
        "accepted": 12 + 10 + 4 + 3 + 2 + 1,
        "rejected": 1,
        "retry": 3,
        "unknown": 2 + 2 + 1 + 3,
    }
    assert end.total("trade_service_executions_total", state="rejected", code="ITEM_REFUSED") == 1
    assert end.by("trade_service_retries_total", "code") == {"DOWNSTREAM_THROTTLED": 3}
    assert end.total("trade_service_exhausted_executions_total") == 1


def test_reconciliation_and_recovery(end: Scrape) -> None:
    looked_up = end.by("trade_service_looked_up_executions_total", "result")
    assert (looked_up["found"], looked_up["absent"]) == (2 + 1, 2 + 3)
    assert looked_up["unknown"] >= 1
    passes = end.by("trade_service_look_up_passes_total", "complete")
    assert passes["yes"] >= 5
    assert passes["no"] >= 1
    assert end.by("trade_service_recovered_executions_total", "how") == {"look_up": 3, "retry": 2 + 3}


def test_the_comparison_with_single_submission(end: Scrape) -> None:
    # Of the batches that were answered: 8, 10, 5, and the 3 and the 2 that were sent again.
    assert end.total("trade_service_calls_saved_total") == 7 + 9 + 4 + 2 + 1
    assert end.total("trade_service_time_saved_seconds_total") > 0


def test_batches_in_flight(run: Scripted) -> None:
    now = run.under_way
    assert now.total("trade_service_batches_in_flight") == 4
    assert now.total("trade_service_concurrency_limit") == 4
    assert now.total("trade_service_queue_executions") == 8
    assert now.total("trade_service_queue_limit") == 20_000
    assert now.total("trade_service_waited_for_executions") == 12
    assert now.total("http_requests_in_flight") == 12
    for name in ("batches_in_flight", "queue_executions", "waited_for_executions"):
        assert run.end.total(f"trade_service_{name}") == 0, name


def test_open_executions(run: Scripted) -> None:
    assert run.stuck.total("trade_service_open_executions", state="unknown") == 1
    assert 0 < run.stuck.total("trade_service_oldest_unknown_seconds") < 30
    assert run.stuck.total("trade_service_retry_overdue_seconds") == 0
    assert run.stuck.total("trade_service_backlog_readable") == 1


def test_health(end: Scrape) -> None:
    assert end.by("trade_service_alarms_total", "code") == {
        "ACCEPTED_TWICE": 0,
        "ACCEPTED_LATE": 0,
        "DOWNSTREAM_SUSPECTED": 1,
        "DOWNSTREAM_RESET": 1,
        "DOWNSTREAM_UNREAD": 0,
        "DOWNSTREAM_MOVED": 0,
        "DATABASE_RESTORED": 0,
        "LOOK_UP_DOUBTFUL": 0,
        "DOWNSTREAM_REFUSES_US": 0,
        "DOWNSTREAM_ID_IMPOSSIBLE": 0,
        "FILL_OF_UNSENT": 0,
        "FILL_OF_ARCHIVED": 0,
        "FILL_REFUSED": 0,
    }
    assert end.by("trade_service_circuit_state", "state") == {"closed": 1, "open": 0, "half_open": 0}
    assert end.total("trade_service_last_success_timestamp_seconds") > 1_700_000_000
    assert end.total("trade_service_listener_failures") == 0


def test_requests(end: Scrape) -> None:
    path = "/api/v1/tradeOrders/{trade_order_id}/submit"
    assert end.total("http_requests_total", method="POST", path=path, status="201") == 13
    assert end.total("http_request_duration_seconds_count", path=path) == 13
