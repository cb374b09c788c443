"""The tutorial, command by command, as its reader types it."""

import re
import shlex
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from tests.e2e.command import FAST, Cli, free_port

PAGE = Path(__file__).parents[2] / "docs/tutorial.md"
LEFT_RUNNING = {"simulate", "serve"}
LINE = re.compile(r"^trade-service (.+)$", re.M)


async def test_every_command_of_the_tutorial_works(cli: Cli) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    cli = cli.under(**FAST, EXECUTION_SERVICE_BASE_URL=address)
    seen = []
    async with AsyncExitStack() as stack:
        for line in LINE.findall(PAGE.read_text("utf-8")):
            command, *arguments = shlex.split(line)
            seen.append(command)
            if command in LEFT_RUNNING:
                of_its_own = str(port if command == "simulate" else free_port())
                running = await cli.start(command, *arguments, "--port", of_its_own)
                await stack.enter_async_context(running)
                await running.line_with("http://127.0.0.1")
            else:
                ended = await cli.run(command, *arguments)
                # Code 1 of `submit` and `requeue` says that some were refused, as the tutorial wants it.
                refused = command in ("submit", "requeue") and "--dry-run" not in arguments
                assert ended.code in ((0, 1) if refused else (0,)), (line, ended)
        running.send(signal.SIGINT)
        assert (await running.ended()).code == 0
    assert {*LEFT_RUNNING, "submit", "requeue", "pause", "resume", "audit"} <= {*seen}
