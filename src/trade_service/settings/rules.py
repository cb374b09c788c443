"""Rules across settings, and values that are corrected with a warning."""

from collections.abc import Mapping
from typing import cast

import msgspec

from trade_service.identity.auth_settings import AuthSettings
from trade_service.masking import quoted
from trade_service.settings.database_url import parse_database_url
from trade_service.settings.sources import SettingsError
from trade_service.settings.tree import FIELDS, Settings
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.engine_settings import BATCH_LIMIT, ExecutionBatchSettings

_SIZE_BELOW_ONE = 50


def cap_batch(
    batch: ExecutionBatchSettings, labels: Mapping[str, str]
) -> tuple[ExecutionBatchSettings, list[str]]:
    """Sizes within the Execution Service's limit, and a warning for each correction.

    `max_size` outside 1..100 becomes 100; `size` below 1 becomes 50, above `max_size` becomes `max_size`.
    """
    warnings: list[str] = []
    max_size, size = batch.max_size, batch.size
    label = labels.get("batch.max_size", "batch.max_size (default)")
    if max_size > BATCH_LIMIT:
        max_size = BATCH_LIMIT
        warnings.append(
            f"{label} is {quoted(batch.max_size)}: the Execution Service takes at most {BATCH_LIMIT} a call, "
            f"{BATCH_LIMIT} is used"
        )
    elif max_size < 1:
        max_size = BATCH_LIMIT
        warnings.append(f"{label} is {quoted(batch.max_size)}: it must be at least 1, {BATCH_LIMIT} is used")
    label = labels.get("batch.size", "batch.size (default)")
    if size < 1:
        size = min(_SIZE_BELOW_ONE, max_size)
        warnings.append(f"{label} is {quoted(batch.size)}: it must be at least 1, {size} is used")
    elif size > max_size:
        size = max_size
        warnings.append(
            f"{label} is {quoted(batch.size)}: it must be at most {max_size} (batch.max_size), {size} is used"
        )
    return msgspec.structs.replace(batch, size=size, max_size=max_size), warnings


def unused(labels: Mapping[str, str]) -> list[str]:
    """A warning for each setting that is set but no longer used."""
    name = "execution_service.transient_message_patterns"
    if name not in labels:
        return []
    return [
        f"{labels[name]} is ignored: a failed item is looked up whatever its message says, unless it is a known "
        "refusal; add refusals of your own with execution_service.refusal_messages"
    ]


def complete_database(database: StoreSettings, labels: Mapping[str, str]) -> tuple[StoreSettings, list[str]]:
    """The canonical URL with credentials, and warnings about values without effect; raises SettingsError.

    Credentials in the URL win over `username` and `password`.
    """
    if database.url is None:
        lonely = [labels[name] for name in ("database.username", "database.password") if name in labels]
        return database, [f"{label} has no effect without database.url" for label in lonely]
    label = labels.get("database.url", "database.url")
    try:
        url, remarks = parse_database_url(database.url)
    except ValueError as error:
        raise SettingsError(f"{label} is {quoted(database.url)}: it must be {error}") from None
    warnings = [f"{label}: {remark}" for remark in remarks]
    for key in ("username", "password"):
        inside, beside = getattr(url, key), getattr(database, key)
        if inside is not None and beside not in (None, inside):
            beside_label = labels.get(f"database.{key}", f"database.{key}")
            warnings.append(f"{beside_label} was ignored: {label} has a {key} and wins")
    url = msgspec.structs.replace(
        url,
        username=url.username if url.username is not None else database.username,
        password=url.password if url.password is not None else database.password,
    )
    return msgspec.structs.replace(database, url=url.text()), warnings


def check_pairs(settings: Settings, labels: Mapping[str, str]) -> None:
    """Raises SettingsError where two settings contradict each other."""
    for low, high, strictly in (
        ("retry.initial_delay_ms", "retry.max_delay_ms", False),
        ("circuit.minimum_calls", "circuit.window_calls", False),
        ("circuit.open_ms", "circuit.open_max_ms", False),
        ("batch.max_concurrent", "execution_service.max_connections", False),
        ("submission.wait_s", "server.request_timeout_s", True),
    ):
        least, most = (cast(float, settings.value(FIELDS[name])) for name in (low, high))
        if most > least or (most == least and not strictly):
            continue
        high_label, low_label = labels.get(high, f"{high} (default)"), labels.get(low, f"{low} (default)")
        relation = "more than" if strictly else "at least"
        raise SettingsError(f"{high_label} is {most}: it must be {relation} {low_label}, which is {least}")


def check_auth(auth: AuthSettings, labels: Mapping[str, str]) -> None:
    """Raises SettingsError where tokens are required but cannot be checked."""
    if auth.mode != "jwt":
        return
    label = labels.get("auth.mode", "auth.mode")
    for key in ("jwt_issuer", "jwt_audience"):
        if getattr(auth, key) is None:
            raise SettingsError(f"{label} is 'jwt': auth.{key} must be set, it says whose tokens are taken")
    if (auth.jwt_keys_file is None) == (auth.jwt_jwks_url is None):
        raise SettingsError(f"{label} is 'jwt': one of auth.jwt_keys_file and auth.jwt_jwks_url must be set")
