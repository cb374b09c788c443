"""The operators' commands as processes: an unknown outcome is resolved, a rejected execution requeued."""

import asyncio
import json
import re

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli, order
from tests.support.trading import CONSERVATION, run_sql, value_of
from trade_service.store.database import Database

WHY = ("--reason", "asked their desk", "--operator", "ann")


async def state(database: Database) -> str:
    found: str = await value_of(database, "SELECT submission_state FROM execution WHERE id = 1")
    return found


async def test_an_unknown_outcome_is_listed_and_resolved(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    simulator.script(["reset_after"])
    simulator.script_lookups(["ok"] * 2)  # One for the look before all else; nothing is sent before another.
    simulator.lookup_faults = {"error_503": 1.0}
    assert (await cli.run("submit", "--yes", cli.write(order(1)), "--wait-s", "0.3")).code == 1
    simulator.lookup_faults = {}
    listed = await cli.run("unknowns")
    assert listed.code == 1
    assert "DOWNSTREAM_CONNECTION_LOST" in listed.out
    assert "1 unknown." in listed.out

    asked = await cli.run("resolve", "1", "--accepted-as", "1", *WHY)
    assert (asked.code, "give --yes" in asked.complaint) == (2, True), asked
    assert "The Execution Service has it as 1." in asked.out
    assert await state(database) == "unknown"
    done = await cli.run("resolve", "1", "--accepted-as", "1", "--yes", "--json", *WHY)
    assert (done.code, json.loads(done.out)["resolved_as"]) == (0, "accepted as 1"), done
    assert await state(database) == "accepted"

    shown = (await cli.run("show", "1")).out
    assert "execution 1 is accepted; at the Execution Service 1" in shown
    for words in ("RESOLVED by ann (name not verified)", "unknown -> accepted as 1", "asked their desk"):
        assert words in shown, shown
    query = (
        "SELECT action || ' ' || known_by || ' ' || (details->>'operator') "
        "FROM audit_log ORDER BY at DESC LIMIT 1"
    )
    assert await value_of(database, query) == "resolve command ann"
    everything = "SELECT string_agg(action || ' ' || object, ', ' ORDER BY at, id) FROM audit_log"
    assert await value_of(database, everything) == "create tradeOrder, submit execution, resolve execution"


async def test_a_rejected_execution_is_requeued(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    simulator.script(["malformed_400"])
    assert (await cli.run("submit", "--yes", cli.write(order(1)))).code == 1
    await run_sql(database, "UPDATE downstream SET epoch = epoch + 1")
    dry = await cli.run("requeue", "--state", "rejected", "--code", "DOWNSTREAM_REFUSED_REQUEST", "--dry-run")
    assert (dry.code, "1 of 1 can be requeued." in dry.out) == (0, True), dry
    assert "1 of these were sent before the Execution Service's ledger was reset or moved" in dry.out
    await run_sql(database, "UPDATE downstream SET epoch = epoch - 1")
    assert await state(database) == "rejected"
    for option in (("--code", ""), ("--destination", " "), ("--order", str(2**31))):
        wide = await cli.run("requeue", *option, "--yes", *WHY)
        assert (wide.code, "must " in wide.err, wide.out) == (2, True, ""), wide
    done = await cli.run("requeue", "1", "2", "--yes", *WHY[:2])
    assert (done.code, "1 requeued, 1 refused (NOT_FOUND)" in done.out) == (1, True), done
    assert await state(database) == "unknown"
    async with await cli.start("serve", "--port", "0"), asyncio.timeout(60):
        while await state(database) != "accepted":
            await asyncio.sleep(0.1)
    assert simulator.ledger.accepted_counts() == {1: 1}
    assert await value_of(database, CONSERVATION) == 0
    shown = (await cli.run("show", "1")).out
    for words in ("DOWNSTREAM_REFUSED_REQUEST", r"REQUEUED by \S+ \(command\)", "PROVEN_ABSENT"):
        assert re.search(words, shown), shown


async def test_missing_arguments_and_unknown_executions_are_reported(cli: Cli) -> None:
    neither = await cli.run("resolve", "1", *WHY)
    assert "--accepted-as ID or --not-accepted" in neither.complaint
    nobody = await cli.run("resolve", "7", "--not-accepted", *WHY)
    assert (nobody.code, "execution 7 does not exist" in nobody.complaint) == (2, True)


async def test_sending_is_paused_and_resumed(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    dry = await cli.run("pause", "--dry-run")
    assert (dry.code, "all destinations would be paused: 0 executions would wait" in dry.out) == (0, True), (
        dry
    )
    unsure = await cli.run("pause", *WHY)
    assert (unsure.code, "give --yes" in unsure.complaint) == (2, True), unsure
    paused = await cli.run("pause", "--yes", "--json", *WHY)
    assert (paused.code, json.loads(paused.out)["changed"]) == (0, True), paused
    assert (await cli.run("submit", "--yes", cli.write(order(1)), "--wait-s", "20")).code == 1
    assert await state(database) == "queued"
    assert simulator.ledger.accepted_counts() == {}
    resumed = await cli.run("resume", "--yes", *WHY)
    assert (resumed.code, "1 executions waited" in resumed.out) == (0, True), resumed
    assert (await cli.run("submit", "--yes", cli.write(order(1)))).code == 0
    assert simulator.ledger.accepted_counts() == {1: 1}
    nowhere = await cli.run("resume", "--destination", "nowhere", "--dry-run")
    assert (nowhere.code, "abbreviation of a destination" in nowhere.err) == (2, True), nowhere
