"""The trade service: trade orders in, executions out, in bulk; nothing lost, nothing twice.

`trade_service.open` runs it inside another program; see docs/library.md. Importing this package loads nothing
else: its public names are loaded when they are first used, from the modules below. `__init__.pyi` has their types.
"""

import importlib

__version__ = "0.1.0"

_MODULES = {
    "trade_service.bootstrap.library": ("open", "TradeService"),
    "trade_service.bootstrap.container": ("CannotStart",),
    "trade_service.domain.orders": ("NewTradeOrder", "Submission", "TradeOrder"),
    "trade_service.domain.errors": (
        *("AlreadyExists", "DomainError", "InvalidInput", "NotFound", "Overloaded", "TooMany"),
    ),
    "trade_service.settings.sources": ("SettingsError",),
    "trade_service.store.embedded_folder": ("EmbeddedPostgresError",),
    "trade_service.store.migrations": ("MigrationError",),
    "trade_service.store.promises": ("OtherProgram",),
    "trade_service.submission.model": ("BulkSubmitResult", "ExecutionSubmitResult", "SubmitStatus"),
    "trade_service.submission.ports": ("StoreUnavailable",),
    "trade_service.trading.model": ("ExecutionView", "SubmittedOrder"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_MODULE_OF]
