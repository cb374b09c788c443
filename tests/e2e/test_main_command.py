"""The command itself: help, version, usage errors; and the simulator as a process."""

import importlib
import signal

import aiohttp
import pytest
import rich_click as click

from tests.e2e.command import Cli, Running
from trade_service import __version__
from trade_service.cli import commands as main


@pytest.mark.parametrize(("name", "module"), [(name, module) for name, (module, _) in main.COMMANDS.items()])
def test_every_command_exists(name: str, module: str) -> None:
    command = getattr(importlib.import_module(module), main.ATTRIBUTES.get(name, name))
    assert isinstance(command, click.Command)
    assert command.name == name


def test_help_lists_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f" {name} " in shown for name in main.COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sumbit"], "No such command 'sumbit'"),
        (["--nope"], "No such option"),
        (["audit", "--nope"], "See `trade-service audit --help`"),
        (["simulate", "--fault", "reset_after=2"], "must be between 0 and 1"),
        (["simulate", "--fault", "gremlins=0.1"], "unknown fault 'gremlins'"),
        (["simulate", "--poison", ""], "poison '' must have 1 to 100 characters"),
        (["simulate", "--fresh", "--books", "books"], "omit --fresh or --books"),
        (["demo", "--orders", "0"], "--orders"),
    ],
)
def test_usage_errors_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main.run(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("trade-service: ")
    assert words in line


async def test_version(bare_cli: Cli) -> None:
    ended = await bare_cli.installed().run("--version")
    assert (ended.code, ended.out) == (0, f"trade-service, version {__version__}\n")


BATCH = {
    "executions": [
        {
            "executionStatus": "NEW", "tradeType": "BUY", "destination": "ML", "securityId": "IBM",
            "quantity": 1, "limitPrice": None, "tradeServiceExecutionId": 5, "version": 1,
        }
    ]
}  # fmt: skip


async def url_of(running: Running) -> str:
    """Where a simulator that has just been started listens."""
    line = await running.line_with("Execution Service simulator on ")
    return next(word for word in line.split() if word.startswith("http")).rstrip(",")


async def test_the_simulator_keeps_books_and_prints_them(bare_cli: Cli) -> None:
    async with await bare_cli.start("simulate", "--port", "0", "--script", "ok,error_503") as running:
        url = await url_of(running)
        statuses = []
        async with aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.post(f"{url}/api/v1/executions/batch", json=BATCH) as answer:
                    statuses.append(answer.status)
        running.send(signal.SIGINT)
        ended = await running.ended()
    assert statuses == [201, 503, 201]
    assert ended.code == 0, ended
    assert "execution 5 was accepted 2 times" in ended.out
    assert "fault: error_503" in ended.out


async def test_the_simulator_forgets_nothing_when_it_is_killed(bare_cli: Cli) -> None:
    simulate = ("simulate", "--port", "0", "--books", "books.jsonl")
    async with aiohttp.ClientSession() as session:
        async with await bare_cli.start(*simulate) as running:
            url = await url_of(running)
            async with session.post(f"{url}/api/v1/executions/batch", json=BATCH) as answer:
                assert answer.status == 201
            running.send(signal.SIGKILL)
            await running.process.wait()
        async with await bare_cli.start(*simulate) as running:
            async with session.get(f"{await url_of(running)}/simulator/books") as answer:
                assert (await answer.json())["total"] == 1


async def total(url: str) -> int:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/simulator/books") as answer:
            return int((await answer.json())["total"])


async def test_books_are_kept_in_the_users_folder_from_one_start_to_the_next(bare_cli: Cli) -> None:
    simulate = ("simulate", "--port", "0")
    for accepted in (0, 1):
        async with await bare_cli.start(*simulate) as running:
            url = await url_of(running)
            line = await running.line_with("Its ledger is ")
            assert f"({accepted} executions so far)" in line
            assert line.split()[3].startswith(bare_cli.environment["HOME"])
            assert line.split()[3].endswith("execution-service-books.jsonl")
            assert await total(url) == accepted
            async with aiohttp.ClientSession() as session:
                async with session.post(f"{url}/api/v1/executions/batch", json=BATCH) as answer:
                    assert answer.status == 201
            second = await bare_cli.run(*simulate)
            assert second.code == 2
            assert "another simulator keeps its ledger in" in second.complaint
            async with await bare_cli.start(*simulate, "--fresh") as other:
                assert await total(await url_of(other)) == 0
            running.send(signal.SIGINT)
            await running.ended()


async def test_the_profile_and_poison_are_options(bare_cli: Cli) -> None:
    statuses = []
    for options in (("--poison", "I*"), ("--profile", "published"), ()):
        async with await bare_cli.start("simulate", "--port", "0", "--fresh", *options) as running:
            url = await url_of(running)
            async with aiohttp.ClientSession() as session:
                async with session.post(f"{url}/api/v1/executions/batch", json=BATCH) as answer:
                    statuses.append(answer.status)
                async with session.get(f"{url}/api/v1/execution/1x") as answer:
                    statuses.append(answer.status)
    assert statuses == [500, 500, 201, 404, 201, 500]


async def test_a_file_that_is_no_books_is_left_alone(bare_cli: Cli) -> None:
    name = bare_cli.write()
    ended = await bare_cli.run("simulate", "--port", "0", "--books", name)
    assert ended.code == 2
    assert "line 1 of blotter.csv" in ended.complaint
