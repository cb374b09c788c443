"""Lint with an advisory service that knows something, one that knows nothing, and without one."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.advisories import judge
from tests.client.raw_server import Conversation, closed_port, raw_server

ALPHA = f"alpha==1.0 --hash=sha256:{'0' * 64}\n"
BETA = f"beta==2.0 --hash=sha256:{'1' * 64}\n"
ADVISORY = {
    "id": "PYSEC-1-1",
    "summary": "bad",
    "affected": [
        {
            "package": {"name": "beta", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.1"}]}],
        }
    ],
}


async def linted(folder: Path, url: str, *options: str) -> tuple[int, str]:
    """The exit code and output, with the advisory service at `url`."""
    production, development = folder / "requirements.lock", folder / "requirements-dev.lock"
    production.write_text(ALPHA, "utf-8")
    development.write_text(ALPHA + BETA, "utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.advisories", *options, str(production), str(development),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": url, "NO_PROXY": "*"},
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.mark.parametrize(
    ("vulnerable", "code", "lines"),
    [
        (False, 0, "Dependencies: 2 of 2 audited, 0 known vulnerabilities.\n"),
        (
            True,
            1,
            "Dependencies: 2 of 2 audited, 1 known vulnerabilities.\nbeta 2.0: PYSEC-1-1, mended in 2.1\n",
        ),
    ],
)
async def test_a_known_vulnerability_fails(tmp_path: Path, vulnerable: bool, code: int, lines: str) -> None:
    async def service(talk: Conversation) -> None:
        while True:
            found = vulnerable and json.loads(await talk.request())["package"]["name"] == "beta"
            await talk.answer(200, json.dumps({"vulns": [ADVISORY]} if found else {}).encode())

    async with raw_server(service) as server:
        assert await linted(tmp_path, f"{server.base_url}/v1/query", "--required") == (code, lines)


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--required",), 1)])
async def test_a_service_that_is_away_is_one_line(
    tmp_path: Path, options: tuple[str, ...], code: int
) -> None:
    ended, told = await linted(tmp_path, f"http://127.0.0.1:{closed_port()}/v1/query", *options)
    assert ended == code
    assert told.startswith(
        "Dependencies: nothing was audited: no advisory service that knows them was reached; "
    )
    assert told.count("\n") == 1


@pytest.mark.parametrize("required", [False, True])
def test_packages_that_the_service_does_not_know_are_not_audited(required: bool) -> None:
    """An index without advisories answers 404 for each package, which pip-audit alone takes for success."""
    known = {"name": "alpha", "version": "1.0", "vulns": []}
    unknown = {"name": "beta", "skip_reason": "not found"}
    some = judge(json.dumps({"dependencies": [known, unknown]}), required)
    assert some.lines == ["Dependencies: 1 of 2 audited, 0 known vulnerabilities; not audited: beta."]
    none = judge(json.dumps({"dependencies": [unknown]}), required)
    assert none.lines[0].startswith("Dependencies: nothing was audited")
    assert (some.failed, none.failed) == (required, required)
