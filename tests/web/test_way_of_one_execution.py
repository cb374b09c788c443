"""Counts our files and functions between `POST batch/submit` and SENT."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import trade_service
from tests.support.database import TestServer
from tests.web.live import live_alone, quick_settings
from trade_service.observability.submission_log import SubmissionLog
from trade_service.submission.ledger_watch import LedgerWatch
from trade_service.web.layers import Deadlines

MAX_FUNCTIONS = 150
MAX_FILES = 30
"""Ratchets: lower them with the code."""

ROOT = Path(trade_service.__file__).parent
INLINE = {"<genexpr>", "<lambda>", "<listcomp>", "<setcomp>", "<dictcomp>", "<module>"}
"""Code objects that are parts of the surrounding function."""


BESIDE = (LedgerWatch.run.__code__, SubmissionLog.run.__code__, Deadlines._cancel_late.__code__)
"""Loops that are on no execution's way, and the timer that ends late requests."""


def is_beside(frame: FrameType | None) -> bool:
    """Whether it runs in one of these."""
    while frame is not None:
        if frame.f_code in BESIDE:
            return True
        frame = frame.f_back
    return False


@contextmanager
def traced() -> Iterator[set[CodeType]]:
    """Our functions called in this thread, except in the loops beside."""
    called: set[CodeType] = set()
    root = f"{ROOT}/"

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(root) and not is_beside(frame):
            called.add(frame.f_code)

    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)


def listed(functions: set[CodeType]) -> str:
    """The functions by file, as text."""
    files: dict[str, list[str]] = {}
    for code in functions:
        files.setdefault(str(Path(code.co_filename).relative_to(ROOT)), []).append(code.co_qualname)
    return "\n".join(f"{name}: {', '.join(sorted(files[name]))}" for name in sorted(files))


async def test_an_execution_passes_few_files_and_functions(
    postgres: TestServer, template_database: str
) -> None:
    quick = quick_settings("", "")
    calm = {
        "submission": quick.submission.__class__(wait_s=8.0, recovery_poll_ms=60_000),
    }
    async with live_alone(postgres, template_database, **calm) as live:
        first, second, third = await live.orders(3)
        # Once to connect, and to read what is cached.
        assert (await live.batch((first, 50), (second, 50))).body["successful"] == 2
        with traced() as called:
            answer = await live.batch((second, 50), (third, 50))
        result = answer.body["results"][0]
        assert result["execution"]["executionStatus"]["abbreviation"] == "SENT"
    functions = {code for code in called if code.co_name not in INLINE}
    files = Counter(code.co_filename for code in functions)
    assert len(functions) <= MAX_FUNCTIONS, f"{len(functions)} functions\n{listed(functions)}"
    assert len(files) <= MAX_FILES, f"{len(files)} files\n{listed(functions)}"
