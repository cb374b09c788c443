"""Runs the command on a terminal of its own, and answers its questions."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import termios
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from tests.e2e.command import LIMIT_S, Cli, Ended
from tests.support.forked import COMMAND, Forked, is_forkable

RETYPE_S = 1.0
_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\\\)|(.)", re.S)
Answer: TypeAlias = str | Callable[[], str]


def screen_of(output: str, columns: int) -> list[str]:
    """The lines that a terminal of that width shows in the end, those that scrolled away included.

    It wraps at its last column, and understands what rich writes: colours, moves up, erased lines.
    """
    lines: list[list[str]] = [[]]
    row = column = 0
    for control in _CONTROL.finditer(output):
        number, letter, text = control.groups()
        if letter == "A":
            row = max(0, row - int(number or 1))
        elif letter == "K":
            lines[row] = [] if number == "2" else lines[row][:column]
        elif text == "\r":
            column = 0
        elif text == "\n":
            row += 1
        elif text is not None and text.isprintable():
            if column == columns:
                row, column = row + 1, 0
            while len(lines) <= row:
                lines.append([])
            line = lines[row]
            line += [" "] * (column + 1 - len(line))
            line[column] = text
            column += 1
        while len(lines) <= row:
            lines.append([])
    return ["".join(line).rstrip() for line in lines]


async def _started(cli: Cli, arguments: Sequence[str], terminal: int) -> Process | Forked:
    if is_forkable(cli.environment):
        return await Forked.on_terminal(arguments, cli.folder, cli.environment, terminal)
    return await asyncio.create_subprocess_exec(
        COMMAND, *arguments, stdin=terminal, stdout=terminal, stderr=terminal, cwd=cli.folder,
        env=cli.environment, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip


async def in_terminal(
    cli: Cli, arguments: Sequence[str], columns: int, answers: Mapping[str, Answer] | None = None
) -> Ended:
    """What a person sees; `answers` maps words to what is typed, or done and typed, once they appear."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = await _started(cli.under(TERM="xterm-256color"), arguments, slave)
    os.close(slave)
    seen, left = bytearray(), dict(answers or {})
    typed: list[str] = []
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        try:
            data = os.read(master, 65_536)
        except OSError:  # The other end is closed.
            data = b""
        if not data:
            loop.remove_reader(master)
            done.set()
            return
        seen.extend(data)
        for words in [words for words in left if words.encode() in seen]:
            answer = left.pop(words)
            typed.append(answer if isinstance(answer, str) else answer())
            os.write(master, typed[-1].encode())

    loop.add_reader(master, read)
    try:
        async with asyncio.timeout(LIMIT_S):
            while process.returncode is None:
                try:
                    await asyncio.wait_for(process.wait(), RETYPE_S)
                except TimeoutError:
                    if typed:  # The first time may have been lost while the question set up the terminal.
                        os.write(master, typed[-1].encode())
            await done.wait()
    finally:
        loop.remove_reader(master)
        os.close(master)
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, seen.decode(), "")
