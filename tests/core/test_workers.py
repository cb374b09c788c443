"""What workers divide, and how their metrics become one."""

import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from trade_service.http_server.shared_port import ConnectionCounts, counts_size
from trade_service.observability.exposition import Exposition
from trade_service.observability.merging import encoded_metrics, merged_metrics
from trade_service.settings.load import load_settings
from trade_service.settings.sources import SettingsError
from trade_service.settings.tree import FIELDS, Settings
from trade_service.workers.shares import exceeded, processors, share_of, workers_of

DIVIDED = {name: field for name, field in FIELDS.items() if field.about.share is not None}


def settings(**values: object) -> Settings:
    return load_settings(
        {}, None, {name.replace("__", "."): value for name, value in values.items()}
    ).settings


def number(of: Settings, name: str) -> float:
    value = of.value(FIELDS[name])
    assert isinstance(value, int | float)
    return value


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_together_have_what_the_settings_say(workers: int) -> None:
    whole = settings(batch__max_concurrent=7, server__lists_per_client=3)
    shares = [share_of(whole, place, workers) for place in range(workers)]
    assert DIVIDED.keys() == {
        "server.max_body_memory_bytes",
        "server.max_concurrent_requests",
        "server.reads_per_client",
        "server.lists_at_once",
        "server.lists_per_client",
        "server.max_event_streams",
        "server.max_exports",
        "server.blotters_at_once",
        "connections.max_connections",
        "connections.max_unread_bytes",
        "rate_limit.requests_per_s",
        "rate_limit.burst",
        "database.pool_size",
        "execution_service.max_connections",
        "batch.max_concurrent",
        "batch.queue_limit",
        "names.max_connections",
    }
    for name in DIVIDED:
        assert sum(number(one, name) for one in shares) == pytest.approx(number(whole, name)), name
    for share in shares:
        assert share.server.workers == workers
        assert share.batch.max_concurrent <= share.execution_service.max_connections
        undivided = {name: field for name, field in FIELDS.items() if name not in DIVIDED}
        del undivided["server.workers"]
        assert all(share.value(field) == whole.value(field) for field in undivided.values())


def test_no_worker_has_less_than_it_needs() -> None:
    whole = settings(server__max_body_bytes=9_000_000, rate_limit__requests_per_s=0)
    share = share_of(whole, 63, 64)
    assert share.batch.max_concurrent == share.database.pool_size == share.server.lists_per_client == 1
    assert share.server.max_body_memory_bytes * 3 // 4 >= 9_000_000, "the largest body still fits"
    assert share.batch.queue_limit == 312
    assert share.rate_limit.requests_per_s == 0, "no limit stays none"
    for name in DIVIDED:
        assert number(share, name) <= number(whole, name), name


def test_limits_of_others_that_workers_exceed_are_named() -> None:
    assert list(exceeded(settings(), 4)) == []
    assert list(exceeded(settings(database__pool_size=16), 5)) == [
        "batch.max_concurrent is 4, fewer than the 5 workers: each has 1"
    ]


def test_shares_reach_a_worker_as_they_are() -> None:
    share = share_of(settings(server__workers=3, server__cors_allow_origins="https://a.example"), 1, 3)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(share), type=Settings) == share


@pytest.mark.parametrize("given", ["auto", "AUTO", 0])
def test_auto_is_one_worker_a_processor(given: str | int) -> None:
    assert workers_of(settings(server__workers=given)) == processors()
    assert FIELDS["server.workers"].show(0) == "auto"


def test_workers_in_a_file_and_in_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[server]\nworkers = "auto"\n')
    assert load_settings({}, file).settings.server.workers == 0
    assert load_settings({"TRADE_SERVICE_SERVER_WORKERS": "3"}, file).settings.server.workers == 3
    assert load_settings({}).settings.server.workers == 1


@pytest.mark.parametrize("wrong", ["many", "-1", "257", "1.5"])
def test_another_number_of_workers_is_refused(wrong: str) -> None:
    rule = "it must be a whole number from 0 to 256, or auto"
    with pytest.raises(SettingsError, match=rf"^server.workers \(command line\) is .*: {rule}$"):
        settings(server__workers=wrong)


