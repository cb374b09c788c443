"""An Execution Service in memory that accepts everything unless a test scripts its replies."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence

from trade_service.submission.messages import (
    BatchExecutionRequest,
    BatchExecutionResponse,
    ExecutionRequest,
    ExecutionResult,
    Listing,
    RemoteExecution,
    RemoteExecutionPage,
    RemotePagination,
    Security,
)
from trade_service.submission.model import AttemptId, GatewayReply, ReplyKind

Script = Callable[["FakeGateway", Sequence[ExecutionRequest]], GatewayReply]
"""Makes the reply to one call; accepts executions with `FakeGateway.accept`."""

FIRST_ID = 1000
CREATED, SOME_CREATED, NONE_CREATED = 201, 207, 400


class FakeGateway:
    """The port ExecutionGateway, with a ledger."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, ...]] = []
        """The execution ids of every call, in order."""
        self.first_id = FIRST_ID
        self.ledger: list[RemoteExecution] = []
        self.scripts: deque[Script] = deque()
        """Scripts for one call each."""
        self.usual: Script = refuse()
        """Serves calls without a script; accepts everything by default."""
        self.open = asyncio.Event()
        """Calls wait while it is clear; `hold` clears it."""
        self.open.set()
        self.called = asyncio.Event()

    def hold(self) -> None:
        """Makes calls wait."""
        self.open.clear()
        self.called.clear()

    def accept(self, post: ExecutionRequest) -> RemoteExecution:
        """Adds an execution to the ledger."""
        row = RemoteExecution(
            id=self.first_id + len(self.ledger),
            execution_status=post.execution_status,
            trade_type=post.trade_type,
            destination=post.destination,
            security=Security(post.security_id, "TICK"),
            quantity=post.quantity,
            limit_price=post.limit_price,
            trade_service_execution_id=post.trade_service_execution_id,
            version=1,
        )
        self.ledger.append(row)
        return row

    def times_accepted(self) -> Counter[int | None]:
        """How often each execution is in the ledger."""
        return Counter(row.trade_service_execution_id for row in self.ledger)

    async def submit_batch(
        self, request: BatchExecutionRequest, attempt_id: AttemptId, write_before: float
    ) -> GatewayReply:
        self.calls.append(tuple(post.trade_service_execution_id for post in request.executions))
        self.called.set()
        await self.open.wait()
        script = self.scripts.popleft() if self.scripts else self.usual
        return script(self, request.executions)

    async def list_newest(self, offset: int, limit: int) -> Listing:
        rows = self.ledger[::-1][offset : offset + limit]
        has_next = offset + limit < len(self.ledger)
        return Listing(RemoteExecutionPage(rows, RemotePagination(has_next, len(self.ledger))))

    async def find(self, service_id: int) -> Listing:
        """The row of that id, for operators."""
        return Listing(RemoteExecutionPage([row for row in self.ledger if row.id == service_id]))


def refuse(*securities: str, message: str = "Security ID is required") -> Script:
    """Accepts all executions except those of these securities."""

    def reply(gateway: FakeGateway, posts: Sequence[ExecutionRequest]) -> GatewayReply:
        results = [
            ExecutionResult(index, "FAILED", message)
            if post.security_id in securities
            else ExecutionResult(index, "SUCCESS", None, gateway.accept(post))
            for index, post in enumerate(posts)
        ]
        good = sum(result.status == "SUCCESS" for result in results)
        status = CREATED if good == len(posts) else SOME_CREATED if good else NONE_CREATED
        response = BatchExecutionResponse("", None, len(posts), good, len(posts) - good, results)
        return GatewayReply(ReplyKind.ANSWERED, "OK", "", status, response)

    return reply


def fail(
    kind: ReplyKind,
    code: str,
    *,
    accepted: bool = False,
    http_status: int | None = None,
    retry_after_s: float | None = None,
) -> Script:
    """Gives no readable answer; `accepted` says whether the executions are in the ledger all the same."""

    def reply(gateway: FakeGateway, posts: Sequence[ExecutionRequest]) -> GatewayReply:
        if accepted:
            for post in posts:
                gateway.accept(post)
        return GatewayReply(
            kind, code, f"scripted {code}", http_status=http_status, retry_after_s=retry_after_s
        )

    return reply
