"""The alarm for a fill that cannot be stored."""

from decimal import Decimal

from trade_service.domain.errors import shorten
from trade_service.submission.codes import AlarmCode
from trade_service.submission.events import AlarmEvent


def fill_refused(execution_id: int, reported: Decimal, stored: Decimal, ordered: Decimal) -> AlarmEvent:
    """The Execution Service holds a quantity filled that the execution cannot have; names both values."""
    message = (
        f"the Execution Service holds a quantityFilled of {shorten(str(reported))} for execution {execution_id}, "
        f"of which {ordered.normalize():f} was ordered: it was not stored, quantityFilled stays "
        f"{stored.normalize():f} here; correct the Execution Service's books"
    )
    return AlarmEvent(AlarmCode.FILL_REFUSED, message, (execution_id,))
