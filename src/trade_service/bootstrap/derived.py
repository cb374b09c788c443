"""What each part is told of the settings: plain values, derived in one place."""

from trade_service import __version__
from trade_service.execution_service.client import ClientSettings
from trade_service.reference_services.client import ReferenceServicesSettings
from trade_service.settings.model import Settings
from trade_service.submission.breaker import CircuitSettings
from trade_service.submission.downstream_gate import GateSettings
from trade_service.submission.failure_handler import RetryPolicy
from trade_service.submission.recovery import RecoverySettings
from trade_service.submission.service import SubmissionSettings
from trade_service.trading.fill_check import FillCheckSettings
from trade_service.trading.idempotency import IdempotencyPolicy
from trade_service.trading.listing.display_names import NamesSettings
from trade_service.trading.listing.row_counts import RowCountSettings

WINDOW_BATCHES = 4
"""A stream keeps this many batches for each sender under way: enough that none waits for work."""

KEY_LEASE_MARGIN_MS = 1000
"""What the lease of a key lasts longer than the request."""


def retry_policy(settings: Settings) -> RetryPolicy:
    """The retry rules of the settings."""
    retry = settings.retry
    return RetryPolicy(
        max_attempts=retry.max_attempts,
        initial_delay_ms=retry.initial_delay_ms,
        multiplier=retry.multiplier,
        max_delay_ms=retry.max_delay_ms,
        retry_failed_individually=settings.batch.retry_failed_individually,
        look_up_max_delay_ms=settings.submission.look_up_max_delay_ms,
        refusal_messages=settings.execution_service.refusal_messages,
        answered_settle_ms=settings.execution_service.answered_settle_ms,
    )


def circuit_settings(settings: Settings) -> CircuitSettings:
    """When the Execution Service is not called for a while."""
    circuit = settings.circuit
    return CircuitSettings(
        enabled=circuit.enabled,
        window_calls=circuit.window_calls,
        minimum_calls=circuit.minimum_calls,
        failure_rate_pct=circuit.failure_rate_pct,
        slow_call_ms=settings.engine.effective_circuit.slow_call_ms or 1,
        slow_rate_pct=circuit.slow_rate_pct,
        open_ms=circuit.open_ms,
        open_max_ms=circuit.open_max_ms,
        half_open_probes=circuit.half_open_probes,
        retry_after_max_ms=circuit.retry_after_max_ms,
    )


def gate_settings(settings: Settings) -> GateSettings:
    """Where the ledger of the Execution Service is."""
    downstream = settings.execution_service
    return GateSettings(
        base_url=downstream.base_url.rstrip("/"),
        same_ledger=downstream.same_ledger,
        max_pages=settings.submission.look_up_max_pages,
    )


def submission_settings(settings: Settings, owner: str) -> SubmissionSettings:
    """The times of an attempt: the lease outlasts connecting, the whole call and a margin."""
    downstream = settings.execution_service
    call_ms = downstream.connect_timeout_ms + downstream.effective_total_timeout_ms
    return SubmissionSettings(
        owner=owner,
        lease_ms=call_ms + settings.submission.lease_margin_ms,
        call_ms=call_ms,
        settle_ms=settings.engine.settle_ms,
        give_up_after_ms=round(settings.retry.give_up_after_s * 1000),
        wait_s=settings.submission.wait_s,
        window=WINDOW_BATCHES * settings.batch.max_concurrent * settings.batch.effective_size,
    )


def recovery_settings(settings: Settings, owner: str) -> RecoverySettings:
    """The pacing of recovery."""
    return RecoverySettings(
        owner=owner,
        batch_size=settings.batch.effective_size,
        poll_s=settings.submission.recovery_poll_ms / 1000,
        take_limit=settings.submission.recovery_batch_limit,
        hold_ms=settings.submission.recovery_hold_ms,
        observer_grace_ms=settings.submission.recovery_grace_ms,
        look_up_max_pages=settings.submission.look_up_max_pages,
        give_up_after_ms=round(settings.retry.give_up_after_s * 1000),
    )


def fill_check_settings(settings: Settings) -> FillCheckSettings:
    """How fills that were not reported are looked for."""
    return FillCheckSettings(every_s=settings.fills.check_every_s, pages=settings.fills.check_pages)


def idempotency_policy(settings: Settings) -> IdempotencyPolicy:
    """Times and bounds of keys: a lease outlasts the longest request."""
    keys = settings.idempotency
    return IdempotencyPolicy(
        lease_ms=round(settings.server.request_timeout_s * 1000) + KEY_LEASE_MARGIN_MS,
        keep_s=keys.keep_s,
        max_answer_bytes=keys.max_answer_bytes,
    )


def client_settings(settings: Settings) -> ClientSettings:
    """How the Execution Service is called."""
    downstream = settings.execution_service
    return ClientSettings(
        base_url=downstream.base_url,
        connect_timeout_s=downstream.connect_timeout_ms / 1000,
        read_timeout_s=downstream.read_timeout_ms / 1000,
        total_timeout_s=downstream.effective_total_timeout_ms / 1000,
        max_connections=downstream.max_connections,
        max_response_bytes=downstream.max_response_bytes,
        user_agent=f"trade-service/{__version__}",
    )


def reference_services_settings(settings: Settings) -> ReferenceServicesSettings:
    """How the services of portfolios and securities are called."""
    names = settings.names
    return ReferenceServicesSettings(
        portfolio_url=settings.portfolio_service.base_url,
        security_url=settings.security_service.base_url,
        timeout_s=names.timeout_ms / 1000,
        max_connections=names.max_connections,
        user_agent=f"trade-service/{__version__}",
    )


def names_settings(settings: Settings) -> NamesSettings:
    """How names are kept."""
    names = settings.names
    return NamesSettings(
        wait_s=names.wait_ms / 1000,
        ttl_s=names.ttl_s,
        calls_at_once=names.max_connections,
        max_kept=names.max_kept,
        pause_s=names.poll_s,
    )


LONGEST_COUNT_S = 300.0
"""Where statements have no time-out."""


def totals_settings(settings: Settings) -> RowCountSettings:
    """When lists are counted."""
    lists = settings.lists
    return RowCountSettings(
        counted_up_to=lists.counted_up_to,
        wait_s=lists.count_wait_ms / 1000,
        fresh_s=lists.total_fresh_s,
        max_age_s=lists.total_max_age_s,
        count_max_s=settings.database.statement_timeout_s or LONGEST_COUNT_S,
    )
