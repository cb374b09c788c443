"""One round: start, faults under load, recovery, comparison of both ledgers."""

import asyncio
import json
import random
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from tests.chaos.clients import Clients, Order
from tests.chaos.ledger import Ledger
from tests.chaos.processes import ProcessFault
from tests.chaos.stage import SERVE, Replica, Stage, staged
from tests.chaos.storm import Act, Kind, Strength, plan_of
from tests.chaos.verdict import Verdict, judge, our_books, their_books
from tests.support.forked import COMMAND

CLIENTS_LIMIT_S = 30.0
REST_LIMIT_S = 90.0
VICTIM_LIMIT_S = 20.0
AUDIT_LIMIT_S = 60.0
POLL_S = 0.05
_OPEN = "('queued', 'claimed', 'retry', 'unknown')"
_UNFORESEEN = ('"exception":', "was never retrieved", '"event": "alarm"')
"""Log lines that no round may cause: defects, and alarms, since no fault breaks a stated assumption."""
_TRACE = "Traceback (most recent call last)"
_CUT_AT_THE_END_OF_GRACE = "asyncio.exceptions.CancelledError"
"""uvicorn's message for a request that a stop did not wait for; without a reason in the middle of a statement."""
_OF_A_REQUEST = "Exception in ASGI application"


class Recovery(msgspec.Struct, frozen=True):
    """Recovery from the last kill -9."""

    orphans: int
    """Executions that the killed replica's attempts owned."""
    seconds: float
    """From the kill until the last of them was resolved."""
    beyond_lease_s: float
    """Of the slowest orphan, from the end of its lease."""


class Report(msgspec.Struct):
    seed: int
    acts: Counter[Kind] = msgspec.field(default_factory=Counter)
    verdict: Verdict = msgspec.field(default_factory=Verdict)
    recovery: Recovery | None = None
    answers: Counter[str] = msgspec.field(default_factory=Counter)
    took_s: float = 0.0

    @property
    def good(self) -> bool:
        return not self.verdict.findings


