"""Every command in a block of the documentation is run as its reader types it, or has a reason in a table."""

import asyncio
import re
import shlex
import shutil
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from execution_simulator.server import RunningSimulator
from tests.core.test_bench_report import chart_of, results_of
from tests.e2e.command import LIMIT_S, Cli, Running
from tests.store.test_adoption_recovery import sent_by_the_earlier_service
from tests.support.attempts import claimed, closing
from tests.support.documents import PAGES, ROOT, blocks_of, commands_of, name_of
from tests.support.leftovers import passable_folder
from tests.support.rows import insert_executions, store_on
from tests.support.trading import run_sql
from tests.web.live import live_service
from trade_service.bench.results import Point, write_results
from trade_service.store.database import Database

FOLLOWED_ELSEWHERE = {"docs/adopt.md": "tests/e2e/test_adopted.py"}
"""Pages that another test follows, command by command."""
NOT_RUN = {
    "make run": "it is `trade-service demo`: tests/e2e/test_demo.py",
    "make test": "it runs these tests",
    "python3 -c": "a million lines and more: minutes; tests/e2e/test_submit.py submits small files",
    "/usr/bin/time": "submits those: minutes",
    "docker ": "needs Docker; `make deploy-check` builds the image with buildah, and checks the Compose files",
    "export EXECUTION_SERVICE_BASE_URL=http://host.docker.internal:8084": "for Docker",
    "kubectl": "needs a cluster",
    "helm install": "needs a cluster; `make deploy-check` renders the chart and checks what it makes",
    "useradd": "changes the machine, as root",
    "python3 -m venv /opt": "changes the machine; `make package` installs the same files into a new environment",
    "/opt/trade-service/bin/pip": "as above",
    "install -": "changes the machine, as root",
    "systemctl": "changes the machine; `make deploy-check` checks the unit",
    "pip install globeco_trade_service": "tests/test_package.py, and `make install-checks` with its dependencies",
    "trade-service bench  ": "minutes; its short form and one of its questions are run",
    "trade-service bench --quick": "tests/e2e/test_bench.py",
    "trade-service bench --full": "hours",
    "duckdb": "DuckDB is none of the tools of the tests",
}
"""Beginnings of commands that are not run here, each with the reason."""
LONG = ("trade-service bench --only size",)
"""Beginnings of commands that run with the longest tests."""
LONG_S = 600.0
EXAMPLES = {
    "trade-service resolve 4711 --accepted-as 90210": {"4711": "1", "90210": "1"},
    "trade-service resolve 4711 --not-accepted": {"4711": "2"},
    "trade-service requeue 4711 4712": {"4711": "3", "4712": "4"},
    "trade-service archive --dir /srv/trade-archive": {"/srv/trade-archive": "."},
}
"""What the reader has instead of the ids and folders in a command."""
ANSWERS = {
    "CREATED=": '"successful":1',
    "trade-service show --order 1000001": "accepted",
    "trade-service archive verify": "All are intact",
    "curl --data-binary @blotter.csv -H 'Content-Type: text/csv' -H 'Idempotency-Key": '"rows":20,"accepted":20',
    "zcat executions/": '"order_id": 1000001',
}
"""Words that the last command of a block, or a command of the service, prints."""
ASKING = ("submit", "resolve", "requeue", "pause", "resume", "recover", "archive --dir")
"""Commands that ask on a terminal, which the tests lack."""
LEFT_RUNNING = {"simulate": "http://", "serve": "Serving on "}
"""Commands that the reader leaves running, and the words by which each says that it is ready."""
TOOLS = ("bash", "curl", "jq", "zcat", "sha256sum")
ADDRESS = re.compile(r"(?:http://)?(?:localhost|127\.0\.0\.1):8082")
STRICT = 'set -euo pipefail; curl() { command curl --silent --show-error --fail "$@"; }\n'


def is_run(command: str) -> bool:
    return not command.startswith((*NOT_RUN, *LONG))


def test_every_reason_is_that_of_a_command() -> None:
    commands = [command for page in PAGES for command in commands_of(page)]
    assert [start for start in (*NOT_RUN, *LONG) if not any(one.startswith(start) for one in commands)] == []
    named = re.findall(r"tests/\w+/\w+\.py", " ".join([*NOT_RUN.values(), *FOLLOWED_ELSEWHERE.values()]))
    assert [file for file in named if not (ROOT / file).exists()] == []


