"""Instants as the APIs read and write them."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, TypeAlias

import msgspec

from trade_service.domain.errors import InvalidInput

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""ISO 8601 with an offset; a date-time in the API description."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_SECONDS = int((datetime(2200, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
"""Well below today's time in milliseconds, so that milliseconds are not taken for seconds."""
_MICROSECOND = Decimal("0.000001")


def moment_of_seconds(seconds: int | Decimal, field: str) -> datetime:
    """The instant that many seconds after 1970-01-01T00:00:00Z, exact to the microsecond.

    Further digits are truncated, as in ISO 8601 text. Raises InvalidInput outside of 1970 to 2200.
    """
    if not 0 <= seconds <= MAX_SECONDS:
        rule = f"must be seconds since 1970, from 0 to {MAX_SECONDS} (the year 2200)"
        raise InvalidInput.of(field, str(seconds), rule)
    exact = Decimal(seconds).quantize(_MICROSECOND, rounding=ROUND_DOWN)
    return EPOCH + timedelta(microseconds=int(exact.scaleb(6)))
