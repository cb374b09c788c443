"""Wires the parts of the service to one another."""

import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry

from trade_service import __version__
from trade_service.domain.reference import STATUS_NEW, STATUS_SENT, ReferenceData
from trade_service.execution_service import wire
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.identity.key_uses import KeyUses
from trade_service.observability.logs import LogLevel
from trade_service.reference_services.client import ReferenceServicesClient
from trade_service.settings.tree import Settings
from trade_service.store.audit_run_store import PostgresAuditRuns
from trade_service.store.blotter_store import PostgresBlotterStore
from trade_service.store.bulk_store import PostgresBulkSubmissionStore
from trade_service.store.database import Database
from trade_service.store.downstream_store import PostgresDownstreamStore, PostgresFillStore
from trade_service.store.evidence_store import PostgresEvidence
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.failed_execution_store import PostgresFailures
from trade_service.store.key_store import PostgresKeys
from trade_service.store.known_orders import PostgresKnownOrders
from trade_service.store.list_store import PostgresListCounts, PostgresListReads
from trade_service.store.migrate import check
from trade_service.store.name_store import PostgresNameStore
from trade_service.store.operator_store import PostgresOperatorStore
from trade_service.store.order_store import PostgresOrderStore
from trade_service.store.overview_store import PostgresOverviewReads, PostgresReplicaStore
from trade_service.store.pause_store import PostgresPauseStore
from trade_service.store.promises import check_writable
from trade_service.store.reference_store import PostgresReferenceChanges, PostgresReferenceReads
from trade_service.store.reports import PostgresAuditReads, PostgresBacklog
from trade_service.store.request_key_store import PostgresRequestKeyStore
from trade_service.store.row_changes import PostgresExecutionChanges, PostgresOrderChanges
from trade_service.store.submission_store import PostgresSubmissionStore
from trade_service.submission.admission import Admission, DirectSubmission, DownstreamGate
from trade_service.submission.batch_processor import ExecutionBatchProcessor, Refusals
from trade_service.submission.clock import AlarmClock, SystemClock
from trade_service.submission.events import EventBus
from trade_service.submission.failure_handler import ExecutionFailureHandler
from trade_service.submission.ledger_watch import LedgerWatch
from trade_service.submission.ports import StoreUnavailable
from trade_service.submission.recovery import Recovery
from trade_service.submission.service import BulkExecutionSubmissionService
from trade_service.submission.waiters import Waiters
from trade_service.submission.work_queue import Intake, Senders, WorkQueue
from trade_service.trading.audit_runs import AuditRuns, Book
from trade_service.trading.blotter_submissions import BlotterSubmissions
from trade_service.trading.bulk_submissions import BulkSubmissions
from trade_service.trading.editors import Editors, ExecutionEditor, ReferenceEditor, TradeOrderEditor
from trade_service.trading.execution_use_cases import ExecutionService
from trade_service.trading.fill_check import FillCheck
from trade_service.trading.ledger_audit import AuditReport, run_audit
from trade_service.trading.ledger_audit import Progress as AuditProgress
from trade_service.trading.listing.display_names import DisplayNames
from trade_service.trading.listing.row_counts import RowCounts
from trade_service.trading.listing.service import ListService
from trade_service.trading.operating import OperatorService
from trade_service.trading.overview import Overview
from trade_service.trading.pausing import PauseService
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.replicas import Heartbeat, ReplicaState
from trade_service.trading.request_keys import IdempotentRequests, Sweep
from trade_service.trading.trade_orders import TradeOrderService

if TYPE_CHECKING:
    from trade_service.observability.exposition import Exposition
    from trade_service.observability.extensions import ThreadedListener
    from trade_service.observability.tracing import Tracing

REFERENCE_TTL_S = 30.0
LAST_GRACE_S = 1.0
AUDIT_STATEMENT_TIMEOUT_S = 3600.0

BACKLOG_ATTEMPTS = 10_000
"""Maximum number of open attempts whose executions are counted."""


class CannotStart(Exception):
    """The service lacks something it needs; the message says what."""


def status_ids(reference: ReferenceData) -> tuple[int, int]:
    """The ids of the statuses NEW and SENT; raises CannotStart."""
    new, sent = (reference.statuses_by_name.get(name) for name in (STATUS_NEW, STATUS_SENT))
    if new is None or sent is None:
        raise CannotStart(
            f"the table execution_status lacks {STATUS_NEW} or {STATUS_SENT}, without which nothing can "
            "be submitted: insert the missing row"
        )
    return new.id, sent.id


