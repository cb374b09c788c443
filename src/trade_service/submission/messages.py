"""The messages of the Execution Service's batch call and listing, as it speaks them.

Field names are camelCase on the wire and unknown fields are tolerated. What an answer leaves out is
None here: the service is known to leave out much, and reading that strictly is the processor's work.
The JSON codec is `trade_service.execution_service.wire`.
"""

from decimal import Decimal

import msgspec


class ExecutionRequest(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One execution of a batch request; numbers are JSON numbers, decimal(18,8)."""

    execution_status: str
    trade_type: str
    destination: str
    security_id: str
    quantity: Decimal
    limit_price: Decimal | None
    trade_service_execution_id: int
    version: int


class BatchExecutionRequest(msgspec.Struct, frozen=True):
    """A call of `POST /api/v1/executions/batch`: 1 to 100 executions, and the body that encodes them."""

    executions: list[ExecutionRequest]
    body: bytes = b""


class Security(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The security of an execution, as the Execution Service names it."""

    security_id: str | None = None
    ticker: str | None = None


class CreatedExecution(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """An execution that a batch answer reports as created, as far as the engine reads it."""

    id: int | None = None
    trade_service_execution_id: int | None = None


class RemoteExecution(CreatedExecution, frozen=True, rename="camel", gc=False):
    """An execution as the Execution Service's listing shows it."""

    execution_status: str | None = None
    trade_type: str | None = None
    destination: str | None = None
    security: Security | None = None
    security_id: str | None = None
    quantity: Decimal | None = None
    quantity_filled: Decimal | None = None
    limit_price: Decimal | None = None
    received_timestamp: str | float | None = None
    version: int | None = None

    @property
    def security_name(self) -> str | None:
        """The security's id from wherever this version of the service puts it."""
        if self.security is not None and self.security.security_id is not None:
            return self.security.security_id
        return self.security_id


class ExecutionResult(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The result of one execution of a batch."""

    request_index: int | None = None
    status: str | None = None
    message: str | None = None
    execution: CreatedExecution | None = None


class BatchExecutionResponse(msgspec.Struct, frozen=True, rename="camel"):
    """Body of a 201, a 207 or a 400 with results."""

    status: str | None = None
    message: str | None = None
    total_requested: int | None = None
    successful: int | None = None
    failed: int | None = None
    results: list[ExecutionResult] | None = None


class RemotePagination(msgspec.Struct, frozen=True, rename="camel"):
    """The paging part of a listing; only what a look-up needs."""

    has_next: bool | None = None
    total_elements: int | None = None


class RemoteExecutionPage(msgspec.Struct, frozen=True, rename="camel"):
    """One page of `GET /api/v1/executions`."""

    content: list[RemoteExecution]
    pagination: RemotePagination | None = None


class Listing(msgspec.Struct, frozen=True):
    """One page of the Execution Service's listing, or why there is none."""

    page: RemoteExecutionPage | None
    code: str = "OK"
    message: str = ""
