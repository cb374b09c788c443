"""`trade-service demo` does the whole main job and leaves nothing behind."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from execution_simulator.faults import FAULTS
from tests.e2e.command import LIMIT_S, Cli
from tests.support.leftovers import alive_in, files_in, passable_folder
from trade_service.cli.demo import CLASSES, demo_simulator, fault_script
from trade_service.cli.demo_console import _trade


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder that the database's user can traverse."""
    with passable_folder("demo") as folder:
        yield folder


async def gone(folder: Path) -> None:
    async with asyncio.timeout(60):
        while alive_in(folder) or files_in(folder):
            await asyncio.sleep(0.05)


async def test_it_shows_the_main_job_and_leaves_nothing(bare_cli: Cli, temporary: Path) -> None:
    ended = await bare_cli.under(TMPDIR=str(temporary), DATABASE_URL="mysql://unused").run(
        "demo", "--orders", "600", "--latency-ms", "1"
    )
    assert ended.code == 0, ended
    assert ended.err == ""
    assert "600 executions" in ended.out
    assert "600 submitted = 0 queued + 0 claimed + 0 retry + 0 unknown + 600 accepted" in ended.out
    assert "Clean. 600 executions" in ended.out
    assert "Accepted twice: 0, lost: 0." in ended.out
    assert files_in(temporary) == []
    assert alive_in(temporary) == []


async def test_it_stays_open_with_a_console_on_a_living_example(bare_cli: Cli, temporary: Path) -> None:
    demo = bare_cli.under(TMPDIR=str(temporary))
    async with await demo.start("demo", "--orders", "100", "--latency-ms", "0", "--console") as running:
        url = (await running.line_with("The console:")).split()[3]
        async with aiohttp.ClientSession() as client, asyncio.timeout(LIMIT_S):
            async with client.get(url) as page:
                assert (page.status, page.content_type) == (200, "text/html")
            executions = url.replace("/console/", "/api/v2/executions?limit=1")
            total = 0
            while total <= 100:
                async with client.get(executions) as answer:
                    total = (await answer.json())["pagination"]["totalElements"]
                await asyncio.sleep(0.05)
        running.send(signal.SIGINT)
        ended = await running.ended()
    assert ended.code == 0, ended
    assert alive_in(temporary) == []
    refused = await demo.run("demo", "--console", "--json")
    assert refused.code == 2


async def test_new_orders_that_are_refused_are_named_once_and_tried_again() -> None:
    created = {"results": [{"tradeOrder": {"id": 1, "quantity": 5}}, {"tradeOrder": None}]}
    answers: list[tuple[int, object]] = [
        (503, None),
        (503, None),
        (201, created),
        (200, {"results": []}),
        (201, created),
        (503, None),
    ]
    stop = asyncio.Event()
    asked: list[dict[str, list[dict[str, int]]]] = []
    said: list[str] = []

    async def answered(request: web.Request) -> web.Response:
        status, body = answers[len(asked)]
        asked.append(await request.json())
        if len(asked) == len(answers):
            stop.set()
        return web.json_response(body or {"message": "the database does not answer"}, status=status)

    app = web.Application()
    app.router.add_post("/{path:.*}", answered)
    async with TestServer(app) as server:
        url = asyncio.get_running_loop().create_future()
        url.set_result(str(server.make_url("/")))
        async with asyncio.timeout(LIMIT_S):
            await _trade(url, stop, said.append, every_s=0)
    assert (
        said == ["New orders are refused, and tried again every second: 503 the database does not answer"] * 2
    )
    sent = [one["tradeOrderId"] for body in asked for one in body.get("submissions", ())]
    assert sent == [1, 1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_however_it_ends_nothing_stays(bare_cli: Cli, temporary: Path, number: signal.Signals) -> None:
    demo = bare_cli.under(TMPDIR=str(temporary))
    async with await demo.start("demo", "--latency-ms", "200") as running:
        await running.line_with("PostgreSQL is ready")
        assert alive_in(temporary)
        running.send(number)
        await running.process.wait()
        await gone(temporary)
        if number is signal.SIGTERM:
            assert (await running.ended()).code == 143


async def test_a_demo_that_keeps_its_folder_removes_nothing_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "of the user").write_text("precious")
    async with demo_simulator(tmp_path, ["ok"], 0.0, 1, keep=True) as url:
        assert url.startswith("http://127.0.0.1:")
    assert files_in(tmp_path) == ["of the user"]


def test_the_faults_of_a_demo_exist_and_all_occur() -> None:
    assert set(CLASSES) <= set(FAULTS)
    script = fault_script(10_000, seed=1)
    assert len(script) == 100
    assert set(script) == {"ok", *CLASSES}
    assert script == fault_script(10_000, seed=1) != fault_script(10_000, seed=2)
    assert fault_script(1, seed=1) != ["ok"]