class Services:
    """The parts of a running service; `wire` builds those that are only declared here.

    Parameters:
        database: the pool for everything but probes.
        gateway: the client of the Execution Service.
        probes: a connection of its own for readiness.
    """

    operators_database: Database
    """A connection of their own, for which they never wait."""
    bulk_store: PostgresBulkSubmissionStore
    intake: Intake
    submissions: BulkExecutionSubmissionService
    sender: Senders
    recovery: Recovery
    orders: TradeOrderService
    executions: ExecutionService
    bulk_submissions: BulkSubmissions
    blotters: BlotterSubmissions
    operators: OperatorService
    pauses: PauseService

    def __init__(
        self, settings: Settings, database: Database, gateway: ExecutionServiceClient, probes: Database
    ) -> None:
        self.settings = settings
        self.database = database
        self._probes = probes
        self.gateway = gateway
        self.clock = SystemClock()
        self.owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self.events = EventBus()
        self.log_level: LogLevel = LogLevel(settings.log.level)
        self.registry = CollectorRegistry() if settings.metrics.enabled else None
        """None when metrics are disabled."""
        self.exposition: Callable[[], Awaitable[Exposition]] | None = None
        """The metrics of all workers; None where this process serves alone."""
        self.tracing: Tracing | None = None
        self.listeners: Sequence[ThreadedListener] = ()
        """Installed by other packages."""
        self.waiters = Waiters()
        self.recovery_due = AlarmClock(self.clock)
        self.queue = WorkQueue(settings.batch.queue_limit)
        self.handler = ExecutionFailureHandler(settings.engine)
        self.admission = Admission(
            self.clock, self.events, settings.engine.effective_circuit, settings.batch.max_concurrent
        )
        self.downstream = PostgresDownstreamStore(database)
        self.gate = DownstreamGate(self.events)
        self.ledger_watch = LedgerWatch(
            self.gate, self.downstream, gateway, self.clock, self.events, settings.engine
        )
        self.references = ReferenceCache(PostgresReferenceReads(database), REFERENCE_TTL_S, self.clock)
        self.api_keys = PostgresKeys(database)
        self.key_uses = KeyUses(self.api_keys.note_used, self.clock)
        self.key_store = PostgresRequestKeyStore(database)
        self.keys = IdempotentRequests(
            self.key_store, self.clock, settings.idempotency, settings.server.request_timeout_s
        )
        self.stopping = False
        self._stop_began = 0.0
        self._wire_lists()

    def begin_stop(self) -> None:
        """Reports not ready from now on, and starts the grace period."""
        if not self.stopping:
            self.stopping = True
            self._stop_began = self.clock.monotonic()

    @property
    def grace_left_s(self) -> float:
        """The rest of the grace period; at least a moment for the last step of a shutdown."""
        elapsed_s = self.clock.monotonic() - self._stop_began
        return max(LAST_GRACE_S, self.settings.server.shutdown_grace_s - elapsed_s)

    @property
    def claims_wait_for(self) -> str:
        """Why no execution is sent at present; empty while executions are sent."""
        return self.gate.reason

    async def check_database(self) -> None:
        """Raises StoreUnavailable unless the database accepts writes and has all migrations."""
        await check_writable(self._probes, self.database, self.settings.database.allow_data_loss)
        if (await check(self._probes)).pending:
            raise StoreUnavailable(
                "the database lacks migrations of this release: run `trade-service db migrate`"
            )

    async def wire(self) -> None:
        """Builds the parts that need reference data; raises StoreUnavailable and CannotStart."""
        settings = self.settings
        new_id, sent_id = status_ids(await self.references.get())
        store = PostgresSubmissionStore(
            self.database, self.clock, self.owner, settings.engine.settle_ms, new_id, sent_id
        )
        self._wire_submission(store)
        self.operators = OperatorService(
            PostgresOperatorStore(self.operators_database, self.clock, new_id, sent_id),
            self.gateway,
            self.events,
            settings.submission.look_up_max_pages,
            self.recovery_due,
        )
        self.pauses = PauseService(PostgresPauseStore(self.operators_database), self.recovery_due)
        self.orders = TradeOrderService(
            PostgresOrderStore(self.database, self.owner),
            self.references,
            self.intake,
            self.clock,
            self.direct if settings.submission.direct else None,
        )
        self.executions = ExecutionService(
            PostgresExecutionReads(self.database, self.owner, settings.engine.settle_ms),
            self.references,
            self.submissions,
            self.intake,
            self.events,
            self.clock,
        )
        self._wire_bulk(store)

    def _wire_bulk(self, store: PostgresSubmissionStore) -> None:
        self.bulk_store = PostgresBulkSubmissionStore(self.database, store, self.owner)
        self.bulk_submissions = BulkSubmissions(
            self.bulk_store,
            self.executions,
            self.lists,
            self.clock,
            self.recovery_due.set_in,
        )
        self.blotters = BlotterSubmissions(
            PostgresBlotterStore(self.database, store, self.owner),
            PostgresKnownOrders(self.database),
            self.references,
            self.bulk_submissions,
            self.clock,
            self.recovery_due.set_in,
        )

    def _wire_lists(self) -> None:
        settings = self.settings
        database = self.database.lane(settings.database.list_connections)
        self.reference_services = ReferenceServicesClient(
            settings.portfolio_service.base_url,
            settings.security_service.base_url,
            settings.names,
            self.clock,
        )
        self.names = DisplayNames(
            self.reference_services, PostgresNameStore(database), self.clock, settings.names
        )
        self.totals = RowCounts(
            PostgresListCounts(database),
            self.clock,
            settings.lists,
            count_max_s=settings.database.statement_timeout_s,
        )
        console = self.database.lane(1)
        self.overview = Overview(
            PostgresOverviewReads(console),
            PostgresBacklog(console, BACKLOG_ATTEMPTS).read,
            PostgresPauseStore(console),
        )
        self.heartbeat = Heartbeat(PostgresReplicaStore(console), self.owner, self._state, self.clock)
        self.failures = PostgresFailures(database)
        self.evidence = PostgresEvidence(database)
        self.audits = AuditRuns(PostgresAuditRuns(console), self._audit, self.owner, self.clock)
        self.lists = ListService(PostgresListReads(database), self.references, self.names, self.totals)

    def _state(self) -> ReplicaState:
        circuit, workers = self.admission.state, self.settings.server.workers
        return ReplicaState(__version__, workers, circuit.state, circuit.reason, self.claims_wait_for)

    async def _audit(self, book: Book, progress: AuditProgress) -> AuditReport:
        # Each of its statements may read whole tables.
        limits = msgspec.structs.replace(
            self.database.settings, pool_size=1, statement_timeout_s=AUDIT_STATEMENT_TIMEOUT_S
        )
        async with Database(limits) as database:
            ledger = self.gateway if book is Book.BOTH else None
            return await run_audit(PostgresAuditReads(database), ledger, progress)

    def fill_check(self) -> FillCheck:
        """Fetches fills whose reports were lost."""
        return FillCheck(
            PostgresFillStore(self.database),
            self.gateway,
            self.references,
            self.events,
            self.clock.sleep,
            self.settings.fills,
        )

    def sweeps(self) -> list[Sweep]:
        """Remove expired records."""
        keys = self.settings.idempotency
        old_bulks = partial(self.bulk_store.remove_old, self.settings.submission.bulk_keep_s)
        return [
            Sweep("idempotency keys", self.key_store.remove_old, keys, self.clock),
            Sweep("bulk submissions", old_bulks, keys, self.clock),
        ]

    def editors(self) -> Editors:
        """Edit single rows."""
        return Editors(
            TradeOrderEditor(PostgresOrderChanges(self.database), self.references),
            ExecutionEditor(PostgresExecutionChanges(self.database), self.references),
            ReferenceEditor(PostgresReferenceChanges(self.database), self.references),
        )

    def _wire_submission(self, store: PostgresSubmissionStore) -> None:
        settings = self.settings
        batch_size = settings.batch.effective_size
        downstream = settings.execution_service
        processor = ExecutionBatchProcessor(
            batch_size, downstream.trade_types, wire.encode_batch, Refusals(downstream.refusal_messages)
        )
        self.intake = Intake(
            store, self.clock, processor, self.queue, self.waiters, self.gate, settings.engine
        )
        self.submissions = BulkExecutionSubmissionService(
            store,
            self.gateway,
            self.clock,
            processor,
            self.handler,
            self.queue,
            self.waiters,
            self.events,
            self.admission,
            self.gate,
            self.intake,
            self.recovery_due,
            self.owner,
            settings.engine,
        )
        self.sender = Senders(
            self.queue,
            self.submissions.process_batch,
            self.admission,
            self.gate.wait_open,
            batch_size,
            settings.batch.max_concurrent,
            settings.batch.linger_ms / 1000,
            self.clock.sleep,
        )
        self.direct = DirectSubmission(
            self.submissions.process_new, self.sender, self.waiters, self.admission, self.gate
        )
        self._wire_recovery(store)

    def _wire_recovery(self, store: PostgresSubmissionStore) -> None:
        self.recovery = Recovery(
            store,
            self.gateway,
            self.clock,
            self.handler,
            self.queue,
            self.waiters,
            self.events,
            self.admission,
            self.gate,
            self.downstream,
            self.recovery_due,
            self.owner,
            self.settings.engine,
        )
