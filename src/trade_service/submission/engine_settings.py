"""Settings of the submission engine: the Execution Service, batches, retries, the circuit and recovery."""

import math
import re
from functools import cached_property
from typing import Annotated

import msgspec

from trade_service.section import Section, Setting, root_url

BATCH_LIMIT = 100
"""The most executions one call of the Execution Service takes (its contract)."""

WINDOW_BATCHES = 4
"""Batches in progress per sender for one caller: enough that no sender waits for work."""

_OLD = "EXECUTION_SERVICE_"


def _trade_types(values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"[A-Z0-9_]{1,10}", value) for value in values):
        raise ValueError("a list of trade types such as BUY, SELL (1 to 10 capital letters each)")
    return values


def _patterns(values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(value.strip() for value in values):
        raise ValueError("a list of texts, none of them blank")
    return values


def _refusals(values: tuple[str, ...]) -> tuple[str, ...]:
    """A message of wildcards alone would match, and so reject, everything."""
    if not all(value.replace("*", "").strip() for value in values):
        raise ValueError("a list of messages, none of them blank or of * alone")
    return values


class ExecutionServiceSettings(Section, frozen=True):
    """The Execution Service, downstream."""

    base_url: Annotated[
        str,
        Setting(
            "Address of the Execution Service.",
            env=(f"{_OLD}BASE_URL",),
            check=root_url,
            may_hold_secret=True,
        ),
    ] = "http://localhost:8084"
    connect_timeout_ms: Annotated[
        int, Setting("Maximum time to connect.", 1, 600_000, env=(f"{_OLD}CONNECT_TIMEOUT",))
    ] = 15_000
    read_timeout_ms: Annotated[
        int, Setting("Maximum silence while waiting for a reply.", 1, 600_000, env=(f"{_OLD}READ_TIMEOUT",))
    ] = 30_000
    total_timeout_ms: Annotated[
        int | None, Setting("Maximum time of a whole call.", 1, 1_200_000, none="connect + read time-out")
    ] = None
    same_ledger: Annotated[
        bool,
        Setting(
            "Set when base_url changed but the ledger did not, or when replicas reach one ledger through "
            "different addresses."
        ),
    ] = False
    max_connections: Annotated[
        int, Setting("Maximum number of connections; at least batch.max_concurrent.", 1, 1000, share=1)
    ] = 32
    max_response_bytes: Annotated[int, Setting("Largest reply accepted.", 10_000, 1_000_000_000)] = 8_000_000
    trade_types: Annotated[
        tuple[str, ...],
        Setting("Trade types the Execution Service accepts.", min_length=1, check=_trade_types),
    ] = ("BUY", "SELL")
    transient_message_patterns: Annotated[
        tuple[str, ...],
        Setting("No longer used; accepted with a warning.", check=_patterns),
    ] = ()
    refusal_messages: Annotated[
        tuple[str, ...],
        Setting(
            "Additional messages that prove the Execution Service refused an item and created nothing: whole "
            "messages, ignoring case; `*` matches any text.",
            check=_refusals,
        ),
    ] = ()
    tls_ca: Annotated[
        str | None,
        Setting(
            "PEM file of the authorities that the Execution Service's certificate must come from.",
            min_length=1,
            none="the system's authorities",
        ),
    ] = None
    tls_certificate: Annotated[
        str | None,
        Setting("PEM file of our client certificate (mutual TLS).", min_length=1, none="none is presented"),
    ] = None
    tls_key: Annotated[
        str | None,
        Setting("PEM file of its private key.", min_length=1, none="it is in the certificate's file"),
    ] = None
    answered_settle_ms: Annotated[
        int | None,
        Setting(
            "Settle time after a 500 from the service's own handler; docs/failures.md says when a shorter one "
            "is safe.",
            0,
            3_600_000,
            none="the settle time",
        ),
    ] = None

    @property
    def effective_total_timeout_ms(self) -> int:
        """`total_timeout_ms`, or the sum of connect and read time-out where it is not set."""
        if self.total_timeout_ms is not None:
            return self.total_timeout_ms
        return self.connect_timeout_ms + self.read_timeout_ms


class ExecutionBatchSettings(Section, frozen=True):
    """Batching of executions. After loading, 1 <= size <= max_size <= 100 holds."""

    size: Annotated[
        int,
        Setting("Executions per batch; capped at max_size, 50 when below 1.", env=(f"{_OLD}BATCH_SIZE",)),
    ] = 100
    max_size: Annotated[
        int,
        Setting(
            "Upper limit of size; 100 when above 100 (the Execution Service's limit) or below 1.",
            env=(f"{_OLD}BATCH_MAX_SIZE", f"{_OLD}MAX_SIZE"),
        ),
    ] = BATCH_LIMIT
    enable_batching: Annotated[
        bool,
        Setting(
            "Set to false to send each execution alone (batches of one).",
            env=(f"{_OLD}BATCH_ENABLE_BATCHING", f"{_OLD}ENABLE_BATCHING"),
        ),
    ] = True
    retry_failed_individually: Annotated[
        int,
        Setting(
            "Retry up to this many failed items of an answered batch one by one, more in halves; "
            "0 retries them together.",
            0,
            BATCH_LIMIT,
            env=(f"{_OLD}BATCH_RETRY_FAILED_INDIVIDUALLY", f"{_OLD}RETRY_FAILED_INDIVIDUALLY"),
            switch=3,
        ),
    ] = 3
    metrics_enabled: Annotated[
        bool, Setting("Measure batches.", env=(f"{_OLD}BATCH_METRICS_ENABLED", f"{_OLD}METRICS_ENABLED"))
    ] = True
    max_concurrent: Annotated[int, Setting("Maximum number of batches in flight.", 1, 1000, share=1)] = 4
    linger_ms: Annotated[int, Setting("How long a batch waits to fill up.", 0, 10_000)] = 0
    queue_limit: Annotated[
        int,
        Setting("Maximum number of queued executions; further requests get 503.", 1, 10_000_000, share=100),
    ] = 20_000

    @property
    def effective_size(self) -> int:
        """Executions per batch: `size`, or 1 where batching is off."""
        return self.size if self.enable_batching else 1


class RetrySettings(Section, frozen=True):
    """Retry budget of an execution and delays between its attempts."""

    max_attempts: Annotated[
        int, Setting("Maximum number of attempts.", 1, 100, env=(f"{_OLD}RETRY_MAX_ATTEMPTS",))
    ] = 5
    initial_delay_ms: Annotated[
        int, Setting("Delay before the first retry.", 1, 600_000, env=(f"{_OLD}RETRY_INITIAL_DELAY",))
    ] = 1000
    multiplier: Annotated[float, Setting("Backoff multiplier.", 1, 100, env=(f"{_OLD}RETRY_MULTIPLIER",))] = (
        2.0
    )
    max_delay_ms: Annotated[
        int,
        Setting("Maximum delay; at least initial_delay_ms.", 1, 3_600_000, env=(f"{_OLD}RETRY_MAX_DELAY",)),
    ] = 30_000
    give_up_after_s: Annotated[
        float, Setting("Time budget of an execution; a restart does not reset it.", 1, 604_800)
    ] = 900.0


class CircuitSettings(Section, frozen=True):
    """The circuit breaker of the Execution Service."""

    enabled: Annotated[bool, Setting("Set to false to never open; concurrency still adapts.")] = True
    window_calls: Annotated[int, Setting("Number of recent calls that rates are based on.", 1, 10_000)] = 20
    minimum_calls: Annotated[
        int, Setting("Minimum number of calls before a rate counts; at most window_calls.", 1, 10_000)
    ] = 10
    failure_rate_pct: Annotated[float, Setting("Failure rate that opens the circuit.", 1, 100)] = 50.0
    slow_call_ms: Annotated[
        int | None,
        Setting("Duration from which a call is slow.", 1, 1_200_000, none="half the read time-out"),
    ] = None
    slow_rate_pct: Annotated[float, Setting("Rate of slow calls that opens the circuit.", 1, 100)] = 80.0
    open_ms: Annotated[int, Setting("Initial time open; doubles each time a probe fails.", 1, 3_600_000)] = (
        2000
    )
    open_max_ms: Annotated[int, Setting("Maximum time open; at least open_ms.", 1, 3_600_000)] = 30_000
    half_open_probes: Annotated[
        int, Setting("Concurrent probes while half-open, and successes that close the circuit.", 1, 100)
    ] = 2
    retry_after_max_ms: Annotated[int, Setting("A longer Retry-After is capped at this.", 0, 3_600_000)] = (
        300_000
    )

    @property
    def slow_from_ms(self) -> float:
        """`slow_call_ms`; infinite where it is not set."""
        return math.inf if self.slow_call_ms is None else self.slow_call_ms


class SubmissionSettings(Section, frozen=True):
    """Waiting, leases, reconciliation and recovery."""

    wait_s: Annotated[
        float, Setting("Maximum time a caller waits for outcomes before they are reported as pending.", 0, 25)
    ] = 25.0
    settle_time_ms: Annotated[
        int | None,
        Setting(
            "Time after which the Execution Service no longer commits a lost call.",
            0,
            3_600_000,
            none="twice the read time-out",
        ),
    ] = None
    lease_margin_ms: Annotated[
        int, Setting("How much longer a lease lasts than the call it covers.", 100, 600_000)
    ] = 5000
    look_up_max_pages: Annotated[
        int, Setting("Maximum number of pages (of 100) one reconciliation reads.", 1, 10_000_000)
    ] = 100_000
    recovery_poll_ms: Annotated[int, Setting("Interval of recovery.", 10, 600_000)] = 1000
    recovery_batch_limit: Annotated[
        int, Setting("Maximum number of attempts one round of recovery takes.", 1, 10_000)
    ] = 100
    recovery_hold_ms: Annotated[
        int, Setting("How long an attempt taken by recovery is reserved for that replica.", 100, 600_000)
    ] = 10_000
    recovery_grace_ms: Annotated[
        int, Setting("How much longer due work is left to the replica that saw it last.", 0, 600_000)
    ] = 5000
    look_up_max_delay_ms: Annotated[
        int, Setting("Maximum delay between reconciliations of one unknown execution.", 1, 3_600_000)
    ] = 60_000
    direct: Annotated[
        bool,
        Setting(
            "Slice and claim in one statement where a sender is free; otherwise, and when false, executions are "
            "queued first."
        ),
    ] = True
    bulk_keep_s: Annotated[
        int, Setting("Retention of bulk submissions, counted from their start.", 60, 31_536_000)
    ] = 604_800


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All sections of the engine, and what follows from several of them."""

    execution_service: ExecutionServiceSettings = ExecutionServiceSettings()
    batch: ExecutionBatchSettings = ExecutionBatchSettings()
    retry: RetrySettings = RetrySettings()
    circuit: CircuitSettings = CircuitSettings()
    submission: SubmissionSettings = SubmissionSettings()

    @cached_property
    def settle_ms(self) -> int:
        """`submission.settle_time_ms`, or twice the read time-out where it is not set."""
        if self.submission.settle_time_ms is not None:
            return self.submission.settle_time_ms
        return 2 * self.execution_service.read_timeout_ms

    @cached_property
    def effective_circuit(self) -> CircuitSettings:
        """The circuit's settings with `slow_call_ms`: half the read time-out where it is not set."""
        if self.circuit.slow_call_ms is not None:
            return self.circuit
        slow_call_ms = max(1, self.execution_service.read_timeout_ms // 2)
        return msgspec.structs.replace(self.circuit, slow_call_ms=slow_call_ms)

    @cached_property
    def call_ms(self) -> int:
        """The longest that one call may last, connecting included."""
        return self.execution_service.connect_timeout_ms + self.execution_service.effective_total_timeout_ms

    @cached_property
    def lease_ms(self) -> int:
        """Duration of an attempt's lease: no byte may leave after it."""
        return self.call_ms + self.submission.lease_margin_ms

    @cached_property
    def write_ms(self) -> int:
        """How long after the start of the claim the first byte may leave."""
        return self.lease_ms - self.call_ms

    @cached_property
    def give_up_after_ms(self) -> int:
        """The time budget of an execution."""
        return round(self.retry.give_up_after_s * 1000)

    @cached_property
    def window(self) -> int:
        """Maximum number of executions one caller has in progress: bounds its memory."""
        return WINDOW_BATCHES * self.batch.max_concurrent * self.batch.effective_size
