"""What each part is told of the settings: plain values, derived in one place."""

from trade_service.settings.model import Settings
from trade_service.submission.circuit import CircuitSettings
from trade_service.submission.downstream_gate import GateSettings
from trade_service.submission.failure_handler import RetryPolicy
from trade_service.submission.intake import IntakeSettings
from trade_service.submission.recovery import RecoverySettings
from trade_service.submission.service import SubmissionSettings

WINDOW_BATCHES = 4
"""A stream keeps this many batches for each sender under way: enough that none waits for work."""


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
    )


def intake_settings(settings: Settings) -> IntakeSettings:
    """The bounds for callers."""
    return IntakeSettings(
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
