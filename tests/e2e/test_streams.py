"""Standard streams that are closed, full or broken, early signals, and no home directory: real processes."""

import asyncio
import fcntl
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.command import LIMIT_S, Cli, Ended, bare_environment, free_port
from tests.support.forked import COMMAND

FULL = "/dev/full"


async def shell(cli: Cli, line: str) -> Ended:
    """Runs a line of shell, in which `$0` is the command."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", line, COMMAND, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=cli.folder, env=cli.environment
    )  # fmt: skip
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("line", "code", "complaint"),
    [
        ("$0 db status >&-", 0, ""),
        ("$0 db status <&- >&- 2>&-", 0, ""),
        ("$0 config --json >/dev/full", 74, "standard output cannot be written: No space left on device"),
        ("$0 --help >/dev/full", 74, "standard output cannot be written"),
        ("($0 config; echo $? >code) | true; exit $(cat code)", 141, ""),
        ("($0 --help; echo $? >code) | true; exit $(cat code)", 141, ""),
        ("$0 nonsense 2>/dev/full", 2, ""),
        ("$0 db status 2>&-", 0, ""),
    ],
)
async def test_a_stream_that_cannot_be_used_gives_its_exit_code_and_no_trace(
    cli: Cli, line: str, code: int, complaint: str
) -> None:
    ended = await shell(cli, line)
    assert ended.code == code, ended
    assert "Traceback" not in ended.err
    assert "Exception ignored" not in ended.err
    assert complaint in ended.err


async def test_the_service_works_on_when_its_log_cannot_be_written(cli: Cli) -> None:
    pid, code, port = cli.folder / "pid", cli.folder / "code", free_port()
    line = f"{COMMAND} serve --port {port} >{FULL} 2>{FULL} & echo $! >{pid}; wait $!; echo $? >{code}"
    process = await asyncio.create_subprocess_exec("sh", "-c", line, cwd=cli.folder, env=cli.environment)
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(LIMIT_S):
            for path in ("/actuator/health", "/api/v1/nothing", "/actuator/health"):
                while True:
                    try:
                        async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                            assert answer.status in (200, 404)
                            break
                    except aiohttp.ClientConnectionError:
                        await asyncio.sleep(0.05)  # It is starting: its first line cannot be read.
    finally:
        os.kill(int(pid.read_text()), signal.SIGTERM)
        async with asyncio.timeout(LIMIT_S):
            await process.wait()
    assert code.read_text().strip() == "74", "it ended in order, and says that its output was lost"


def only_child(pid: int) -> int:
    """Its process id; 0 while there is none."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text() or 0)


async def test_the_service_works_on_when_nobody_reads_its_log(cli: Cli) -> None:
    noisy = cli.under(LOG_LEVEL="DEBUG", EXECUTION_SERVICE_BASE_URL="http://127.0.0.1:9")
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = await asyncio.create_subprocess_exec(
        COMMAND, "serve", "--port", "0", stdout=PIPE, stderr=writing, cwd=noisy.folder, env=noisy.environment
    )  # fmt: skip
    os.close(writing)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(LIMIT_S), aiohttp.ClientSession() as session:
            url = (await process.stdout.readline()).decode().split()[2].rstrip(";")
            # Each change of the level is a line of the log.
            for number in range(100):
                level = {"configuredLevel": "INFO" if number % 2 else "DEBUG"}
                async with session.post(f"{url}/actuator/loggers/ROOT", json=level) as answer:
                    assert answer.status < 300
    finally:
        process.terminate()
        async with asyncio.timeout(LIMIT_S):
            await process.wait()
        os.close(reading)
    assert process.returncode == 0


