"""The shapes of an overview: what is read for it, what it answers, and the alarms that follow."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import Moment
from trade_service.trading.activity import CallReads, Calls, SeriesPoint
from trade_service.trading.pausing import Pause, UnsentCounts, kept_by
from trade_service.trading.replicas import Circuit, ReplicaReport


class OpenAttempts(msgspec.Struct, frozen=True):
    """Attempts that are not finished, as far as they are looked at."""

    count: int
    executions: dict[SubmissionState, int]
    """How many they hold, by what was last heard of the attempt: about the number in each open state."""
    oldest_at: datetime | None
    overdue: int
    """How many recovery should have advanced long ago."""
    overdue_since: datetime | None


class Waiting(msgspec.Struct, frozen=True):
    """Executions that only a person can settle."""

    executions: int
    since: datetime | None


class LedgerDoubt(msgspec.Struct, frozen=True):
    """Why nothing is sent: signs that the ledger was reset, or that the database was restored."""

    suspected_at: datetime | None
    suspicion: str | None
    blocked_at: datetime | None
    blocked_reason: str | None


class StateCounts(msgspec.Struct, frozen=True):
    """Executions by state."""

    executions: dict[SubmissionState, int]
    exact: Collection[SubmissionState]
    """The states that were counted; the others are estimates."""


class OverviewReads(CallReads, Protocol):
    """What an overview reads, each a bounded number of rows. Every method may raise StoreUnavailable."""

    async def open_attempts(self) -> OpenAttempts: ...

    async def waiting_for_person(self) -> Waiting: ...

    async def ledger(self) -> LedgerDoubt: ...

    async def circuits(self) -> list[Circuit]:
        """The circuits of the replicas that are alive."""

    async def replicas(self) -> list[ReplicaReport]:
        """Those that are alive, sent something lately, or hold executions, by name."""

    async def states(self) -> StateCounts:
        """All executions by state: counted in a small table, estimated from a sample in a large one."""


class Latency(msgspec.Struct, frozen=True, rename="camel"):
    """How long calls took, within 2.5 %; null without calls that were answered."""

    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, calls: Calls) -> "Latency":
        return cls(calls.latency_ms(0.5), calls.latency_ms(0.95), calls.latency_ms(0.99))


class LastMinute(msgspec.Struct, frozen=True, rename="camel"):
    """The calls that began in the last minute, and the first outcomes of their executions."""

    attempts: int
    executions: int
    accepted: int
    rejected: int
    retried: int
    unknown: int
    exhausted: int
    executions_per_s: float
    latency_ms: Latency

    @classmethod
    def of(cls, calls: Calls, seconds: float) -> "LastMinute":
        rate = round(calls.executions / seconds, 2)
        return cls(**calls.counts(), executions_per_s=rate, latency_ms=Latency.of(calls))


class PausedObject(msgspec.Struct, frozen=True, rename="camel"):
    """The destination of a pause."""

    id: int
    abbreviation: str


class PauseInForce(msgspec.Struct, frozen=True, rename="camel"):
    """Sending that is paused."""

    id: int
    destination: PausedObject | None
    """null: all destinations."""
    reason: str
    paused_by: str
    paused_at: Moment
    waiting: int
    """Executions that wait to be sent, among the first open attempts; up to some seconds old."""

    @classmethod
    def of(cls, pause: Pause, unsent: Mapping[int, UnsentCounts]) -> "PauseInForce":
        """A pause, and what it keeps waiting of the executions that are not sent, by destination."""
        destination = None
        if pause.destination_id is not None:
            destination = PausedObject(pause.destination_id, pause.destination or "")
        waiting = kept_by(pause, unsent).waiting
        return cls(pause.id, destination, pause.reason, pause.paused_by, pause.paused_at, waiting)


class AlarmName(StrEnum):
    """What an overview warns of."""

    UNKNOWN_NEEDS_PERSON = "UNKNOWN_NEEDS_PERSON"
    LEDGER_SUSPECTED = "LEDGER_SUSPECTED"
    """Signs of a reset: nothing is sent until a second look."""
    SENDING_BLOCKED = "SENDING_BLOCKED"
    """Nothing is sent until a person acts."""
    ATTEMPTS_OVERDUE = "ATTEMPTS_OVERDUE"
    """No replica advances attempts that are due."""
    CIRCUIT_NOT_CLOSED = "CIRCUIT_NOT_CLOSED"
    """Replicas make no calls, since the last ones failed."""
    PAUSED = "PAUSED"
    """An operator paused sending."""
    REPLICA_SLOW = "REPLICA_SLOW"
    """Calls of a replica take much longer than those of the others."""
    NOTHING_ACCEPTED = "NOTHING_ACCEPTED"
    """Calls of the last minute failed as a whole."""


class Alarm(msgspec.Struct, frozen=True, rename="camel"):
    """Something to look at, as far as the database shows it."""

    name: AlarmName
    severity: str
    """critical: nothing is sent, or work is stuck; warning: a person should look."""
    since: Moment | None
    message: str
    link: str
    """The page of a console that shows more: now, needs-you, failures or control."""


class ServiceSummary(msgspec.Struct, frozen=True, rename="camel"):
    """The state of the whole service: all replicas, from the database."""

    at: Moment
    counts: dict[str, int]
    """Executions by submission state."""
    counts_are_estimates: dict[str, bool]
    """Open states are counted while few attempts are open, the other states in a table of moderate size."""
    oldest_open_since: Moment | None
    last_minute: LastMinute
    circuit: list[Circuit]
    """Of the replicas that are alive."""
    paused: list[PauseInForce]
    needs_you: int
    """Unknown executions that only a person can settle."""
    replicas: int
    """How many are alive."""
    alarms: list[Alarm]


class ReplicaAnswer(ReplicaReport, frozen=True, rename="camel"):
    """A replica, with the latencies of its calls."""

    latency_ms: Latency
    """Of the last minute."""
    slow_times: float | None
    """How many times the usual latency of the other replicas its calls take; null unless it is slow."""


class ReplicaList(msgspec.Struct, frozen=True, rename="camel"):
    """The replicas of the service; each worker is one."""

    within_s: int
    """How many seconds the counts of attempts and executions cover."""
    replicas: list[ReplicaAnswer]


class CallSeries(msgspec.Struct, frozen=True, rename="camel"):
    """What the calls of all replicas did, step by step."""

    window: str
    step_s: int
    complete: bool
    """False while older steps are still being read: ask again."""
    points: list[SeriesPoint]
    """Oldest first; the last step is not over yet."""


def alarms_of(
    calls: Calls,
    attempts: OpenAttempts,
    waiting: Waiting,
    ledger: LedgerDoubt,
    circuits: Sequence[Circuit],
    paused: Sequence[PauseInForce],
    slow: Mapping[str, float],
) -> list[Alarm]:
    """What the figures of the present warn of, the most severe first."""
    name, found = AlarmName, []
    if ledger.blocked_reason is not None:
        found.append(
            Alarm(name.SENDING_BLOCKED, "critical", ledger.blocked_at, ledger.blocked_reason, "control")
        )
    if ledger.suspected_at is not None:
        message = ledger.suspicion or "the Execution Service's ledger may have been reset"
        found.append(Alarm(name.LEDGER_SUSPECTED, "critical", ledger.suspected_at, message, "control"))
    if attempts.overdue:
        message = f"{attempts.overdue} attempts are due and no replica advances them: is one running?"
        found.append(Alarm(name.ATTEMPTS_OVERDUE, "critical", attempts.overdue_since, message, "control"))
    if broken := [one for one in circuits if one.state != "closed"]:
        message = (
            f"the circuit of {len(broken)} of {len(circuits)} replicas is not closed: {broken[0].reason}"
        )
        since = min(one.since for one in broken)
        found.append(Alarm(name.CIRCUIT_NOT_CLOSED, "critical", since, message, "control"))
    for pause in paused:
        where = "" if pause.destination is None else f" to {pause.destination.abbreviation}"
        message = f"{pause.paused_by or 'an operator'} paused sending{where}: {pause.reason}"
        found.append(Alarm(name.PAUSED, "warning", pause.paused_at, message, "control"))
    for replica, times in slow.items():
        message = f"calls of {replica} take {times:g} times as long as those of the other replicas"
        found.append(Alarm(name.REPLICA_SLOW, "warning", None, message, "control"))
    if calls.attempts > calls.open_attempts and not calls.accepted:
        message = f"none of {calls.executions} executions of the last minute was accepted"
        found.append(Alarm(name.NOTHING_ACCEPTED, "warning", None, message, "failures"))
    if waiting.executions:
        message = f"{waiting.executions} unknown executions wait for a person to settle them"
        found.append(Alarm(name.UNKNOWN_NEEDS_PERSON, "warning", waiting.since, message, "needs-you"))
    return found
