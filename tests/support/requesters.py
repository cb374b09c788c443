"""Who asks, for tests of the audit log."""

from collections.abc import Iterator
from contextlib import contextmanager

from trade_service.domain.access import Requester
from trade_service.submission.events import REQUESTER


@contextmanager
def asked_by(requester: Requester) -> Iterator[None]:
    """What happens inside is asked for by `requester`."""
    token = REQUESTER.set(requester)
    try:
        yield
    finally:
        REQUESTER.reset(token)
