"""`python -m local.graph`: the stand-in on its own. Prints its base address, one line, once it listens."""

import argparse
import asyncio
from contextlib import AsyncExitStack

from local.graph.installs import TellTeams
from local.graph.organisation import sample
from local.graph.server import GraphStandIn
from local.standalone import stop_signal
from local.teams.crowd import Crowd
from local.teams.people import BOT, CONTOSO
from local.teams.remote import connect


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.graph", description="A fake Microsoft Graph on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--people", type=int, default=60, help="the numbered people of local.graph.sample")
    parser.add_argument("--tenant", default=CONTOSO, help="the tenant of these people")
    parser.add_argument("--app-id", default=BOT, help="the bot that the app in the catalogue brings")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--repeats", action="store_true", help="list somebody once for each group that they are in")
    parser.add_argument("--teams", metavar="SERVICE_URL", help="a stand-in for Teams, which is to know of installs")
    parser.add_argument("--endpoint", help="a bot's, which is to hear of installs; needs --teams")
    return parser.parse_args()


async def _serve(given: argparse.Namespace) -> None:
    stop = stop_signal()
    made = sample(given.people, tenant=given.tenant, app_id=given.app_id)
    async with AsyncExitStack() as stack:
        told = None
        if given.teams:
            teams = await stack.enter_async_context(connect(given.teams))
            crowd = await stack.enter_async_context(Crowd(teams, given.endpoint)) if given.endpoint else None
            told = TellTeams(teams, made.everybody, crowd)
        there = GraphStandIn(
            made.organisation,
            port=given.port,
            latency=given.latency_ms / 1000,
            repeats=given.repeats,
            on_install=told,
        )
        await stack.enter_async_context(there)
        print(there.base_url, flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(_arguments()))
