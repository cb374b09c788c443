"""`make bench-batch`: where the time of a batch goes, beside the bare loop.

Engine and bare loop in turn, on one database and one Execution Service, all of it on the same cores: processor
time of a batch of 100 by process, and the wall time. Then the engine's own share by its steps, each timed alone on
a batch whose items are all accepted: what is left of the process's time is the driver, the HTTP client and the
loop. Only on a machine where nothing else runs.
"""

import argparse
import time
from collections.abc import Callable
from decimal import Decimal

import msgspec
import psutil
import uvloop
from prometheus_client import CollectorRegistry

from benchmarks.processor import processor_s
from trade_service.bench import bare_loop
from trade_service.bench.children import simulator
from trade_service.bench.filling import fill
from trade_service.bench.machine import described, this_machine
from trade_service.bench.runs import engine_rate
from trade_service.bench.stage import services_on
from trade_service.cli.demo_folder import database_folder, make_demo_folder, remove_demo_folder
from trade_service.execution_service import wire
from trade_service.observability.logs import configure_logs
from trade_service.observability.submission_log import SubmissionLog
from trade_service.observability.submission_metrics import BulkExecutionMetrics
from trade_service.store.embedded import EmbeddedPostgres
from trade_service.submission.announce import announce
from trade_service.submission.batch_processor import ExecutionBatchProcessor
from trade_service.submission.board import OutcomeBoard
from trade_service.submission.clock import SystemClock
from trade_service.submission.events import BatchSubmissionEvent, EventBus
from trade_service.submission.failure_handler import ExecutionFailureHandler, RetryPolicy
from trade_service.submission.messages import (
    BatchExecutionResponse,
    ExecutionResult,
    RemoteExecution,
    Security,
)
from trade_service.submission.model import (
    AttemptClosing,
    ClaimedExecution,
    GatewayReply,
    NewAttempt,
    Recorded,
    ReplyKind,
)
from trade_service.submission.stream import Stream

BATCH = 100
WARM_UP = 10_000
ROUNDS, CALLS = 20, 20


class Spent(msgspec.Struct):
    """Seconds since some beginning: of the clock, and of the processors by who used them."""

    wall: float
    service: float
    postgresql: float
    simulator: float
    idle: float

    @classmethod
    def now(cls) -> "Spent":
        """Up to now, for processes that live."""
        by_name = processor_s("postgres", "simulate")
        idle = psutil.cpu_times()
        return cls(
            time.perf_counter(),
            time.process_time(),
            by_name["postgres"],
            by_name["simulate"],
            idle.idle + getattr(idle, "iowait", 0.0),
        )

    def since(self, begun: "Spent", batches: float) -> dict[str, int]:
        """Microseconds a batch."""
        now, then = msgspec.structs.asdict(self), msgspec.structs.asdict(begun)
        return {name: round((now[name] - then[name]) / batches * 1_000_000) for name in now}


async def processes(dsn: str, base_url: str, count: int, repetitions: int) -> dict[str, dict[str, int]]:
    """Of the engine and of the bare loop, microseconds a batch. PostgreSQL's share of the bare loop is what
    the others left: its connections end with it."""
    async with services_on(dsn, base_url) as services:
        await engine_rate(services, await fill(services.engine, WARM_UP))
        totals: dict[str, list[dict[str, int]]] = {"engine": [], "bare loop": []}
        for _ in range(repetitions):
            for name in totals:
                ids = await fill(services.engine, count)
                begun = Spent.now()
                if name == "engine":
                    await engine_rate(services, ids)
                else:
                    await bare_loop.run(dsn, base_url, ids, services.settings.batch.max_concurrent)
                totals[name].append(Spent.now().since(begun, count / BATCH))
    figures = {
        name: {key: round(sum(run[key] for run in runs) / repetitions) for key in runs[0]}
        for name, runs in totals.items()
    }
    bare = figures["bare loop"]
    cores = psutil.cpu_count() or 1
    bare["postgresql"] = cores * bare["wall"] - bare["idle"] - bare["service"] - bare["simulator"]
    return figures


