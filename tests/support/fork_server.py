"""Forks commands from a process that has imported everything they use: most of a short command's time is imports.

Each is a process like any other, with its own arguments, environment, folder and standard streams. Run as
`python -m tests.support.fork_server FD`, where FD is a socket of requests; it ends when the socket is closed.
"""

import contextlib
import fcntl
import gc
import importlib
import io
import os
import pkgutil
import select
import signal
import socket
import sys
import tempfile
import termios
from collections.abc import Mapping, Sequence

import msgspec

PACKAGES = ("trade_service", "execution_simulator")
LATER = ("uvloop",)
"""Packages that commands import when they run."""
MAX_REQUEST_BYTES = 64 * 1024
FILES = 4


class Launch(msgspec.Struct):
    """What to run. Its files are sent with it: standard input, output and error, and a pipe for the report.

    The report is a line with the process id, then a line with the exit code, negative after a signal.
    """

    arguments: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    on_terminal: bool = False
    """Gives it a session of its own, whose terminal is standard input."""


def import_all() -> None:
    """Imports every module of the packages, except those that run when they are imported."""
    for package in LATER:
        importlib.import_module(package)
    for package in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__") and ".migrations." not in module.name:
                importlib.import_module(module.name)


def next_command(requests: socket.socket) -> Launch | None:
    """Forks a process for each request. Returns its request in each, and None at the end of the server."""
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reports: dict[int, int] = {}
    while True:
        ready = select.select([requests.fileno(), woken], [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
            _report_ended(reports)
        if requests.fileno() not in ready:
            continue
        data, files, _, _ = socket.recv_fds(requests, MAX_REQUEST_BYTES, FILES)
        if not data:
            return None
        if pid := os.fork():
            *streams, report = files
            for stream in streams:
                os.close(stream)
            reports[pid] = report
            os.write(report, b"%d\n" % pid)
            continue
        signal.set_wakeup_fd(-1)
        requests.close()
        for number, file in enumerate(files[:-1]):
            os.dup2(file, number)
        for file in (woken, wake, *files, *reports.values()):
            os.close(file)
        return msgspec.json.decode(data, type=Launch)


def _report_ended(reports: dict[int, int]) -> None:
    while reports:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        report = reports.pop(pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(report)


def become(request: Launch, command: str) -> None:
    """Makes this process what a new interpreter would be."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request.on_terminal:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    tempfile.tempdir = None
    sys.argv = [command, *request.arguments]
    sys.stdin = io.TextIOWrapper(
        io.BufferedReader(io.FileIO(0, closefd=False)), sys.stdin.encoding, sys.stdin.errors
    )


def main() -> None:
    """Serves requests; in each process that it forks, runs the command."""
    import_all()
    gc.collect()
    gc.freeze()
    request = next_command(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        become(request, sys.argv[2])
        from trade_service.cli.main import main as run

        run()


if __name__ == "__main__":
    main()
