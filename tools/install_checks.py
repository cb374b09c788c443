"""Installs the wheel with pip, uv and pipx into every Python from 3.11 to 3.14 that it finds, and uses it there.

    python -m tools.install_checks

Each installation brings its dependencies from a package index. Where pip installed it, the example of
docs/library.md runs on the embedded PostgreSQL, against a simulator that the installed program starts.
What is missing on this machine is named and left out.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
MINORS = range(11, 15)
LIMIT_S = 600


class CheckFailed(Exception):
    """An installation cannot be used; the message has the command and its output."""


def ran(*command: str | Path, **environ: str) -> str:
    """The standard output of a command; raises CheckFailed."""
    bare = {name: os.environ[name] for name in os.environ if not name.startswith("TRADE_SERVICE_")}
    done = subprocess.run(
        command, capture_output=True, text=True, env=bare | environ, check=False, timeout=LIMIT_S
    )
    if done.returncode:
        raise CheckFailed(f"{' '.join(map(str, command))}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def interpreters() -> dict[int, Path]:
    """The Pythons of this machine by minor version: on the path, of pyenv, and of uv."""
    found: dict[int, Path] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for minor in MINORS:
        candidates = [shutil.which(f"python3.{minor}"), *map(str, pyenv.glob(f"3.{minor}.*/bin/python3"))]
        if uv := shutil.which("uv"):
            asked = subprocess.run(
                [uv, "python", "find", "--no-python-downloads", f"3.{minor}"],
                capture_output=True,
                text=True,
                check=False,
            )
            candidates.append(asked.stdout.strip())
        for candidate in filter(None, candidates):
            code = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, {minor}))"
            if subprocess.run([candidate, "-c", code], capture_output=True, check=False).returncode == 0:
                found[minor] = Path(candidate)
                break
    return found


def with_pip(python: Path, wheel: Path, folder: Path) -> Path:
    """Installs into a virtual environment; returns the folder of its programs."""
    ran(python, "-m", "venv", folder)
    ran(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    return folder / "bin"


def with_uv(python: Path, wheel: Path, folder: Path) -> Path:
    """Installs into a virtual environment that uv makes."""
    ran("uv", "venv", "--quiet", "--python", python, folder)
    ran("uv", "pip", "install", "--quiet", "--python", folder / "bin" / "python", wheel)
    return folder / "bin"


def with_pipx(python: Path, wheel: Path, folder: Path) -> Path:
    """Installs the command alone."""
    places = {
        "PIPX_HOME": str(folder / "home"),
        "PIPX_BIN_DIR": str(folder / "bin"),
        "PIPX_MAN_DIR": str(folder),
    }
    ran("pipx", "install", "--quiet", "--python", python, wheel, **places)
    (programs,) = (folder / "home" / "venvs").glob("*/bin")
    return programs


INSTALLERS: dict[str, Callable[[Path, Path, Path], Path]] = {
    "pip": with_pip,
    "uv": with_uv,
    "pipx": with_pipx,
}


@contextmanager
def simulator(programs: Path, folder: Path) -> Iterator[str]:
    """The address of the simulator that the installed program runs."""
    command = (programs / "trade-service", "simulate", "--port", "0", "--books", folder / "books")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield re.findall(r"http://[0-9.:]+", process.stdout.readline())[0]
        finally:
            process.terminate()


def use(programs: Path, folder: Path) -> None:
    """Runs the program, and the example of the page; raises CheckFailed."""
    page = (ROOT / "docs" / "library.md").read_text("utf-8")
    found = re.search(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert found is not None
    script = folder / "example.py"
    script.write_text(found[1], encoding="utf-8")
    with simulator(programs, folder) as url:
        data = {"TRADE_SERVICE_DATABASE_DATA_DIR": str(folder / "data"), "EXECUTION_SERVICE_BASE_URL": url}
        out = ran(programs / "python", script, **data)
    if not out.startswith("SUCCESS 3\n"):
        raise CheckFailed(f"the example printed {out!r}")


def main() -> None:
    """Every installer with every Python; exit code 1 if one fails."""
    (wheel,) = (ROOT / "dist").glob("*.whl")
    failures = 0
    pythons = interpreters()
    missing = [f"Python 3.{minor}" for minor in MINORS if minor not in pythons]
    missing += [name for name in INSTALLERS if name != "pip" and shutil.which(name) is None]
    for minor, python in pythons.items():
        for name, installer in INSTALLERS.items():
            if name in missing:
                continue
            with tempfile.TemporaryDirectory(prefix="trade-service-") as text:
                folder = Path(text)
                folder.chmod(0o755)
                try:
                    programs = installer(python, wheel, folder / "env")
                    version = ran(programs / "trade-service", "--version").strip()
                    if name == "pip":
                        use(programs, folder)
                        version += "; the example of docs/library.md ran"
                except (CheckFailed, subprocess.TimeoutExpired) as failure:
                    failures, version = failures + 1, f"FAILED: {failure}"
            print(f"Python 3.{minor} with {name}: {version}", flush=True)
    if missing:
        print(f"Left out, as not on this machine: {', '.join(missing)}")
    sys.exit(1 if failures or not pythons else 0)


if __name__ == "__main__":
    main()
