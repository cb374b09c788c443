"""Writes the service's OpenAPI document to standard output: `python -m tools.openapi_document`."""

import sys
from types import SimpleNamespace
from typing import Any

import msgspec

from trade_service.web.app import create_app
from trade_service.web.dependencies import WebServices
from trade_service.web.openapi.document import openapi_document
from trade_service.web.responses import encoded


def document() -> bytes:
    """The document of all routes, also those that depend on settings. Nothing is started."""
    stub: Any = SimpleNamespace()
    required = [field.name for field in msgspec.structs.fields(WebServices) if field.required]
    services = WebServices(**dict.fromkeys(required, stub), metrics=stub, log_level=stub)
    return encoded(openapi_document(create_app(services), secured=True))


if __name__ == "__main__":
    sys.stdout.buffer.write(document())
