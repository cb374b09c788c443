"""A few rounds of chaos with real processes, and tests of their parts."""

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from execution_simulator.settings import SimulatorSettings
from tests.chaos.__main__ import keep, line_of, summary_of
from tests.chaos.processes import Child, ProcessFault
from tests.chaos.relay import Relay
from tests.chaos.round import Recovery, Report, run_round
from tests.chaos.storm import SHORT, Kind, Strength, fault_script, plan_of
from tests.e2e.command import bare_environment
from tests.support.leftovers import alive_in, files_in, passable_folder

SEEDS = (1, 2)
ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_nothing_is_lost_or_doubled_whatever_is_killed() -> None:
    """A short `make chaos`, on its own event loop."""

    async def short(seed: int) -> Report:
        with passable_folder("chaos-") as folder:
            report = await run_round(folder, seed, SHORT)
            if not report.good:
                report.verdict.findings.append(f"evidence: {keep(folder, report)}")
            return report

    async def all_of_them() -> list[Report]:
        return await asyncio.gather(*(short(seed) for seed in SEEDS))

    reports = asyncio.run(all_of_them())
    for report in reports:
        assert report.good, f"{line_of(report)}: {report.verdict.findings}"
        assert report.verdict.accepted > 50, "there was load"
        assert set(report.acts) >= {Kind.KILL, Kind.PAUSE, Kind.STOP, Kind.SIMULATOR_KILL, Kind.CUT}
        assert report.acts[Kind.DATABASE_DOWN] + report.acts[Kind.DATABASE_KILL] == 1
    assert any(report.recovery and report.recovery.orphans for report in reports)


async def test_interrupted_it_leaves_nothing() -> None:
    with passable_folder("interrupted") as temporary:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.chaos", "--rounds", "2", "--at-once", "2", stdout=PIPE, stderr=PIPE,
            cwd=ROOT, env=bare_environment(temporary) | {"TMPDIR": str(temporary)},
        )  # fmt: skip
        try:
            async with asyncio.timeout(60):
                while not any(" serve " in line for line in alive_in(temporary)):
                    await asyncio.sleep(0.05)
        finally:
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
        assert process.returncode == 130, (out, err)
        assert b"Traceback" not in err
        assert alive_in(temporary) == []
        assert files_in(temporary) == []


def test_a_seed_decides_what_breaks_and_when() -> None:
    plan = plan_of(random.Random(7), Strength())
    assert plan == plan_of(random.Random(7), Strength()) != plan_of(random.Random(8), Strength())
    assert sorted(act.at_s for act in plan) == [act.at_s for act in plan]
    assert sum(act.kind is Kind.KILL for act in plan) == 3
    assert {act.kind for act in plan} >= set(Kind) - {Kind.DATABASE_DOWN, Kind.DATABASE_KILL}


def test_every_fault_of_the_script_exists_and_comes() -> None:
    script = fault_script(random.Random(7)).split(",")
    SimulatorSettings(script=script)
    assert {"shifted_index", "error_500_partial", "reset_after", "truncated", "throttle_429:1"} <= set(script)
    late = [int(step.partition(":")[2]) for step in script if step.startswith(("late", "gateway_504_late"))]
    assert late
    assert max(late) < 2_500, "well below the settle time"


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """The port of an echo server."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_relay_passes_on_swallows_and_cuts() -> None:
    async with echo() as port, Relay(lambda: ("127.0.0.1", port)).listening() as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"heard")
        assert await reader.read(100) == b"heard"
        cutting = asyncio.create_task(relay.cut_after_silence(0.1))
        await asyncio.sleep(0)
        writer.write(b"not heard")
        with pytest.raises(ConnectionResetError):
            assert await reader.read(100) == b""
        await cutting
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"heard again")
        assert await reader.read(100) == b"heard again"
        writer.write_eof()
        assert await reader.read(100) == b"", "an end is passed on"
        writer.close()


async def test_a_relay_without_a_target_refuses() -> None:
    async with Relay(lambda: None).listening() as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        with pytest.raises(ConnectionResetError):
            assert await reader.read(1) != b""
        writer.close()


async def check_again_and_again(child: Child) -> None:
    while True:
        child.check()
        await asyncio.sleep(0.01)


async def test_a_process_that_ends_by_itself_is_found(tmp_path: Path) -> None:
    child = Child("simulator", tmp_path, bare_environment(tmp_path), "Execution Service simulator on ")
    try:
        await child.start(("simulate", "--port", "0"))
        assert child.url is not None
        child.check()
        os.kill(child.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            with pytest.raises(ProcessFault, match="simulator ended by itself with exit code -9"):
                await check_again_and_again(child)
        await child.start(("simulate", "--port", "0"))
        await child.kill()
        child.check()
        assert child.url is None
    finally:
        await child.kill()


def test_the_summary_adds_up_and_names_what_failed() -> None:
    good, bad = Report(5), Report(6)
    for report in (good, bad):
        report.acts[Kind.KILL] = 3
        report.verdict.executions = 600
    good.recovery, bad.recovery = Recovery(10, 5.0, 3.0), Recovery(4, 7.0, 3.5)
    bad.verdict.doubled = bad.verdict.find("accepted more than once", ["8 as [1, 2]"])
    summary = summary_of([good, bad])
    assert "2 rounds, 1 failed: seeds [6]" in summary
    assert "kill -9 of a replica: 6" in summary
    assert "executions 1,200, accepted 0, rejected 0, exhausted 0, lost 0, doubled 1" in summary
    assert "median 6.0 s, max 7.0 s; beyond its lease: median 3.2 s, max 3.5 s" in summary
    assert "seed 5: good" in line_of(good)
    assert "10 orphans settled 5.0 s after the last kill" in line_of(good)
    assert "seed 6: FAILED" in line_of(bad)