class Round:
    """One round on a stage."""

    def __init__(self, stage: Stage, seed: int, strength: Strength, report: Report) -> None:
        self._stage = stage
        self._report = report
        self._plan = plan_of(random.Random(f"storm {seed}"), strength)
        self._ledger = Ledger()
        children = [replica.child for replica in stage.replicas]
        self._clients = Clients(
            random.Random(f"clients {seed}"),
            stage.http,
            children,
            stage.simulator,
            self._ledger,
            self._ids_of,
        )

    async def run(self) -> None:
        """Fills the report; raises ProcessFault and TimeoutError if a process misbehaves."""
        stage = self._stage
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.start_simulator())
            for replica in stage.replicas:
                group.create_task(replica.child.start(SERVE))
        async with asyncio.TaskGroup() as group:
            load = group.create_task(self._clients.run())
            await self._storm()
            victim, orphans, killed_at = await self._last_kill()
            await stage.calm()
            recovery = group.create_task(self._recovery(orphans, killed_at))
            self._clients.stop.set()
            await victim.child.start(SERVE)
            await asyncio.wait([load], timeout=CLIENTS_LIMIT_S)
            if not load.done():
                raise ProcessFault(f"the last request had no answer within {CLIENTS_LIMIT_S:g} s")
        await self._rest()
        self._report.recovery = recovery.result()
        self._report.answers = self._ledger.statuses
        await self._judge()

    async def _storm(self) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for act in self._plan:
                await asyncio.sleep(max(0.0, act.at_s - (time.monotonic() - began)))
                group.create_task(self._do(act))

    async def _do(self, act: Act) -> None:
        stage, replica = self._stage, self._stage.replicas[act.replica]
        match act.kind:
            case Kind.DATABASE_DOWN | Kind.DATABASE_KILL:
                number = signal.SIGQUIT if act.kind is Kind.DATABASE_DOWN else signal.SIGKILL
                async with stage.database.lock:
                    await stage.database.restart(number, act.for_s)
            case Kind.SIMULATOR_KILL:
                async with stage.simulator.lock:
                    stage.simulator.check()
                    await stage.simulator.kill()
                    await asyncio.sleep(act.for_s)
                    await stage.start_simulator()
            case Kind.CUT:
                relay = replica.to_downstream if act.downstream else replica.to_database
                await relay.cut_after_silence(act.for_s)
            case Kind.KILL | Kind.STOP | Kind.PAUSE:
                async with replica.child.lock:
                    replica.child.check()
                    await self._trouble(replica, act)
        self._report.acts[act.kind] += 1

    @staticmethod
    async def _trouble(replica: Replica, act: Act) -> None:
        child = replica.child
        if act.kind is Kind.PAUSE:
            child.send(signal.SIGSTOP)
            try:
                await asyncio.sleep(act.for_s)
            finally:
                child.send(signal.SIGCONT)
            return
        await (child.kill() if act.kind is Kind.KILL else child.terminate())
        await asyncio.sleep(act.for_s)
        await child.start(SERVE)

    async def _last_kill(self) -> tuple[Replica, dict[int, datetime], datetime]:
        """Kills a replica during its calls; returns its orphans with the end of their leases."""
        victim = await self._busy_replica()
        await victim.child.kill()
        self._report.acts[Kind.KILL] += 1
        rows = await self._stage.database.rows(
            "SELECT e.id, a.lease_until, now() AS killed_at FROM execution e "
            "JOIN submission_attempt a ON a.id = e.attempt_id "
            "WHERE a.owner LIKE $1 AND e.submission_state = 'claimed'",
            f"%:{victim.child.pid}:%",
        )
        moments = await self._stage.database.rows("SELECT now()")
        return victim, {row["id"]: row["lease_until"] for row in rows}, moments[0][0]

    async def _busy_replica(self) -> Replica:
        """A replica in the middle of a call, stopped there: on a busy machine a call may end before the kill."""
        by_pid = {str(replica.child.pid): replica for replica in self._stage.replicas}
        until = time.monotonic() + VICTIM_LIMIT_S
        while time.monotonic() < until:
            for pid in await self._calling():
                if found := by_pid.get(pid):
                    found.child.send(signal.SIGSTOP)
                    if pid in await self._calling():
                        return found
                    found.child.send(signal.SIGCONT)
        return self._stage.replicas[0]

    async def _calling(self) -> list[str]:
        """The pids of processes that own executions of a call."""
        rows = await self._stage.database.rows(
            "SELECT a.owner FROM submission_attempt a WHERE a.state = 'sent' AND a.lease_until > now() "
            "AND EXISTS (SELECT FROM execution e WHERE e.id = ANY(a.execution_ids) "
            "AND e.attempt_id = a.id AND e.submission_state = 'claimed')"
        )
        return [row["owner"].split(":")[-2] for row in rows]

    async def _recovery(self, orphans: dict[int, datetime], killed_at: datetime) -> Recovery:
        if not orphans:
            return Recovery(0, 0.0, 0.0)
        settled: dict[int, datetime] = {}
        async with asyncio.timeout(REST_LIMIT_S):
            while len(settled) < len(orphans):
                await asyncio.sleep(POLL_S)
                ((now, still_open),) = await self._stage.database.rows(
                    "SELECT now(), array(SELECT id FROM execution WHERE id = ANY($1::int[]) "
                    f"AND submission_state IN {_OPEN})",
                    list(orphans),
                )
                settled |= dict.fromkeys(orphans.keys() - settled.keys() - set(still_open), now)
        return Recovery(
            len(orphans),
            (max(settled.values()) - killed_at).total_seconds(),
            max((settled[i] - lease).total_seconds() for i, lease in orphans.items()),
        )

    async def _rest(self) -> None:
        """Waits until nothing is open or the time is up; the verdict names open executions."""
        until = time.monotonic() + REST_LIMIT_S
        while time.monotonic() < until:
            ((left,),) = await self._stage.database.rows(
                f"SELECT count(*) FROM execution WHERE submission_state IN {_OPEN}"
            )
            if not left:
                return
            await asyncio.sleep(POLL_S)

    async def _judge(self) -> None:
        stage = self._stage
        for child in (stage.simulator, *(replica.child for replica in stage.replicas)):
            child.check()
        audit = await self._audit()
        async with asyncio.TaskGroup() as group:
            for replica in stage.replicas:
                group.create_task(replica.child.terminate())
        orders, executions = await our_books(stage.database)
        verdict = judge(orders, executions, their_books(stage.books), self._ledger)
        verdict.findings += audit
        for replica in stage.replicas:
            text = replica.child.log.read_text("utf-8", errors="replace")
            verdict.find(f"unforeseen in {replica.child.log.name}", unforeseen(text))
        self._report.verdict = verdict

    async def _audit(self) -> list[str]:
        """The findings of `trade-service audit`."""
        process = await asyncio.create_subprocess_exec(
            COMMAND, "audit", "--json", stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=self._stage.folder,
            env=self._stage.audit_environment(), start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(AUDIT_LIMIT_S):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == 0:
            return []
        if not out:
            return [f"audit: exit code {process.returncode}: {err.decode()[-500:]}"]
        return [f"audit: {finding['message']}" for finding in json.loads(out)["findings"][:20]]

    async def _ids_of(self, order_ids: Sequence[int]) -> list[Order]:
        rows = await self._stage.database.rows(
            "SELECT id, quantity FROM trade_order WHERE order_id = ANY($1::int[])", list(order_ids)
        )
        return [(row["id"], row["quantity"]) for row in rows]


async def run_round(folder: Path, seed: int, strength: Strength) -> Report:
    """Runs a round in a folder; the findings include faults of processes."""
    report, began = Report(seed), time.monotonic()
    try:
        async with staged(folder, random.Random(f"simulator {seed}")) as stage:
            try:
                await Round(stage, seed, strength, report).run()
            except* Exception as group:  # noqa: BLE001  # whatever it was, it is this round's finding
                report.verdict.findings += _told(group)
            report.took_s = time.monotonic() - began
            if not report.good:
                await _save_tables(stage)
    except* Exception as group:  # noqa: BLE001  # the same for what failed in starting and ending
        report.verdict.findings += _told(group)
    _pass_on_cancellation()
    return report


def _pass_on_cancellation() -> None:
    """Raises the cancellation that a group of errors contains, so that it is not lost."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _save_tables(stage: Stage) -> None:
    """Saves the tables for analysis of a failure."""
    _pass_on_cancellation()
    for table in ("trade_order", "execution", "submission_attempt"):
        await stage.database.save(table, stage.folder / f"{table}.csv")


def _told(group: BaseExceptionGroup[BaseException]) -> list[str]:
    return [f"{type(error).__name__}: {error}" for error in _leaves(group)]


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def unforeseen(log: str) -> list[str]:
    """Forbidden lines of a replica's log, with the end of each trace."""
    found = []
    lines = log.splitlines()
    for number, line in enumerate(lines):
        if _TRACE in line:
            # A trace's own lines are indented; the first that is not, says what it was.
            error = next((one for one in lines[number + 1 :] if not one.startswith(" ")), "")
            cut = error.startswith(_CUT_AT_THE_END_OF_GRACE) and _OF_A_REQUEST in lines[number - 1]
            if not cut:
                found.append(f"line {number + 1}: {error[:300]}")
        elif any(words in line for words in _UNFORESEEN):
            found.append(f"line {number + 1}: {line[:300]}")
    return found
