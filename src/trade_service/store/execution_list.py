"""Executions in any state, for operators."""

from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import is_possible_id
from trade_service.domain.reference import STATUS_NEW
from trade_service.store.database import Database
from trade_service.store.statements import load
from trade_service.trading.requeueing import Ended, RequeueFilter

_SQL = load("operator")


async def listed_executions(database: Database, wanted: RequeueFilter, limit: int) -> list[Ended]:
    """Those that a filter selects, the newest first. Raises StoreUnavailable."""
    rows = await database.scan(
        _SQL["list_executions"],
        states=sorted(wanted.states),
        codes=None if wanted.codes is None else sorted(wanted.codes),
        order_ids=None
        if wanted.order_ids is None
        else [one for one in wanted.order_ids if is_possible_id(one)],
        destinations=None if wanted.destinations is None else sorted(wanted.destinations),
        since=wanted.since,
        until=wanted.until,
        limit=limit,
        status_new_name=STATUS_NEW,
    )
    return [Ended(execution_id, SubmissionState(state), *fields) for execution_id, state, *fields in rows]
