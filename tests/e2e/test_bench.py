"""`trade-service bench` end to end, leaving nothing behind."""

import asyncio
import signal

from tests.core.test_bench_report import chart_of, results_of
from tests.e2e.command import Cli
from tests.e2e.test_demo import gone
from tests.support.leftovers import alive_in, files_in, passable_folder
from trade_service.bench.results import Point, read_results, write_results
from trade_service.bench.runner import QUESTIONS

BUSY_S = 240.0
"""A quarter of a minute on an idle machine; other tests run too."""


async def test_a_quick_run_answers_every_question_and_leaves_only_its_results(bare_cli: Cli) -> None:
    with passable_folder("bench") as temporary:
        cli = bare_cli.under(TMPDIR=str(temporary), DATABASE_URL="mysql://unused")
        ended = await cli.run("bench", "--quick", "--output", "found", limit_s=BUSY_S)
        assert ended.code == 0, ended
        assert files_in(temporary) == []
        assert alive_in(temporary) == []
    results = read_results(cli.folder / "found.json")
    assert not results.interrupted
    assert [scenario.key for scenario in results.scenarios] == list(QUESTIONS)
    for scenario in results.scenarios:
        assert scenario.complete, scenario.problem
        assert scenario.findings
        assert all(series.points for chart in scenario.charts for series in chart.series)
        assert scenario.title in ended.out
    assert results.database.startswith("PostgreSQL ")
    assert "</html>" in (cli.folder / "found.html").read_text("utf-8")


async def test_two_runs_are_compared(bare_cli: Cli) -> None:
    for name, rate in (("before", 100.0), ("after", 80.0)):
        write_results(results_of(chart_of(Point(10, [rate]))), bare_cli.folder / f"{name}.json")
    compared = await bare_cli.run("bench", "compare", "--strict", "before.json", "after.json")
    assert compared.code == 1, compared
    assert "0 better, 1 worse, 0 the same" in compared.out
    assert "0.80" in compared.out


async def test_an_interrupted_run_keeps_its_results(bare_cli: Cli) -> None:
    with passable_folder("bench") as temporary:
        async with await bare_cli.under(TMPDIR=str(temporary)).start(
            "bench", "--only", "size", "--output", "found"
        ) as running:
            await running.line_with("trade-service bench")
            async with asyncio.timeout(60):
                while not alive_in(temporary):
                    await asyncio.sleep(0.05)
            running.send(signal.SIGINT)
            ended = await running.ended()
            assert ended.code == 130, ended
        await gone(temporary)
    assert read_results(bare_cli.folder / "found.json").interrupted


async def test_contradictory_options_are_refused(bare_cli: Cli) -> None:
    ended = await bare_cli.run("bench", "--url", "http://127.0.0.1:1", "--only", "size")
    assert ended.code == 2, ended
    assert "can only be measured with --only load" in ended.complaint


async def test_load_on_a_target_needs_confirmation(bare_cli: Cli) -> None:
    ended = await bare_cli.run("bench", "--execution-service-url", "http://192.0.2.1:8084", stdin=b"n\n")
    assert ended.code == 130, ended
    assert "http://192.0.2.1:8084, which may trade them. Continue?" in ended.err
    assert not list(bare_cli.folder.glob("bench-*"))
