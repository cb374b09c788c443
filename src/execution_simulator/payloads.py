"""The simulator's JSON messages, after the Execution Service's published OpenAPI document and recorded exchanges.

They deliberately share nothing with the client's messages: a shared type would hide a shared mistake. Both sides
are tested against the same golden JSON files instead.
"""

from decimal import Decimal
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]

SUCCESS: Final = "SUCCESS"
PARTIAL_SUCCESS: Final = "PARTIAL_SUCCESS"
FAILED: Final = "FAILED"


class ExecutionPost(Struct, frozen=True, rename="camel", gc=False):
    """One execution to create. A missing field fails the item, not the request."""

    execution_status: str | None = None
    trade_type: str | None = None
    destination: str | None = None
    security_id: str | None = None
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    trade_service_execution_id: Int32 | None = None
    version: Int32 | None = None


class BatchExecutionRequest(Struct, frozen=True, rename="camel"):
    """Body of ``POST /api/v1/executions/batch``: 1 to 100 items, or None if the list is null or missing."""

    executions: list[ExecutionPost | None] | None = None


class Security(Struct, frozen=True, rename="camel", gc=False):
    """A security; the ticker is null if it cannot be resolved."""

    security_id: str
    ticker: str | None


class Execution(Struct, frozen=True, rename="camel", gc=False):
    """One execution as the service shows it. ``securityId`` and ``ticker`` repeat ``security``.

    Timestamps are text because the profiles write different numbers of digits.
    """

    id: int
    execution_status: str
    trade_type: str
    destination: str
    security: Security
    quantity: Decimal
    limit_price: Decimal | None
    received_timestamp: str
    sent_timestamp: str | None
    trade_service_execution_id: int | None
    quantity_filled: Decimal
    average_price: Decimal | None
    version: int
    security_id: str
    ticker: str | None


class ExecutionResult(Struct, frozen=True, rename="camel", gc=False):
    """The outcome of one item: ``message`` is null on success, ``execution`` on failure."""

    request_index: int
    status: str
    message: str | None
    execution: Execution | None


class BatchExecutionResponse(Struct, frozen=True, rename="camel"):
    """Body of 201, 207 and 400 with results; ``results`` may be null or missing (hazard 5)."""

    status: str
    message: str
    total_requested: int
    successful: int
    failed: int
    results: list[ExecutionResult] | UnsetType | None = UNSET


class ExecutionPut(Struct, frozen=True, rename="camel"):
    """Fill data of ``PUT /api/v1/execution/{id}``; ``quantityFilled`` is the total so far."""

    quantity_filled: Decimal
    version: Int32
    average_price: Decimal | None = None


class Pagination(Struct, frozen=True, rename="camel"):
    """``currentPage`` counts from 0."""

    offset: int
    limit: int
    total_elements: int
    total_pages: int
    current_page: int
    has_next: bool
    has_previous: bool


class ExecutionPage(Struct, frozen=True, rename="camel"):
    """Body of ``GET /api/v1/executions``."""

    content: list[Execution]
    pagination: Pagination


class ErrorBody(Struct, frozen=True, rename="camel"):
    """Every error except 400 with results. ``validationErrors`` is only filled for malformed requests."""

    timestamp: str
    status: int
    error: str
    message: str
    path: str
    validation_errors: dict[str, str] | UnsetType | None = UNSET


_encoder = msgspec.json.Encoder(decimal_format="number")
_batch_decoder = msgspec.json.Decoder(BatchExecutionRequest)
_post_decoder = msgspec.json.Decoder(ExecutionPost)
_put_decoder = msgspec.json.Decoder(ExecutionPut)


def encode(message: object) -> bytes:
    """Encodes any message; decimals become JSON numbers, digit for digit."""
    return _encoder.encode(message)


def decode_batch(body: bytes) -> BatchExecutionRequest:
    """Raises ``msgspec.DecodeError`` if the body is not a batch."""
    return _batch_decoder.decode(body)


def decode_post(body: bytes) -> ExecutionPost:
    """Raises ``msgspec.DecodeError`` if the body is not an execution."""
    return _post_decoder.decode(body)


def decode_put(body: bytes) -> ExecutionPut:
    """Raises ``msgspec.DecodeError`` if the body is not a fill."""
    return _put_decoder.decode(body)
