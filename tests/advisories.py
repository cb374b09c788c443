"""Asks an advisory service, through pip-audit, what is known against the locked packages.

    python -m tests.advisories [--required] [LOCK ...]

A vulnerability fails. So does, with --required, that nothing could be asked; without it that is one line, since a
machine that lints may reach nothing. pip-audit's own variables hold: PIP_AUDIT_VULNERABILITY_SERVICE=osv and
PIP_AUDIT_OSV_URL name another service.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

LOCKS = [
    Path(__file__).parent.parent / name
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-release.lock")
]
SILENCE_S = 3
"""Time-out of the service; requests are small."""
LIMIT_S = 120
ADVICE = "run `make lint AUDIT=required` where it can be reached"


class Vulnerability(msgspec.Struct):
    """A vulnerability as pip-audit reports it."""

    id: str
    fix_versions: list[str] = []


class Package(msgspec.Struct):
    """A locked package; `skip_reason` if the service does not know it."""

    name: str
    version: str = ""
    skip_reason: str | None = None
    vulns: list[Vulnerability] = []


class Report(msgspec.Struct):
    """pip-audit's JSON."""

    dependencies: list[Package]


class Verdict(msgspec.Struct, frozen=True):
    """Lines for people, and whether lint fails."""

    lines: list[str]
    failed: bool


def judge(output: str, required: bool) -> Verdict:
    """The verdict on pip-audit's standard output, which is not a report if the service was unreachable."""
    try:
        packages = msgspec.json.decode(output, type=Report).dependencies
    except (msgspec.DecodeError, UnicodeError):
        packages = []
    known = [package for package in packages if package.skip_reason is None]
    if not known:
        line = (
            f"Dependencies: nothing was audited: no advisory service that knows them was reached; {ADVICE}."
        )
        return Verdict([line], required)
    found = [
        f"{package.name} {package.version}: {vulnerability.id}, "
        f"mended in {', '.join(vulnerability.fix_versions) or 'no release yet'}"
        for package in known
        for vulnerability in package.vulns
    ]
    unknown = [package.name for package in packages if package.skip_reason is not None]
    told = f"Dependencies: {len(known)} of {len(packages)} audited, {len(found)} known vulnerabilities"
    line = f"{told}; not audited: {', '.join(unknown)}." if unknown else f"{told}."
    return Verdict([line, *found], bool(found) or (required and bool(unknown)))


def asked(locks: Sequence[Path]) -> str:
    """pip-audit's output for the packages of all lock files, each once; empty after a time-out."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
        *("--disable-pip", "--require-hashes", "--timeout", str(SILENCE_S)),
        *(f"--requirement={lock}" for lock in locks),
    ]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.advisories")
    parser.add_argument("--required", action="store_true", help="fail when not all was audited")
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS)
    chosen = parser.parse_args(arguments)
    verdict = judge(asked(chosen.locks), chosen.required)
    print("\n".join(verdict.lines))
    return int(verdict.failed)


if __name__ == "__main__":
    sys.exit(main())
