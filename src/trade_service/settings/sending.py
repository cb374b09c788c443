"""Settings of the submission: the Execution Service, batches, retries, waiting and recovery."""

from __future__ import annotations

from typing import Annotated

from trade_service.settings import checks
from trade_service.settings.fields import Section, about

BATCH_LIMIT = 100
"""The most executions a call of the Execution Service takes (its contract)."""

_OLD = "EXECUTION_SERVICE_"


class ExecutionServiceSettings(Section, frozen=True, kw_only=True):
    """The Execution Service, downstream."""

    base_url: Annotated[
        str, about("Address of the Execution Service.", env=(f"{_OLD}BASE_URL",), check=checks.base_url)
    ] = "http://localhost:8084"
    connect_timeout_ms: Annotated[
        int, about("Longest wait for a connection.", env=(f"{_OLD}CONNECT_TIMEOUT",), ge=1, le=600_000)
    ] = 15_000
    read_timeout_ms: Annotated[
        int, about("Longest silence while an answer is due.", env=(f"{_OLD}READ_TIMEOUT",), ge=1, le=600_000)
    ] = 30_000
    total_timeout_ms: (
        Annotated[
            int, about("Longest time of a whole call.", ge=1, le=1_200_000, none="connect + read time-out")
        ]
        | None
    ) = None
    same_ledger: Annotated[
        bool,
        about(
            "The Execution Service at a changed base_url has the same ledger as before, or replicas reach one "
            "ledger through different addresses."
        ),
    ] = False
    max_connections: Annotated[
        int, about("Connections kept at most; at least batch.max_concurrent.", ge=1, le=1000)
    ] = 32
    max_response_bytes: Annotated[int, about("Largest answer that is read.", ge=10_000, le=1_000_000_000)] = (
        8_000_000
    )
    trade_types: Annotated[
        tuple[str, ...],
        about("Trade types the Execution Service accepts.", min_length=1, check=checks.trade_types),
    ] = ("BUY", "SELL")
    transient_message_patterns: Annotated[
        tuple[str, ...],
        about(
            "No longer used, accepted with a warning: every message but a known refusal is looked up.",
            check=checks.patterns,
        ),
    ] = ()
    refusal_messages: Annotated[
        tuple[str, ...],
        about(
            "More messages that prove that the Execution Service refused an item and created nothing: whole "
            "messages in any case of letters, `*` stands for any text.",
            check=checks.refusals,
        ),
    ] = ()

    answered_settle_ms: (
        Annotated[
            int,
            about(
                "Settle time after a 500 of the service's own handler; see docs/failures.md for when a shorter "
                "one is safe.",
                ge=0,
                le=3_600_000,
                none="the settle time",
            ),
        ]
        | None
    ) = None

    @property
    def effective_total_timeout_ms(self) -> int:
        """`total_timeout_ms`, or connect + read time-out where it is not set."""
        if self.total_timeout_ms is not None:
            return self.total_timeout_ms
        return self.connect_timeout_ms + self.read_timeout_ms


class ExecutionBatchSettings(Section, frozen=True, kw_only=True):
    """How executions are grouped. After loading, 1 <= size <= max_size <= 100 holds."""

    size: Annotated[
        int,
        about("Executions a batch; capped at max_size, 50 when below 1.", env=(f"{_OLD}BATCH_SIZE",)),
    ] = 100
    max_size: Annotated[
        int,
        about(
            "Upper limit of size; 100 when above 100 (the Execution Service's limit) or below 1.",
            env=(f"{_OLD}BATCH_MAX_SIZE", f"{_OLD}MAX_SIZE"),
        ),
    ] = BATCH_LIMIT
    enable_batching: Annotated[
        bool,
        about(
            "false sends each execution alone (a batch of one).",
            env=(f"{_OLD}BATCH_ENABLE_BATCHING", f"{_OLD}ENABLE_BATCHING"),
        ),
    ] = True
    retry_failed_individually: Annotated[
        int,
        about(
            "Failed items of an answered batch go back alone when at most this many, else in halves; 0: together.",
            env=(f"{_OLD}BATCH_RETRY_FAILED_INDIVIDUALLY", f"{_OLD}RETRY_FAILED_INDIVIDUALLY"),
            ge=0,
            le=BATCH_LIMIT,
            switch=3,
        ),
    ] = 3
    metrics_enabled: Annotated[
        bool,
        about("Measure batches.", env=(f"{_OLD}BATCH_METRICS_ENABLED", f"{_OLD}METRICS_ENABLED")),
    ] = True
    max_concurrent: Annotated[int, about("Batches in flight at once.", ge=1, le=1000)] = 4
    linger_ms: Annotated[
        int, about("How long a batch waits for more single submissions.", ge=0, le=10_000)
    ] = 0
    queue_limit: Annotated[
        int, about("Submissions waiting for a sender; more are refused with 503.", ge=1, le=10_000_000)
    ] = 20_000

    @property
    def effective_size(self) -> int:
        """Executions a batch: `size`, or 1 where batching is off."""
        return self.size if self.enable_batching else 1