class Reader:
    """Follows a page in one folder, on one database."""

    def __init__(
        self, cli: Cli, database: Database, simulator: RunningSimulator, stack: AsyncExitStack
    ) -> None:
        self.cli = cli
        self.database = database
        self.simulator = simulator
        self.missing: set[str] = set()
        """Programs that this machine lacks."""
        self._stack = stack
        self._url = ""
        self._refuses = False
        self._running: list[Running] = []

    async def follow(self, block: list[str]) -> None:
        """Runs the commands of a block: those of the service one by one, others as a script."""
        commands = [command.replace(".venv/bin/", "") for command in block if is_run(command)]
        if all(command.startswith("trade-service ") for command in commands):
            for command in commands:
                await self._command(command)
        else:
            await self._script(commands)

    async def _command(self, command: str) -> None:
        line = command
        for start, example in EXAMPLES.items():
            for shown, own in example.items() if command.startswith(start) else ():
                line = line.replace(shown, own)
        _, name, *arguments = shlex.split(line, comments=True)
        if name in LEFT_RUNNING:
            await self._start(name, arguments)
            return
        if name == "top":
            arguments += ["--url", self._url, "--every", "0.1", "--times", "1"]
        typed = " ".join([name, *arguments])
        if typed.startswith(ASKING) and not {"--yes", "--dry-run"} & {*arguments}:
            arguments.append("--yes")
        ended = await self.cli.run(name, *arguments)
        # They end with 1 if some executions were refused, as the reader wanted it.
        refused = self._refuses and name in ("submit", "requeue")
        assert ended.code in ((0, 1) if refused else (0,)), (command, ended)
        assert self._answer(command) in ended.out, (command, ended)

    async def _start(self, name: str, arguments: list[str]) -> None:
        running = await self.cli.start(name, *arguments, "--port", "0")
        self._running.append(await self._stack.enter_async_context(running))
        line = await running.line_with(LEFT_RUNNING[name])
        url = re.findall(r"http://[\d.]+:\d+", line)[0]
        if name == "simulate":
            self.cli = self.cli.under(EXECUTION_SERVICE_BASE_URL=url)
            self._refuses = "--fault" in arguments
        else:
            self._url = url

    async def _script(self, commands: list[str]) -> None:
        script = "\n".join(commands)
        missing = {tool for tool in TOOLS if re.search(rf"\b{tool}\b", script) and shutil.which(tool) is None}
        self.missing |= missing
        if missing:
            return
        if ADDRESS.search(script) and not self._url:
            live = await self._stack.enter_async_context(
                live_service(self.cli.environment["DATABASE_URL"], self.simulator)
            )
            self._url = live.client.url
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", STRICT + ADDRESS.sub(self._url, script),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=self.cli.folder,
            env={**self.cli.environment, "KEY": "none is needed"},
        )  # fmt: skip
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
        assert process.returncode == 0, (script, out, err)
        for command in commands:
            assert self._answer(command) in out.decode(), (script, out)

    def _answer(self, command: str) -> str:
        return next((words for start, words in ANSWERS.items() if command.startswith(start)), "")

    async def stop(self) -> None:
        """Ends with Ctrl-C what was left running."""
        for running in reversed(self._running):
            running.send(signal.SIGINT)
            assert (await running.ended()).code == 0


async def with_a_blotter(reader: Reader) -> None:
    assert (await reader.cli.run("sample", "blotter.csv")).code == 0


async def with_orders(reader: Reader) -> None:
    await run_sql(
        reader.database,
        """INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent)
           SELECT n, 'P', 'BUY', 'S', 100, 0 FROM generate_series(1, 10) n""",
    )


async def with_failures(reader: Reader) -> None:
    """1 is unknown and in the ledger, 2 is unknown and not there, 3 and 4 were rejected."""
    ids = await insert_executions(reader.database, 4)
    store = store_on(reader.database, settle_ms=1)
    attempt, _ = await claimed(store, ids, floor_id=0, settle_ms=1)
    states = dict(zip(ids, ("unknown", "unknown", "rejected", "rejected"), strict=True))
    await store.record(closing(attempt.attempt_id, states, next_action_in_ms=1))
    await sent_by_the_earlier_service(reader.simulator, ids[0], "BUY", "ML", "S1", "10")


async def with_old_executions(reader: Reader) -> None:
    """Traded in May 2024; the archive is the present folder."""
    reader.cli = reader.cli.under(
        TRADE_SERVICE_RETENTION_EXECUTIONS_DAYS="400", TRADE_SERVICE_RETENTION_ARCHIVE_DIR="."
    )
    await with_a_blotter(reader)
    assert (await reader.cli.run("submit", "--yes", "blotter.csv")).code == 0
    await run_sql(
        reader.database,
        """UPDATE execution SET execution_timestamp = '2024-05-03', execution_status_id = 4,
                                quantity_filled = quantity_ordered""",
    )


async def with_two_benchmarks(reader: Reader) -> None:
    for name in ("old", "new"):
        write_results(results_of(chart_of(Point(10, [100.0]))), reader.cli.folder / f"{name}.json")


PREPARED: dict[str, Callable[[Reader], Awaitable[None]]] = {
    "docs/blotters.md": with_a_blotter,
    "docs/idempotency.md": with_orders,
    "docs/operating.md": with_failures,
    "docs/performance.md": with_two_benchmarks,
    "docs/retention.md": with_old_executions,
}
"""What the reader of a page has already."""
FOLLOWED = [
    page for page in PAGES if name_of(page) not in FOLLOWED_ELSEWHERE and any(map(is_run, commands_of(page)))
]


@pytest.mark.parametrize("page", FOLLOWED, ids=name_of)
async def test_every_command_of_a_page_works(
    page: Path, cli: Cli, database: Database, simulator: RunningSimulator
) -> None:
    async with AsyncExitStack() as stack:
        reader = Reader(cli, database, simulator, stack)
        if prepare := PREPARED.get(name_of(page)):
            await prepare(reader)
        for block in blocks_of(page):
            await reader.follow(block)
        await reader.stop()
    if reader.missing:
        pytest.skip(f"followed without what this machine lacks: {', '.join(sorted(reader.missing))}")


@pytest.mark.long
@pytest.mark.parametrize("start", LONG)
async def test_a_long_command_works(start: str, bare_cli: Cli) -> None:
    (command,) = (one for page in PAGES for one in commands_of(page) if one.startswith(start))
    with passable_folder("docs") as temporary:
        typed = shlex.split(command, comments=True)[1:]
        ended = await bare_cli.under(TMPDIR=str(temporary)).run(*typed, limit_s=LONG_S)
    assert ended.code == 0, ended
