"""Every command prints JSON for programs: one document, or a line of it once it is ready, and nothing else."""

import json
import signal
from collections.abc import Iterator

import pytest
import rich_click as click

from tests.e2e.command import Cli, order
from tests.support.leftovers import passable_folder
from trade_service.cli.commands import cli as root

WHY = ("--yes", "--reason", "tried", "--operator", "ann")
ARGUMENTS = {
    "archive": ("--yes", "--dir", "files"),
    "archive search": ("--dir", "files", "--execution", "1"),
    "archive verify": ("--dir", "files"),
    "audit": (),
    "bench": ("--quick", "--only", "latency", "--output", "found"),
    "bench compare": ("found.json", "found.json"),
    "completion": ("bash",),
    "config": (),
    "db adopt": ("--check",),
    "db migrate": (),
    "db reset": ("--yes",),
    "db status": (),
    "demo": ("--orders", "100", "--latency-ms", "0"),
    "keys create": ("desk", "--role", "trader"),
    "keys list": (),
    "keys revoke": ("desk",),
    "keys rotate": ("desk",),
    "list": (),
    "pause": ("--destination", "ML", *WHY),
    "recover": WHY,
    "requeue": ("--state", "rejected", *WHY),
    "resume": ("--destination", "ML", *WHY),
    "resolve": ("1", "--accepted-as", "1", *WHY),
    "sample": ("sample.csv",),
    "show": ("1",),
    "submit": ("blotter.csv", "--yes"),
    "top": ("--url", "URL", "--every", "0.1", "--times", "1"),
    "unknowns": (),
}
UNTIL_STOPPED = {
    "db start": (),
    "serve": ("--port", "0"),
    "simulate": ("--port", "0", "--fresh"),
}
"""These print a line of JSON once they are ready."""
EMBEDDED = {"db migrate", "db start", "db reset"}
NEEDS_MORE = {"db adopt", "resolve", "top", "bench", "bench compare", "demo"}
"""Tested below, with what they need."""


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """All commands that do something, by their names in full."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join((*path, name)), command


def test_every_command_has_the_option_and_is_tested() -> None:
    found = dict(leaves(root))
    assert set(found) == {*ARGUMENTS, *UNTIL_STOPPED}
    lacking = [
        name for name, command in found.items() if "--json" not in {o for p in command.params for o in p.opts}
    ]
    assert lacking == []


async def documents(cli: Cli, name: str, *more: str, code: int = 0) -> list[object]:
    ended = await cli.run(*name.split(), *(more or ARGUMENTS[name]), "--json", limit_s=200)
    assert ended.code == code, ended
    return [json.loads(ended.out)]


async def test_each_prints_one_document(cli: Cli) -> None:
    blotter = cli.write(order(1))
    (preview,) = await documents(cli, "submit", blotter, "--dry-run")
    assert isinstance(preview, dict)
    assert preview["new"] == 1
    order_of_use = ["submit", "keys create", "keys rotate", "keys list"]
    names = [name for name in ARGUMENTS if name not in (*order_of_use, *NEEDS_MORE, *EMBEDDED, "keys revoke")]
    for name in (*order_of_use, *names, "keys revoke"):
        await documents(cli, name)
    plan = json.loads((await cli.run("recover", "--dry-run", "--json")).out)
    assert (plan["dry_run"], plan["changed"], plan["last_execution_id"]) == (True, None, 1)
    recovered = json.loads((await cli.run("recover", *WHY, "--json")).out)
    assert recovered["audit"]["clean"] is True
    for arguments in (("recover", "--reason", "x"), ("requeue", "1"), ("resolve", "1", "--not-accepted")):
        asks = await cli.run(*arguments, "--json")
        assert (asks.code, asks.out, "--json needs --yes" in asks.complaint) == (2, "", True), asks


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_service_and_what_watches_it(cli: Cli, workers: int) -> None:
    serve = ("serve", *UNTIL_STOPPED["serve"], "--workers", str(workers))
    async with await cli.start(*serve, "--json") as running:
        facts = json.loads(await running.line_with(""))
        assert "authentication: none" in facts["message"]
        assert ("2 workers" in facts["message"]) is (workers == 2)
        await documents(cli, "top", "--url", facts["url"], "--every", "0.1", "--times", "1")
        running.send(signal.SIGINT)
        ended = await running.ended()
    assert (ended.code, len(ended.out.splitlines())) == (0, 1), ended


async def test_the_simulator(bare_cli: Cli) -> None:
    async with await bare_cli.start("simulate", *UNTIL_STOPPED["simulate"], "--json") as running:
        assert json.loads(await running.line_with("{"))["executions"] == 0
        running.send(signal.SIGINT)
        ended = await running.ended()
    assert json.loads(ended.out.splitlines()[-1])["accepted_twice"] == {}
    faults = json.loads((await bare_cli.run("simulate", "--list-faults", "--json")).out)
    assert {"name", "text", "per_item"} == set(faults[0])


async def test_the_embedded_database(bare_cli: Cli) -> None:
    with passable_folder("json") as folder:
        cli = bare_cli.under(TRADE_SERVICE_DATABASE_DATA_DIR=str(folder / "data"))
        (migrated,) = await documents(cli, "db migrate")
        assert isinstance(migrated, dict)
        assert (migrated["before"], migrated["changed"]) == (None, True)
        async with await cli.start("db", "start", "--json") as running:
            assert json.loads(await running.line_with("{"))["database_url"].startswith("postgresql://")
            running.send(signal.SIGINT)
            assert (await running.ended()).code == 0
        assert await documents(cli, "db reset") == [{"folder": str(folder / "data"), "deleted": True}]
        assert await documents(cli, "db reset") == [{"folder": str(folder / "data"), "deleted": False}]


@pytest.mark.parametrize("name", ["demo", "bench"])
async def test_what_tries_the_service_out(bare_cli: Cli, name: str) -> None:
    with passable_folder(name) as temporary:
        cli = bare_cli.under(TMPDIR=str(temporary))
        (result,) = await documents(cli, name)
    assert isinstance(result, dict)
    if name == "demo":
        assert (result["executions"], result["is_all_good"], result["audit"]["clean"]) == (100, True, True)
    else:
        assert [one["key"] for one in result["scenarios"]] == ["latency"]
        (comparison,) = await documents(cli, "bench compare")
        assert isinstance(comparison, dict)
        assert comparison["changes"]
