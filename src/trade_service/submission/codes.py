"""The codes that the heart itself gives to outcomes and alarms."""

from enum import StrEnum


class OutcomeCode(StrEnum):
    """Why an execution became what it is, where no call's own code says it."""

    OK = "OK"
    ITEM_REFUSED = "ITEM_REFUSED"
    ITEM_UNCLEAR = "ITEM_UNCLEAR"
    NOT_REPRESENTABLE = "NOT_REPRESENTABLE"
    FOUND_BY_LOOK_UP = "FOUND_BY_LOOK_UP"
    PROVEN_ABSENT = "PROVEN_ABSENT"
    BUDGET_SPENT = "BUDGET_SPENT"
    OWNER_LOST = "OWNER_LOST"
    TAKEN_OVER = "TAKEN_OVER"
    PENDING = "PENDING"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    NOT_FOUND = "NOT_FOUND"
    NOT_SUBMITTABLE = "NOT_SUBMITTABLE"
    """Its business status says that it is held back or called off."""
    ALREADY_ACCEPTED = "ALREADY_ACCEPTED"
    ALREADY_REJECTED = "ALREADY_REJECTED"
    ALREADY_EXHAUSTED = "ALREADY_EXHAUSTED"
    SETTLED_ACCEPTED = "SETTLED_ACCEPTED"
    SETTLED_REJECTED = "SETTLED_REJECTED"
    SETTLED_EXHAUSTED = "SETTLED_EXHAUSTED"
    SETTLED_ELSEWHERE = "SETTLED_ELSEWHERE"
    """Owned by another attempt by now, and still open."""
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    """Whether it will be sent is not known, since the database does not answer."""


class EvidenceCode(StrEnum):
    """What came to light, or was done, beside an execution's attempts."""

    RESOLVED = "RESOLVED"
    """An operator settled it by hand."""
    REQUEUED = "REQUEUED"
    """An operator had it submitted again."""
    ACCEPTED_LATE = "ACCEPTED_LATE"
    """It turned out to be accepted after it had been given up."""


class AlarmCode(StrEnum):
    """Something that a person has to look at."""

    ACCEPTED_TWICE = "ACCEPTED_TWICE"
    ACCEPTED_LATE = "ACCEPTED_LATE"
    DOWNSTREAM_RESET = "DOWNSTREAM_RESET"
    LOOK_UP_DOUBTFUL = "LOOK_UP_DOUBTFUL"
