"""Builds the wheel, the sdist and the bill of materials into dist/, and has each checked by the usual tool.

    python -m tools.release

It runs with the tools of requirements-release.lock and ends at the first check that fails. The last check installs
the locked dependencies and the wheel into a new virtual environment, so it needs a package index.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
BIN = Path(sys.executable).parent
LOCK = ROOT / "requirements.lock"
NAME = "globeco_trade_service"


def step(title: str, *command: str | Path, cwd: Path = ROOT) -> str:
    """Runs a step; returns its output. Ends the program with that output if it fails."""
    print(f"{title} ...", flush=True)
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{title} failed ({' '.join(map(str, command))}):\n{done.stdout}{done.stderr}")
    return done.stdout


def build() -> tuple[Path, Path]:
    """The wheel and the sdist, after a check that the wheel of the sdist is the same."""
    for path in DIST.glob(f"{NAME}-*"):
        path.unlink()
    step("Building wheel and sdist", BIN / "hatchling", "build", "--directory", DIST)
    (wheel,), (sdist,) = DIST.glob(f"{NAME}-*.whl"), DIST.glob(f"{NAME}-*.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (unpacked,) = Path(folder).iterdir()
        step(
            "Building the wheel from the sdist", BIN / "hatchling", "build", "--target", "wheel", cwd=unpacked
        )
        if (unpacked / "dist" / wheel.name).read_bytes() != wheel.read_bytes():
            sys.exit("the wheel that the sdist builds is another one than that of this tree")
    return wheel, sdist


def write_bill(wheel: Path) -> None:
    """Writes the bill of materials (CycloneDX) of the locked dependencies, compared with the lock."""
    bill = DIST / f"{'-'.join(wheel.name.split('-')[:2])}.cdx.json"
    step(
        "Writing the bill of materials",
        *(BIN / "cyclonedx-py", "requirements", LOCK, "--pyproject", ROOT / "pyproject.toml"),
        *("--mc-type", "application", "--output-format", "JSON", "--output-reproducible", "--validate"),
        *("--output-file", bill),
    )
    listed = {(one["name"], one["version"]) for one in json.loads(bill.read_text("utf-8"))["components"]}
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", LOCK.read_text("utf-8"), re.M))
    if listed != locked:
        sys.exit(f"the bill of materials differs from {LOCK.name}: {sorted(listed ^ locked)}")
    print(f"  {len(listed)} components")


def install(wheel: Path) -> None:
    """Installs the locked dependencies and the wheel where nothing else is, and runs the program."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = (Path(folder, "bin", "python"), "-m", "pip", "--quiet", "--disable-pip-version-check")
        step("Installing the locked dependencies", *pip, "install", "--require-hashes", "-r", LOCK)
        step("Installing the wheel", *pip, "install", "--no-deps", "--no-index", wheel)
        step("Checking the dependencies", *pip, "check")
        print("  " + step("Running the program", Path(folder, "bin", "trade-service"), "--version").strip())


def write_checksums(*others: Path) -> None:
    """Writes the checksums of the package and of `others`, all in dist/, and prints their names and sizes."""
    sums = DIST / f"{NAME}-SHA256SUMS"
    files = (*sorted(DIST.glob(f"{NAME}-*")), *others)
    with sums.open("w", encoding="utf-8") as out:
        for path in files:
            if path != sums:
                with path.open("rb") as content:
                    out.write(f"{hashlib.file_digest(content, 'sha256').hexdigest()}  {path.name}\n")
                print(f"dist/{path.name}: {path.stat().st_size:,} bytes")


def main() -> None:
    """All steps, and a file of checksums at the end."""
    DIST.mkdir(exist_ok=True)
    wheel, sdist = build()
    step("Checking the metadata", BIN / "twine", "check", "--strict", wheel, sdist)
    step("Checking the wheel's content", BIN / "check-wheel-contents", wheel)
    write_bill(wheel)
    install(wheel)
    write_checksums()
    shutil.rmtree(ROOT / "build", ignore_errors=True)


if __name__ == "__main__":
    main()
