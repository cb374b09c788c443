"""One replica: says that it is ready, submits the ids of each line of its standard input, says when it is done."""

import sys

from trade_service.bench.children import input_lines, run_child
from trade_service.bench.runs import engine_rate
from trade_service.bench.stage import services_on


async def main(dsn: str, base_url: str) -> None:
    """Works until its input ends."""
    async with services_on(dsn, base_url) as services:
        say("ready")
        async for line in input_lines():
            await engine_rate(services, [int(word) for word in line.split()])
            say("done")


def say(word: str) -> None:
    """A line for the parent."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run_child(main(*sys.argv[1:]), watch=False)
