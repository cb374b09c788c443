"""`make world SEEDS=100000`: runs worlds and prints their rate and every failing seed."""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.world.run import Tally, run_seeds

CHUNK = 50
SHOWN = 20


def main() -> int:
    """Returns 0 if every world kept its invariants."""
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many worlds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    total = Tally()
    chunks = range(arguments.first, arguments.first + arguments.seeds, CHUNK)
    last = arguments.first + arguments.seeds
    with ProcessPoolExecutor(arguments.processes) as pool:
        for tally in pool.map(partial(_chunk, last=last), chunks):
            total.add(tally)
            rate = total.worlds / (time.perf_counter() - begun)
            print(
                f"\r{total.worlds:,} worlds, {rate:,.0f}/s, {len(total.failures)} failed",
                end="",
                file=sys.stderr,
            )
    print(file=sys.stderr)
    elapsed_s = time.perf_counter() - begun
    print(total.summary(elapsed_s))
    for seed, failure in total.failures[:SHOWN]:
        print(f"seed {seed}: {failure}")
        print(f"  again: make world FIRST={seed} SEEDS=1")
    return 1 if total.failures else 0


def _chunk(first: int, last: int) -> Tally:
    return run_seeds(range(first, min(first + CHUNK, last)))


if __name__ == "__main__":
    sys.exit(main())