def handles_signals(pid: int) -> bool:
    """Whether the command has set its handler of SIGHUP, the last one; before that it is bare Python."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(re.findall(r"^SigCgt:\s*(\w+)$", status, re.M)[0], 16)
    return bool(caught >> (signal.SIGHUP - 1) & 1)


async def ended_by(
    cli: Cli, number: signal.Signals, delay_s: float, *arguments: str, as_first_process: bool = False
) -> Ended:
    """The end of a command that gets a signal some time after its first line of code."""
    wrapper = ("unshare", "--pid", "--fork", "--kill-child") if as_first_process else ()
    process = await asyncio.create_subprocess_exec(
        *wrapper, COMMAND, *arguments,
        stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=cli.folder, env=cli.environment,
    )  # fmt: skip
    async with asyncio.timeout(LIMIT_S):
        while not (pid := only_child(process.pid) if as_first_process else process.pid):
            await asyncio.sleep(0.001)
        while not handles_signals(pid):
            await asyncio.sleep(0.001)
    await asyncio.sleep(delay_s)
    os.kill(pid, number)
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


CAN_BE_FIRST = os.geteuid() == 0 and shutil.which("unshare") is not None
DELAYS_S = [0, 0.15, 0.4, 0.8, 1.6]
NEEDS_PROC = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.skipif(not CAN_BE_FIRST, reason="a process namespace needs root")
@pytest.mark.parametrize("delay_s", DELAYS_S)
async def test_sigterm_ends_process_1_of_a_container_at_any_moment(cli: Cli, delay_s: float) -> None:
    """From its first line of code on: the kernel drops what a process 1 has no handler for."""
    ended = await ended_by(cli, signal.SIGTERM, delay_s, "serve", "--port", "0", as_first_process=True)
    assert ended.code in (0, 143), ended
    assert "Traceback" not in ended.err


@NEEDS_PROC
@pytest.mark.parametrize("delay_s", DELAYS_S)
async def test_a_terminal_that_closes_ends_the_service_in_order(cli: Cli, delay_s: float) -> None:
    ended = await ended_by(cli, signal.SIGHUP, delay_s, "serve", "--port", "0")
    assert ended.code in (0, 129), ended
    assert "Traceback" not in ended.err


@NEEDS_PROC
@pytest.mark.parametrize("delay_s", DELAYS_S)
async def test_ctrl_c_at_any_moment_leaves_one_line(cli: Cli, delay_s: float) -> None:
    ended = await ended_by(cli, signal.SIGINT, delay_s, "serve", "--port", "0")
    assert ended.code in (0, 130), ended
    assert "Traceback" not in ended.err


INTERRUPTED_IMPORT = """
import sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "asyncio.events":
            sys.meta_path.remove(self)
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from trade_service.cli.main import main
main()
"""


async def test_ctrl_c_in_the_middle_of_an_import_leaves_one_line(bare_cli: Cli) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", INTERRUPTED_IMPORT, "serve", "--port", "0",
        stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=bare_cli.folder, env=bare_cli.environment,
    )  # fmt: skip
    async with asyncio.timeout(LIMIT_S):
        _, err = await process.communicate()
    assert (process.returncode, err.decode().split("\n")) == (130, ["", "trade-service: interrupted", ""])


SWALLOWED_SIGNAL = """
import os, sys
MODULE, NUMBER = sys.argv[1], int(sys.argv[2])
sys.argv[1:3] = []
class Swallowing:
    def find_spec(self, name, *_):
        if name == MODULE:
            sys.meta_path.remove(self)
            try:
                os.kill(os.getpid(), NUMBER)
            except BaseException:
                pass
sys.meta_path.insert(0, Swallowing())
from trade_service.cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("module", "workers"),
    [("trade_service.settings.tree", 1), ("litestar", 1), ("trade_service.workers.channel", 2)],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_library_cannot_swallow_a_signal_that_arrives_while_it_is_imported(
    bare_cli: Cli, module: str, workers: int, number: signal.Signals
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SWALLOWED_SIGNAL, module, str(int(number)), "serve", "--port", "0",
        "--workers", str(workers),
        stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=bare_cli.folder, env=bare_cli.environment,
    )  # fmt: skip
    async with asyncio.timeout(LIMIT_S):
        _, err = await process.communicate()
    assert process.returncode == 128 + number
    assert err.decode().count("\n") == 1 + (number is signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_nor_one_that_is_imported_before_the_command_is_known(
    bare_cli: Cli, number: signal.Signals
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SWALLOWED_SIGNAL, "rich_click", str(int(number)), "config",
        stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=bare_cli.folder, env=bare_cli.environment,
    )  # fmt: skip
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    said = b"trade-service: interrupted\n" if number is signal.SIGINT else b""
    assert (process.returncode, out, err) == (128 + number, b"", said)


def homeless(folder: Path) -> Mapping[str, str]:
    """An environment of a user whom the system does not know."""
    return {name: value for name, value in bare_environment(folder).items() if name != "HOME"}


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="to be another user needs root"
)
@pytest.mark.parametrize("arguments", [("db", "status"), ("simulate", "--port", "0"), ("audit",)])
async def test_without_a_home_directory_one_line_says_what_to_set(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    process = await asyncio.create_subprocess_exec(
        "setpriv", "--reuid", "54321", "--clear-groups", sys.executable, "-m", "trade_service.cli.main",
        *arguments, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd="/", env=homeless(tmp_path),
    )  # fmt: skip
    async with asyncio.timeout(LIMIT_S):
        _, err = await process.communicate()
    assert process.returncode == 2
    lines = err.decode().splitlines()
    assert re.fullmatch(
        "trade-service: there is no home directory .* set HOME, DATABASE_URL .*", lines[-1]
    ), lines