def steps() -> dict[str, int]:
    """The engine's own steps on a batch that is accepted whole, microseconds each; the best of many rounds."""
    ids = tuple(range(1000, 1000 + BATCH))
    clock, bus, board = SystemClock(), EventBus(), OutcomeBoard()
    processor, handler = ExecutionBatchProcessor(), ExecutionFailureHandler(RetryPolicy())
    items = [
        ClaimedExecution(i, "BUY", "ML", f"SEC{i}", Decimal("100.00000000"), Decimal("12.50000000"), 1, 300.0)
        for i in ids
    ]
    request, sent, _ = processor.build_batch_request(items)
    body = msgspec.json.encode(_answer(ids))
    response = wire.decode_batch_answer(body)
    readings = processor.process_response(sent, response, 201)
    reply = GatewayReply(ReplyKind.ANSWERED, "OK", "answered 201", 201, response, None, 3.0)
    attempt = NewAttempt("attempt", "owner", 1000, 1000, 0, 1000)

    def close() -> AttemptClosing:
        return handler.close_reply(attempt, reply, sent, readings, (), clock.dice)

    closing = close()
    recorded = [
        Recorded(o.execution_id, o.state, o.execution_service_id, 2, 2, changed=True, state_before=None)
        for o in closing.outcomes
    ]

    def tell() -> None:
        stream = Stream(board.new_watch(), clock, 10.0)
        board.join(stream.watch, stream.add(ids))
        announce(board, bus, closing, recorded)
        stream.take()

    metrics, log = BulkExecutionMetrics(CollectorRegistry()), SubmissionLog(clock.boottime)
    event = _event()
    return {
        "request built and checked": _best(lambda: processor.build_batch_request(items)),
        "request encoded": _best(lambda: wire.encode_batch_request(request)),
        "answer decoded": _best(lambda: wire.decode_batch_answer(body)),
        "answer read": _best(lambda: processor.process_response(sent, response, 201)),
        "outcomes decided": _best(close),
        "callers told": _best(tell),
        "metrics": _best(lambda: metrics(event)),
        "log line": _best(lambda: log(event)),
    }


def _answer(ids: tuple[int, ...]) -> BatchExecutionResponse:
    security = Security("SEC", "TICK")
    results = [
        ExecutionResult(
            index,
            "SUCCESS",
            None,
            RemoteExecution(
                id=5000 + index,
                execution_status="NEW",
                trade_type="BUY",
                destination="ML",
                security=security,
                quantity=Decimal(100),
                limit_price=Decimal("12.5"),
                received_timestamp="2026-01-30T15:30:00Z",
                trade_service_execution_id=execution_id,
                version=1,
            ),
        )
        for index, execution_id in enumerate(ids)
    ]
    return BatchExecutionResponse("SUCCESS", "accepted", BATCH, BATCH, 0, results)


def _event() -> BatchSubmissionEvent:
    return BatchSubmissionEvent(
        attempt_id="attempt",
        size=BATCH,
        kind=ReplyKind.ANSWERED,
        code="OK",
        message="answered 201",
        http_status=201,
        accepted=BATCH,
        rejected=0,
        retrying=0,
        unknown=0,
        exhausted=0,
        recovered=False,
        callers=1,
        queued_ms=1.0,
        claim_ms=2.0,
        call_ms=3.0,
        record_ms=2.0,
        failures=(),
    )


def _best(step: Callable[[], object]) -> int:
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(CALLS):
            step()
        best = min(best, (time.perf_counter() - begun) / CALLS)
    return round(best * 1_000_000)


async def main(arguments: argparse.Namespace) -> None:
    """Measures and prints one JSON document."""
    configure_logs("ERROR", "console")
    folder = make_demo_folder()
    try:
        async with EmbeddedPostgres.running(database_folder(folder)) as postgres, simulator(0.0) as base_url:
            costs = await processes(postgres.dsn, base_url, arguments.executions, arguments.repetitions)
    finally:
        await remove_demo_folder(folder)
    figures = {"machine": described(this_machine()), "us_a_batch": costs, "us_of_the_engine": steps()}
    print(msgspec.json.format(msgspec.json.encode(figures), indent=2).decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch_costs", description=__doc__)
    parser.add_argument("--executions", type=int, default=20_000, help="executions in each run")
    parser.add_argument("--repetitions", type=int, default=8)
    uvloop.run(main(parser.parse_args()))
