"""The package as users install it: built, installed into a fresh virtual environment, and used there."""

import asyncio
import json
import os
import re
import site
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path

import pytest

import trade_service
from execution_simulator.server import SimulatorSettings, running_simulator
from tests.support.database import TestServer

ROOT = Path(__file__).parent.parent
LIMIT_S = 60
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    ran(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder), cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new virtual environment with the wheel, and the dependencies of this one."""
    folder = tmp_path_factory.mktemp("venv")
    ran(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    install = ("-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index", str(wheel))
    ran(sys.executable, *install)
    purelib = ran(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    dependencies = "\n".join(path for path in site.getsitepackages() if path != purelib)
    # A path from a .pth file is searched last, and its own .pth files are not read: this checkout stays out.
    Path(purelib, "dependencies.pth").write_text(dependencies, encoding="utf-8")
    return python.parent


def ran(*command: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
    """The standard output of a command that succeeds."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=cwd,
        env={**bare, **(environ or {})},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_has_what_the_program_reads_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    listed = ran("git", "ls-files", "--cached", "--others", "--exclude-standard", "src", cwd=ROOT).split()
    sources = {name.removeprefix("src/") for name in listed if (ROOT / name).exists()}
    assert {"trade_service/py.typed", "execution_simulator/py.typed", "trade_service/__init__.pyi"} < names
    assert {name for name in names if ".dist-info/" not in name} == sources
    assert [name for name in names if name.endswith("licenses/LICENSE")]


def test_the_metadata_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    assert metadata["Version"] == trade_service.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    classifiers = metadata.get_all("Classifier", [])
    assert "Typing :: Typed" in classifiers
    assert [f"Programming Language :: Python :: 3.{minor}" in classifiers for minor in range(11, 15)] == [
        True
    ] * 4
    assert "parquet" in metadata.get_all("Provides-Extra", [])


def example() -> str:
    page = (ROOT / "docs" / "library.md").read_text("utf-8")
    found = re.search(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert found is not None
    return found[1]


async def test_the_example_of_the_page_runs_in_a_fresh_environment(
    programs: Path, postgres: TestServer, template_database: str, tmp_path: Path
) -> None:
    script = tmp_path / "example.py"
    script.write_text(example(), encoding="utf-8")
    async with (
        postgres.database(template_database) as url,
        running_simulator(SimulatorSettings(retry_after_s=0)) as simulator,
    ):
        settings = {"DATABASE_URL": url, "EXECUTION_SERVICE_BASE_URL": simulator.base_url}
        python = str(programs / "python")
        out = await asyncio.to_thread(lambda: ran(python, str(script), cwd=tmp_path, environ=settings))
        accepted = simulator.ledger.accepted_counts()
    assert out.splitlines()[0] == "SUCCESS 3"
    assert len(accepted) == 3
    assert {*accepted.values()} == {1}
    assert len(out.splitlines()) == 4


def test_an_import_loads_the_standard_library_alone(programs: Path) -> None:
    code = (
        "import sys; before = {*sys.modules}; import trade_service; after = {*sys.modules} - before\n"
        "print(sorted(name for name in after if name.partition('.')[0] not in sys.stdlib_module_names))\n"
        "print(trade_service.__file__)"
    )
    loaded, place = ran(str(programs / "python"), "-c", code).splitlines()
    assert loaded == "['trade_service']"
    assert Path(place).is_relative_to(programs.parent)


def test_every_public_name_exists_and_has_a_type() -> None:
    stub = (ROOT / "src/trade_service/__init__.pyi").read_text("utf-8")
    typed = dict(re.findall(r"^from (\S+) import (\w+) as \2$", stub, re.M))
    assert len(typed) > 8
    names = {name for name in dir(trade_service) if not name.startswith("_")} - {"importlib"}
    listed = set(re.findall(r"^from \S+ import (\w+) as \1$", stub, re.M))
    public = {name for name in names if getattr(trade_service, name).__class__.__name__ != "module"}
    assert public == listed
    with pytest.raises(AttributeError, match="has no attribute 'close'"):
        trade_service.close  # type: ignore[attr-defined]  # noqa: B018


def completions(programs: Path, kind: str, environ: Mapping[str, str]) -> list[str]:
    program = str(programs / "trade-service")
    return ran(program, environ={**environ, "_TRADE_SERVICE_COMPLETE": f"{kind}_complete"}).split("\n")


def test_commands_options_and_values_are_completed(programs: Path) -> None:
    words = {"COMP_WORDS": "trade-service re", "COMP_CWORD": "1"}
    found = completions(programs, "bash", words)
    assert {"plain,resolve", "plain,requeue", "plain,recover", ""} <= {*found}
    assert all(line.startswith("plain,re") for line in found if line)
    words = {"COMP_WORDS": "trade-service completion --j", "COMP_CWORD": "2"}
    assert completions(programs, "zsh", words)[:3] == ["plain", "--json", "Print the result as JSON."]
    words = {"COMP_WORDS": "trade-service completion", "COMP_CWORD": "z"}
    assert completions(programs, "fish", words) == ["plain,zsh", ""]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_calls_the_program(programs: Path, shell: str) -> None:
    program = str(programs / "trade-service")
    script = ran(program, "completion", shell)
    assert f"_TRADE_SERVICE_COMPLETE={shell}_complete" in script
    assert json.loads(ran(program, "completion", shell, "--json")) == {"shell": shell, "script": script}
    if shell == "bash":
        script += "\nCOMP_WORDS=(trade-service unk) COMP_CWORD=1; _trade_service_completion trade-service"
        script += '; echo "${COMPREPLY[@]}"'
        path = f"{programs}:{os.environ['PATH']}"
        assert ran("bash", "-c", script, environ={"PATH": path}) == "unknowns\n"


def releases() -> Iterator[tuple[str, str, str]]:
    """The versions of the changelog, with their dates and entries."""
    parts = re.split(r"^## (.*)$", CHANGELOG, flags=re.M)[1:]
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        found = re.fullmatch(r"\[(Unreleased|\d+\.\d+\.\d+)\](?: - (\d{4}-\d\d-\d\d))?", heading)
        assert found is not None, heading
        assert (found[2] is None) == (found[1] == "Unreleased"), heading
        yield found[1], found[2] or "", text


def test_the_changelog_keeps_its_form() -> None:
    found = list(releases())
    assert found[0][0] == "Unreleased"
    assert found[1][0] == trade_service.__version__
    versions = [tuple(map(int, version.split("."))) for version, _, _ in found[1:]]
    dates = [date for _, date, _ in found[1:]]
    assert versions == sorted({*versions}, reverse=True)
    assert dates == sorted(dates, reverse=True)
    for version, _, text in found:
        kinds = re.findall(r"^### (.*)$", text, re.M)
        assert [*kinds] == [kind for kind in KINDS if kind in kinds], version
        assert kinds or version == "Unreleased"
        assert not re.search(r"^- ", text.partition("\n### ")[0], re.M), f"{version}: an entry of no kind"