@pytest.mark.parametrize(
    ("limit", "count"), [("max 100000", None), ("50000 100000", 1), ("100 100000", 1), ("1e9", None)]
)
def test_a_container_s_limit_of_processors_counts(tmp_path: Path, limit: str, count: int | None) -> None:
    (tmp_path / "own").write_text("0::/service\n")
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "cpu.max").write_text(limit)
    missing = tmp_path / "missing"
    assert processors(tmp_path, tmp_path / "own") == (count or processors(missing, missing))


def test_the_process_with_the_fewest_connections_is_not_ahead() -> None:
    with tempfile.TemporaryFile() as memory:
        memory.truncate(counts_size(3))
        one, two, three = (ConnectionCounts(memory.fileno(), place, 3) for place in range(3))
    assert not one.is_ahead
    one.publish(1)
    two.publish(2)
    assert (one.is_ahead, two.is_ahead, three.is_ahead) == (True, True, False)
    three.publish(1)
    assert (one.is_ahead, two.is_ahead, three.is_ahead) == (False, True, False)


def process(calls: int, state: str, duration_s: float, last: float, backlog: int) -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("trade_service_calls", "Calls.", registry=registry).inc(calls)
    circuit = Gauge("trade_service_circuit_state", "Circuit.", ("state",), registry=registry)
    for one in ("closed", "open"):
        circuit.labels(one).set(one == state)
    seconds = Histogram("seconds", "Time.", ("stage",), buckets=(1, 2), registry=registry)
    seconds.labels("call").observe(duration_s)
    Gauge("trade_service_last_success_timestamp_seconds", "Last.", registry=registry).set(last)
    Gauge("trade_service_open_executions", "Open.", registry=registry).set(backlog)
    Gauge("trade_service_queue_executions", "Waiting.", registry=registry).set(backlog)
    return registry


def shown(alive: list[bytes], ended: list[bytes]) -> dict[str, float]:
    exposition = Exposition.of(lambda: merged_metrics(alive, ended))
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in exposition.text.decode().splitlines()
        if not line.startswith("#")
    }


def test_what_was_counted_is_added_and_gauges_follow_their_rule() -> None:
    one, other = process(3, "closed", 0.5, 100, 7), process(4, "open", 1.5, 50, 5)
    merged = shown([encoded_metrics(one.collect, b""), encoded_metrics(other.collect, b"")], [])
    assert merged["trade_service_calls_total"] == 7
    assert merged['seconds_bucket{le="1.0",stage="call"}'] == 1
    assert merged['seconds_bucket{le="2.0",stage="call"}'] == 2
    assert merged['seconds_count{stage="call"}'] == 2
    assert merged['seconds_sum{stage="call"}'] == 2.0
    assert merged['trade_service_circuit_state{state="closed"}'] == 1
    assert merged['trade_service_circuit_state{state="open"}'] == 1
    assert merged["trade_service_last_success_timestamp_seconds"] == 100
    assert merged["trade_service_open_executions"] == 7, "each reads all of them from the database"
    assert merged["trade_service_queue_executions"] == 12, "each has its own queue"
    begun = [metric.samples[1].value for metric in one.collect() if metric.name == "trade_service_calls"]
    assert [merged["trade_service_calls_created"]] == pytest.approx(begun)


def test_an_ended_process_leaves_what_it_counted() -> None:
    ended = encoded_metrics(process(3, "open", 0.5, 100, 7).collect, b"")
    replaced = process(1, "closed", 0.5, 0, 2)
    for merged in (
        shown([encoded_metrics(replaced.collect, b"")], [ended]),
        shown([encoded_metrics(replaced.collect, ended)], []),
        shown([], [encoded_metrics(replaced.collect, ended)]) | {
            'trade_service_circuit_state{state="open"}': 0, "trade_service_queue_executions": 2
        },
    ):  # fmt: skip
        assert merged["trade_service_calls_total"] == 4
        assert merged['seconds_count{stage="call"}'] == 2
        assert merged["trade_service_last_success_timestamp_seconds"] == 100
        assert merged['trade_service_circuit_state{state="open"}'] == 0
        assert merged["trade_service_queue_executions"] == 2


def test_the_supervisor_loads_neither_the_web_framework_nor_the_database() -> None:
    code = (
        "import sys\n"
        "from trade_service.cli.serve import serve\n"
        "from trade_service.workers.supervisor import Supervisor\n"
        "print(sorted({'sqlalchemy', 'litestar', 'aiohttp', 'asyncpg', 'prometheus_client'} & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
