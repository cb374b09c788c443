"""What can be wrong in terms of the trade, never of HTTP (the web layer holds the one map to statuses).

Every error names the thing, the value and the rule in `message`; `code` is stable; `details` carries the
same facts for machines.
"""

from collections.abc import Mapping
from typing import ClassVar, Self


class DomainError(Exception):
    """Base of everything the service refuses; `code` is stable, `message` is for people."""

    code: ClassVar[str] = "DOMAIN_ERROR"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, object] = details

    def at(self, index: int, where: str) -> Self:
        """This error itself, said of the item at `index` (from 0) of the list `where`."""
        self.message = f"{where}[{index}]: {self.message}"
        self.args = (self.message,)
        self.details = {**self.details, "index": index}
        return self

    def alone(self) -> Self:
        """This error itself, said of the only item of a list that the caller knows nothing of."""
        self.details = {name: value for name, value in self.details.items() if name != "index"}
        return self


class InvalidInput(DomainError):
    """A value breaks a rule that the caller can mend: details hold field, value and rule."""

    code = "INVALID_INPUT"

    @classmethod
    def of(cls, field: str, value: object, rule: str) -> "InvalidInput":
        """An error that reads `field: rule; got value`."""
        shown, text = ("nothing", None) if value is None else (shorten(repr(value)), shorten(str(value)))
        return cls(f"{field}: {rule}; got {shown}", field=field, value=text, rule=rule)


class TooMany(DomainError):
    """A list or body is over its limit; nothing of it was taken."""

    code = "TOO_MANY"


class NotFound(DomainError):
    """The named thing does not exist."""

    code = "NOT_FOUND"

    @classmethod
    def of(cls, thing: str, identity: object) -> "NotFound":
        return cls(f"{thing} {identity} does not exist", thing=thing, id=identity)

    @classmethod
    def in_field(cls, field: str, thing: str, identity: object) -> "NotFound":
        """The same of a thing that a field of a body names."""
        message = f"{field}: {thing} {identity} does not exist"
        return cls(message, field=field, value=identity, thing=thing, id=identity)


class AlreadyExists(DomainError):
    """A unique value is taken."""

    code = "ALREADY_EXISTS"


class VersionConflict(DomainError):
    """Optimistic lock: the row changed since the caller read it."""

    code = "VERSION_CONFLICT"

    @classmethod
    def of(cls, thing: str, identity: object, given: int, current: int) -> "VersionConflict":
        return cls(
            f"{thing} {identity} has version {current}, not {given}: "
            "read it again and repeat the change on what it holds now",
            thing=thing,
            id=identity,
            given=given,
            current=current,
        )


class QuantityExceeded(DomainError):
    """More was asked for than the trade order has left."""

    code = "QUANTITY_EXCEEDED"


class UnknownOrderType(InvalidInput):
    """The order's type maps to no trade type."""

    code = "UNKNOWN_ORDER_TYPE"


class InFlight(DomainError):
    """The execution may be at the Execution Service right now, so it cannot be changed."""

    code = "IN_FLIGHT"


class AlreadySent(DomainError):
    """The Execution Service has the execution, so what was sent of it stands."""

    code = "ALREADY_SENT"


class InUse(DomainError):
    """Others point to the thing, or the service cannot do without it: details say which."""

    code = "IN_USE"


class Overloaded(DomainError):
    """The bounded queue is full: nothing was taken, try again after `retry_after_s`."""

    code = "OVERLOADED"

    def __init__(self, message: str, *, retry_after_s: float, **details: object) -> None:
        super().__init__(message, retryAfterS=retry_after_s, **details)
        self.retry_after_s = retry_after_s


class TooSlow(DomainError):
    """Finding what was asked for took longer than the store may take; asked in another way it can be had."""

    code = "TOO_SLOW"


class NotSubmittable(DomainError):
    """The execution is held back or called off, so it is not sent."""

    code = "NOT_SUBMITTABLE"


class FillOfUnsent(DomainError):
    """A fill of an execution that was never sent was reported: nothing of it was stored."""

    code = "FILL_OF_UNSENT"


class EvidenceConflict(DomainError):
    """What an operator says of an execution contradicts what is known of it: nothing was changed."""

    code = "EVIDENCE_CONFLICT"


class NotRequeueable(DomainError):
    """The execution did not end without acceptance, so it cannot be requeued."""

    code = "NOT_REQUEUEABLE"


def shorten(text: str, limit: int = 80) -> str:
    """`text`, cut to `limit` characters with an ellipsis: a message never echoes a whole body."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
