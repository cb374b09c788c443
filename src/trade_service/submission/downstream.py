"""What is known about the Execution Service's ledger, and what a second look proves. Pure."""

from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit

import msgspec

_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class Sign(StrEnum):
    """Why the ledger is suspected."""

    LISTING = "listing"
    """The newest id of a listing is below a known one."""
    ANCHOR = "anchor"
    """A known row is missing or names another execution."""
    ANSWER = "answer"
    """A new execution got an id that is not above a known one."""


class Suspicion(msgspec.Struct, frozen=True):
    """A sign that the ledger may have been reset or restored. While it stands nothing is claimed."""

    sign: Sign
    reason: str
    service_id: int
    """LISTING: the newest id; ANCHOR: the known row's; ANSWER: the new execution's."""
    execution_id: int | None
    """ANCHOR: the execution that the row named; ANSWER: our execution; LISTING: None."""
    age_s: float = 0.0
    """By the database's clock."""


class DownstreamState(msgspec.Struct, frozen=True):
    """The one row that all replicas share."""

    epoch: int
    """Absence proves nothing for an attempt of an older epoch."""
    base_url: str | None
    """Where the ledger was read; None until the first time."""
    high_water_id: int
    """The low-water id of new attempts; 0 if no id is known. It may lag: lower is safe."""
    high_water_execution_id: int | None
    """The execution that its row names, which identifies this epoch."""
    known_id: int
    """The greatest id seen in recent attempts of this epoch; at least `high_water_id`."""
    first_id: int
    """The first id known in this epoch; 0 if none is."""
    first_execution_id: int | None
    suspicion: Suspicion | None
    blocked_reason: str | None
    """Set while this database is known to be older than the ledger."""
    last_execution_id: int
    """The last value of our sequence of execution ids."""


class LedgerLook(msgspec.Struct, frozen=True):
    """The findings of a second look."""

    newest_id: int
    """Newest id; 0 when the ledger is empty."""
    anchor_found: bool
    """Whether the row `high_water_id` is there."""
    anchor_execution_id: int | None = None
    """The execution that it names."""
    suspect_execution_id: int | None = None
    """The execution that the row `suspicion.service_id` names; None when there is none or it was not looked at."""


class Ruling(StrEnum):
    """The decision after a second look."""

    SAME_LEDGER = "same_ledger"
    NEW_EPOCH = "new_epoch"
    LOOK_AGAIN = "look_again"
    """The two looks disagree."""


def rule_on_suspicion(state: DownstreamState, look: LedgerLook) -> Ruling:
    """Decides whether the ledger was reset.

    The row with the greatest known id identifies an epoch: ids are given once and rows are never deleted. A wrong
    NEW_EPOCH only leaves outcomes to operators; a wrong SAME_LEDGER could trade twice, so anything but a
    confirmation of the known row counts against it.
    """
    suspicion = state.suspicion
    if suspicion is None:
        return Ruling.SAME_LEDGER
    if look.newest_id < state.known_id:
        shrinks = suspicion.sign is Sign.LISTING and look.newest_id < suspicion.service_id
        return Ruling.LOOK_AGAIN if shrinks else Ruling.NEW_EPOCH
    if suspicion.sign is Sign.ANCHOR and look.suspect_execution_id != suspicion.execution_id:
        return Ruling.NEW_EPOCH
    if state.high_water_id and not look.anchor_found:
        return Ruling.NEW_EPOCH
    if state.high_water_id and state.high_water_execution_id is not None:
        is_known = look.anchor_execution_id == state.high_water_execution_id
        return Ruling.SAME_LEDGER if is_known else Ruling.NEW_EPOCH
    is_there = suspicion.sign is Sign.ANSWER and look.suspect_execution_id == suspicion.execution_id
    return Ruling.NEW_EPOCH if is_there else Ruling.SAME_LEDGER


def listing_suspicion(known_id: int, newest_id: int) -> Suspicion:
    """The sign of a listing whose newest id is below a known one."""
    reason = (
        f"the newest id in the Execution Service's listing is {newest_id}, and {known_id} was known before: its "
        "ledger may have been reset or restored"
    )
    return Suspicion(Sign.LISTING, reason, newest_id, None)


def anchor_suspicion(service_id: int, execution_id: int) -> Suspicion:
    """The sign of a known row that is missing or names another execution."""
    reason = (
        f"row {service_id} of the Execution Service's ledger was execution {execution_id} and is not any more: "
        "its ledger may have been reset or restored"
    )
    return Suspicion(Sign.ANCHOR, reason, service_id, execution_id)


def answer_suspicion(known_id: int, service_id: int, execution_id: int) -> Suspicion:
    """The sign of a new id that is not above a known one."""
    reason = (
        f"the Execution Service accepted execution {execution_id} as {service_id}, and {known_id} was known "
        "before: its ledger may have been reset or restored"
    )
    return Suspicion(Sign.ANSWER, reason, service_id, execution_id)


def same_address(one: str, other: str) -> bool:
    """Whether two base URLs name the same address; all loopback hosts are one."""
    return _normalized(one) == _normalized(other)


def _normalized(url: str) -> str:
    parts = urlsplit(url.strip().rstrip("/"))
    host = (parts.hostname or "").lower()
    host = "localhost" if host in _LOOPBACK_HOSTS else host
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower(), 0)
    return urlunsplit((parts.scheme.lower(), f"{host}:{port}", parts.path, "", ""))