class RetrySettings(Section, frozen=True, kw_only=True):
    """The budget of an execution and the pauses between its attempts."""

    max_attempts: Annotated[
        int, about("Attempts of an execution.", env=(f"{_OLD}RETRY_MAX_ATTEMPTS",), ge=1, le=100)
    ] = 5
    initial_delay_ms: Annotated[
        int, about("First pause.", env=(f"{_OLD}RETRY_INITIAL_DELAY",), ge=1, le=600_000)
    ] = 1000
    multiplier: Annotated[
        float,
        about("Growth from one pause to the next.", env=(f"{_OLD}RETRY_MULTIPLIER",), ge=1, le=100),
    ] = 2.0
    max_delay_ms: Annotated[
        int,
        about(
            "Longest pause; at least initial_delay_ms.", env=(f"{_OLD}RETRY_MAX_DELAY",), ge=1, le=3_600_000
        ),
    ] = 30_000
    give_up_after_s: Annotated[
        float, about("Time budget of an execution; a restart does not renew it.", ge=1, le=604_800)
    ] = 900.0


class CircuitSettings(Section, frozen=True, kw_only=True):
    """When the Execution Service is not called for a while, and how the calls come back."""

    enabled: Annotated[bool, about("false never stops calling; the adaptive concurrency stays.")] = True
    window_calls: Annotated[int, about("Latest calls that the rates are taken of.", ge=1, le=10_000)] = 20
    minimum_calls: Annotated[
        int, about("Calls before a rate counts; at most window_calls.", ge=1, le=10_000)
    ] = 10
    failure_rate_pct: Annotated[
        float, about("Percentage of failed calls that opens the circuit.", ge=1, le=100)
    ] = 50.0
    slow_call_ms: (
        Annotated[
            int,
            about("A call that takes as long is slow.", ge=1, le=1_200_000, none="half the read time-out"),
        ]
        | None
    ) = None
    slow_rate_pct: Annotated[
        float, about("Percentage of slow calls that opens the circuit.", ge=1, le=100)
    ] = 80.0
    open_ms: Annotated[
        int,
        about("How long the circuit stays open first; doubled each time a probe fails.", ge=1, le=3_600_000),
    ] = 2000
    open_max_ms: Annotated[
        int, about("Longest time the circuit stays open; at least open_ms.", ge=1, le=3_600_000)
    ] = 30_000
    half_open_probes: Annotated[
        int, about("Calls at once that try whether it works again, and good ones that close.", ge=1, le=100)
    ] = 2
    retry_after_max_ms: Annotated[int, about("A longer Retry-After is cut to this.", ge=0, le=3_600_000)] = (
        300_000
    )


class SubmissionSettings(Section, frozen=True, kw_only=True):
    """Waiting, leases, look-ups and recovery."""

    wait_s: Annotated[
        float, about("Longest time a caller waits for outcomes; then they are pending.", ge=0, le=25)
    ] = 25.0
    settle_time_ms: (
        Annotated[
            int,
            about(
                "After this time the Execution Service commits nothing of a lost call any more.",
                ge=0,
                le=3_600_000,
                none="twice the read time-out",
            ),
        ]
        | None
    ) = None
    lease_margin_ms: Annotated[
        int, about("What a lease lasts longer than the call it covers.", ge=100, le=600_000)
    ] = 5000
    look_up_max_pages: Annotated[
        int, about("Pages of 100 that one look-up pass reads at most.", ge=1, le=10_000_000)
    ] = 100_000
    recovery_poll_ms: Annotated[int, about("Pause between two rounds of recovery.", ge=10, le=600_000)] = 1000
    recovery_batch_limit: Annotated[int, about("Attempts a round of recovery takes up.", ge=1, le=10_000)] = (
        100
    )
    recovery_hold_ms: Annotated[
        int, about("How long others leave alone what a round of recovery took up.", ge=100, le=600_000)
    ] = 10_000
    recovery_grace_ms: Annotated[
        int,
        about("How much longer what is due is left to the process that looked at it last.", ge=0, le=600_000),
    ] = 5000
    look_up_max_delay_ms: Annotated[
        int, about("Longest pause between two look-ups of the same unknown.", ge=1, le=3_600_000)
    ] = 60_000
    bulk_keep_s: Annotated[
        int, about("How long bulk submissions can be asked for, since their begin.", ge=60, le=31_536_000)
    ] = 604_800


class FillSettings(Section, frozen=True, kw_only=True):
    """Fills whose reports were lost: they are fetched from the Execution Service's books."""

    check_every_s: Annotated[
        float, about("Pause between two passes, of whichever replica; 0 for none.", ge=0, le=86_400)
    ] = 300.0
    check_pages: Annotated[
        int,
        about(
            "Pages of 100 that a pass reads at most: half of them the newest, half further back, where the last "
            "pass stopped.",
            ge=2,
            le=10_000,
        ),
    ] = 10
