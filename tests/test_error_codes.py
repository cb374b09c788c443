"""docs/errors.md and the code name the same error codes, with the same statuses, and every code is used."""

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

import trade_service.trading.model  # noqa: F401  # its error is one of the domain's
from trade_service.domain.errors import DomainError
from trade_service.execution_service.reply_interpretation import ClientCode
from trade_service.http_server.protocol_errors import REFUSALS
from trade_service.submission.codes import AlarmCode, EvidenceCode, OutcomeCode
from trade_service.web.errors import STATUS_OF, STATUS_OF_REASON, HttpCode

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
STATEMENTS = sorted((ROOT / "src").rglob("*.sql"))
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.M)
ROWS = {row[0]: row for row in ROW.findall((ROOT / "docs/errors.md").read_text("utf-8"))}
ENUMS: tuple[type[StrEnum], ...] = (ClientCode, OutcomeCode, AlarmCode, EvidenceCode, HttpCode)


def _family(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__.startswith("trade_service."):
            yield from _family(child)


DOMAIN = {kind.code: STATUS_OF[kind] for kind in _family(DomainError) if kind in STATUS_OF}
SERVING = {code: status for status, (_, code) in REFUSALS.items()}
PLACES: dict[str, set[str]] = {
    "answer": {*HttpCode, *SERVING, *DOMAIN},
    "outcome": {*ClientCode, *OutcomeCode},
    "alarm": set(AlarmCode),
    "evidence": set(EvidenceCode),
}


def test_the_table_names_every_code_and_no_other() -> None:
    assert set(ROWS) == {str(code) for codes in PLACES.values() for code in codes}
    assert len(ROWS) > 80


@pytest.mark.parametrize("place", PLACES)
def test_the_table_says_where_a_code_appears(place: str) -> None:
    told = {code for code, where, *_ in ROWS.values() if place in where.split(", ")}
    assert told == {str(code) for code in PLACES[place]}


@pytest.mark.parametrize("codes", [DOMAIN, SERVING, STATUS_OF_REASON], ids=["domain", "serving", "reason"])
def test_the_table_has_the_statuses_that_are_answered(codes: dict[str, int]) -> None:
    for code, status in codes.items():
        assert re.search(rf"\b{status}\b", ROWS[code][2]), f"{code} is answered with {status}"


@pytest.mark.parametrize("code", ClientCode)
def test_the_table_tells_a_code_of_the_client_in_its_own_words(code: ClientCode) -> None:
    assert ROWS[code][3] == code.meaning


@pytest.mark.parametrize("codes", ENUMS, ids=lambda codes: codes.__name__)
def test_every_code_is_used(codes: type[StrEnum]) -> None:
    text = "\n".join(path.read_text("utf-8") for path in (*SOURCES, *STATEMENTS))
    unused = [
        code.name
        for code in codes
        if not re.search(rf"\b{codes.__name__}\.{code.name}\b", text) and f"'{code.value}'" not in text
    ]
    assert not unused


def test_codes_are_named_not_spelled() -> None:
    """A code spelled as text may be undocumented. SQL statements quote them."""
    names = {code.value for codes in ENUMS for code in codes if "_" in code.value}
    own = {"codes.py", "errors.py", "reply_interpretation.py", "protocol_errors.py"}
    spelled = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.value}"
        for path in SOURCES
        if path.name not in own and "cli" not in path.parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert not spelled
