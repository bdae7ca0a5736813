"""`python -m local.teams`: the stand-in on its own. Prints its service URL, one line, once it listens."""

import argparse
import asyncio

from local.standalone import stop_signal
from local.teams.payload import MAX_MESSAGE_BYTES
from local.teams.people import BOT, CONTOSO, people
from local.teams.server import TeamsStandIn


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.teams", description="A fake Bot Connector on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--people", type=int, default=0, help="so many numbered people, all with the bot installed")
    parser.add_argument("--tenant", default=CONTOSO, help="the tenant of these people")
    parser.add_argument("--app-id", default=BOT, help="the bot that they have installed")
    parser.add_argument("--rate", type=float, default=50, help="requests a second for a bot in a tenant; 0: no ceiling")
    parser.add_argument("--burst", type=int, default=10, help="how many of them may come at once")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--jitter-ms", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0, help="of the jitter")
    parser.add_argument("--max-bytes", type=int, default=MAX_MESSAGE_BYTES, help="largest message, as UTF-16")
    parser.add_argument("--no-bodies", action="store_true", help="count activities, keep none")
    return parser.parse_args()


async def _serve(given: argparse.Namespace) -> None:
    stop = stop_signal()
    teams = TeamsStandIn(
        port=given.port,
        rate=given.rate or None,
        burst=given.burst,
        latency=given.latency_ms / 1000,
        jitter=given.jitter_ms / 1000,
        seed=given.seed,
        max_bytes=given.max_bytes,
        keep_bodies=not given.no_bodies,
    )
    teams.enrol(people(given.people, tenant_id=given.tenant, app_id=given.app_id), installed=True)
    async with teams:
        print(teams.service_url, flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(_arguments()))
