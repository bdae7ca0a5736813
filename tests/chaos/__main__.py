"""`python -m tests.chaos <seed> …` plays seeds, and prints what happened; `<first>-<last>` only what is wrong."""

import asyncio
import logging
import sys
import time

from local.azurite import azurite
from tests.chaos.runs import Coverage, play
from tests.chaos.world import Town


async def main(arguments: list[str]) -> int:
    """Play the seeds and return how many went wrong."""
    bad, coverage = 0, Coverage()
    async with azurite(in_memory=True) as storage, Town(storage) as town:
        for argument in arguments:
            first, _, last = argument.partition("-")
            for seed in range(int(first), int(last or first) + 1):
                began = time.monotonic()
                outcome = await play(town, seed, coverage)
                bad += bool(outcome.wrong)
                if not last:
                    print("\n".join(outcome.run.timeline))
                if outcome.wrong or not last:
                    print(f"{outcome}\n  ({time.monotonic() - began:.2f} s)", flush=True)
    print(f"{bad} went wrong; {coverage.cut.total()} cuts at {len(coverage.cut)} of {len(coverage.seen)} points")
    return bad


if __name__ == "__main__":
    logging.getLogger("proactive").setLevel(logging.CRITICAL)
    sys.exit(bool(asyncio.run(main(sys.argv[1:]))))
