"""Runs the command on a terminal of its own, and answers its questions."""

import asyncio
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Mapping, Sequence

from tests.e2e.command import COMMAND, LIMIT_S, Cli, Ended

RETYPE_S = 1.0


async def in_terminal(
    cli: Cli, arguments: Sequence[str], columns: int, answers: Mapping[str, str] | None = None
) -> Ended:
    """What a person sees; `answers` maps words of the screen to what is typed once they appear."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = await asyncio.create_subprocess_exec(
        COMMAND, *arguments, stdin=slave, stdout=slave, stderr=slave, cwd=cli.folder,
        env={**cli.environment, "TERM": "xterm-256color"}, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
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
            typed.append(left.pop(words))
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
