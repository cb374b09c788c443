"""Points in time on the wire: nanoseconds since 1970 to ISO 8601 text. Pure."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS: Final = 1_000_000_000


def to_datetime(now_ns: int) -> datetime:
    """Rounded half up to the microsecond, as PostgreSQL stores it."""
    return _EPOCH + timedelta(microseconds=(now_ns + 500) // 1000)


def iso_nanoseconds(now_ns: int) -> str:
    """With up to nine digits of a second and no zeros at the end: ``2026-11-24T10:30:00.1234567Z``."""
    seconds, nanoseconds = divmod(now_ns, _NS)
    whole = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
    return f"{whole}.{nanoseconds:09d}".rstrip("0").rstrip(".") + "Z"


@lru_cache(maxsize=1_000)
def iso_microseconds(moment: datetime) -> str:
    """With up to six digits of a second and no zeros at the end."""
    text = moment.isoformat()[:-6]
    return (text.rstrip("0") if moment.microsecond else text) + "Z"


def iso_fixed(moment: datetime) -> str:
    """With six digits of a second, or none when all of them are zero."""
    return moment.isoformat()[:-6] + "Z"
