"""`python -m tests.chaos`: runs and prints rounds of chaos; exit code 1, with evidence kept, if one fails."""

import argparse
import asyncio
import contextlib
import secrets
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.round import Report, run_round
from tests.chaos.storm import Kind, Strength
from tests.support.leftovers import passable_folder

EVIDENCE = ("*.log", "*.jsonl", "*.csv")


def keep(folder: Path, report: Report) -> Path:
    """Keeps the evidence of a failure."""
    kept = Path(tempfile.mkdtemp(prefix=f"chaos-failed-{report.seed}-"))
    for pattern in EVIDENCE:
        for path in folder.glob(pattern):
            shutil.copy(path, kept)
    server_log = folder / "postgres" / "server.log"
    if server_log.exists():
        shutil.copy(server_log, kept / "postgres.log")
    (kept / "findings.txt").write_text("\n".join(report.verdict.findings) + "\n", encoding="utf-8")
    return kept


def line_of(report: Report) -> str:
    acts, verdict, recovery = report.acts, report.verdict, report.recovery
    restarts = acts[Kind.DATABASE_DOWN] + acts[Kind.DATABASE_KILL]
    recovered = (
        "no orphans"
        if recovery is None or not recovery.orphans
        else f"{recovery.orphans} orphans settled {recovery.seconds:.1f} s after the last kill, "
        f"{recovery.beyond_lease_s:.1f} s beyond their lease"
    )
    return (
        f"seed {report.seed}: {'good' if report.good else 'FAILED'} in {report.took_s:.0f} s; "
        f"kills {acts[Kind.KILL]}, pauses {acts[Kind.PAUSE]}, stops {acts[Kind.STOP]}, "
        f"restarts: PostgreSQL {restarts}, simulator {acts[Kind.SIMULATOR_KILL]}, cuts {acts[Kind.CUT]}; "
        f"executions {verdict.executions}: accepted {verdict.accepted}, rejected {verdict.rejected}, "
        f"exhausted {verdict.exhausted}, lost {verdict.lost}, doubled {verdict.doubled}; {recovered}"
    )


def summary_of(reports: Sequence[Report]) -> str:
    acts = {kind: sum(report.acts[kind] for report in reports) for kind in Kind}
    total = {
        name: sum(getattr(report.verdict, name) for report in reports)
        for name in ("executions", "accepted", "rejected", "exhausted", "lost", "doubled")
    }
    failed = [report.seed for report in reports if not report.good]
    lines = [
        f"{len(reports)} rounds, {len(failed)} failed{': seeds ' + str(failed) if failed else ''}",
        "; ".join(f"{kind.value}: {count}" for kind, count in acts.items()),
        ", ".join(f"{name} {count:,}" for name, count in total.items()),
    ]
    recoveries = [report.recovery for report in reports if report.recovery and report.recovery.orphans]
    if recoveries:
        after = [recovery.seconds for recovery in recoveries]
        beyond = [recovery.beyond_lease_s for recovery in recoveries]
        lines.append(
            f"last orphan settled after the last kill -9: median {statistics.median(after):.1f} s, "
            f"max {max(after):.1f} s; beyond its lease: median {statistics.median(beyond):.1f} s, "
            f"max {max(beyond):.1f} s (in {len(recoveries)} rounds with orphans)"
        )
    return "\n".join(lines)


async def one(seed: int) -> Report:
    """Runs and prints one round; keeps its evidence if it fails."""
    with passable_folder("chaos-") as folder:
        report = await run_round(folder, seed, Strength())
        print(line_of(report), flush=True)
        if not report.good:
            for finding in report.verdict.findings:
                print(f"    {finding}", flush=True)
            print(f"    evidence: {keep(folder, report)}")
            print(f"    again: python -m tests.chaos --rounds 1 --seed {seed}", flush=True)
    return report


async def all_rounds(rounds: int, first_seed: int, at_once: int) -> list[Report]:
    """Rounds with ascending seeds, several at once; Ctrl-C and SIGTERM end them and clean up."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _stop, task)
    seeds = iter(range(first_seed, first_seed + rounds))
    reports: list[Report] = []

    async def lane() -> None:
        for seed in seeds:
            reports.append(await one(seed))

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(lane())
    return sorted(reports, key=lambda report: report.seed)


def _stop(task: asyncio.Task[object]) -> None:
    """The first signal ends the rounds; later ones do not interrupt the cleaning up."""
    if not task.cancelling():
        print("interrupted: ending what runs ...", file=sys.stderr, flush=True)
        task.cancel()


def main() -> int:
    """Returns 0 if every round was good."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, help="of the first round; the others count on (default: random)")
    parser.add_argument("--at-once", type=int, default=1, help="rounds side by side (default: 1)")
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    print(f"{options.rounds} rounds from seed {seed}", flush=True)
    with contextlib.suppress(asyncio.CancelledError):
        reports = asyncio.run(all_rounds(options.rounds, seed, options.at_once))
        print(summary_of(reports))
        return 0 if all(report.good for report in reports) else 1
    return 130


if __name__ == "__main__":
    sys.exit(main())
