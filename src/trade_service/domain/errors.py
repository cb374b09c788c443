"""Domain errors. They carry no HTTP status: the web layer has the one map to statuses.

`message` names the thing, the value and the rule for people, `details` has the same facts for programs, and
`code` is stable.
"""

from collections.abc import Mapping
from typing import ClassVar, Self


class DomainError(Exception):
    """Base class of everything that the service refuses."""

    code: ClassVar[str] = "DOMAIN_ERROR"

    def __init_subclass__(cls, code: str) -> None:
        cls.code = code

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, object] = details

    def at(self, index: int, where: str) -> Self:
        """This error, made to refer to the item at `index` (from 0) of the list `where`."""
        self.message = f"{where}[{index}]: {self.message}"
        self.args = (self.message,)
        self.details = {**self.details, "index": index}
        return self

    def alone(self) -> Self:
        """This error without its index, for a caller that sent a single item."""
        self.details = {name: value for name, value in self.details.items() if name != "index"}
        return self


class InvalidInput(DomainError, code="INVALID_INPUT"):
    """A value breaks a rule; details have field, value and rule."""

    @classmethod
    def of(cls, field: str, value: object, rule: str) -> "InvalidInput":
        """An error that reads `field: rule; got value`."""
        shown, text = ("nothing", None) if value is None else (shorten(repr(value)), shorten(str(value)))
        return cls(f"{field}: {rule}; got {shown}", field=field, value=text, rule=rule)


class TooMany(DomainError, code="TOO_MANY"):
    """A list or body exceeds its limit; nothing of it was processed."""


class NotFound(DomainError, code="NOT_FOUND"):
    """The thing does not exist."""

    @classmethod
    def of(cls, thing: str, identity: object) -> "NotFound":
        return cls(f"{thing} {identity} does not exist", thing=thing, id=identity)

    @classmethod
    def in_field(cls, field: str, thing: str, identity: object) -> "NotFound":
        """The error for a thing that a field of the body refers to."""
        message = f"{field}: {thing} {identity} does not exist"
        return cls(message, field=field, value=identity, thing=thing, id=identity)


class AlreadyExists(DomainError, code="ALREADY_EXISTS"):
    """A unique value is taken."""


class VersionConflict(DomainError, code="VERSION_CONFLICT"):
    """Optimistic locking: the row has changed since the caller read it."""

    @classmethod
    def of(cls, thing: str, identity: object, given: int, current: int) -> "VersionConflict":
        return cls(
            f"{thing} {identity} has version {current}, not {given}: read it again and repeat the change",
            thing=thing,
            id=identity,
            given=given,
            current=current,
        )


class QuantityExceeded(DomainError, code="QUANTITY_EXCEEDED"):
    """The trade order does not have this quantity left."""


class UnknownOrderType(InvalidInput, code="UNKNOWN_ORDER_TYPE"):
    """The order's type is not a known trade type."""


class InFlight(DomainError, code="IN_FLIGHT"):
    """The execution may be at the Execution Service, so it cannot be changed now."""


class AlreadySent(DomainError, code="ALREADY_SENT"):
    """The execution was sent, so the fields that were sent cannot change."""


class InUse(DomainError, code="IN_USE"):
    """Other rows refer to the thing, or the service requires it; details say which."""


class Overloaded(DomainError, code="OVERLOADED"):
    """The queue is full: nothing was accepted, try again after `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: float, **details: object) -> None:
        super().__init__(message, retryAfterS=retry_after_s, **details)
        self.retry_after_s = retry_after_s


class TooSlow(DomainError, code="TOO_SLOW"):
    """The query took too long; a narrower one may succeed."""


class NotSubmittable(DomainError, code="NOT_SUBMITTABLE"):
    """The execution is on hold or cancelled, so it is not sent."""


class FillOfUnsent(DomainError, code="FILL_OF_UNSENT"):
    """A fill was reported for an execution that was never sent; it was not stored."""


class EvidenceConflict(DomainError, code="EVIDENCE_CONFLICT"):
    """An operator's statement contradicts the recorded state; nothing was changed."""


class NotRequeueable(DomainError, code="NOT_REQUEUEABLE"):
    """Only executions that ended without acceptance can be requeued."""


class AuditRunning(DomainError, code="AUDIT_RUNNING"):
    """An audit is running, and one runs at a time."""


def shorten(text: str, limit: int = 80) -> str:
    """`text` in at most `limit` characters, so that a message never repeats a whole body."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
