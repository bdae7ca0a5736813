"""The stand-in's own methods as JSON under `/_control/`, and the stand-in in a process of its own, driven by them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from local.graph.faults import GraphFault
from local.standalone import spawned

if TYPE_CHECKING:
    from local.graph.server import GraphStandIn

_METHODS: dict[str, Callable[["GraphStandIn", dict[str, Any]], object]] = {
    "fault": lambda there, given: there.fault(GraphFault(**given)),
    "hits": lambda there, given: there.hits(given["number"]),
    "grant": lambda there, given: there.grant(*given["permissions"]),
    "clear": lambda there, _: there.clear(),
    "figures": lambda there, _: {
        "calls": there.stats.calls,
        "within": there.stats.within,
        "statuses": there.stats.statuses,
        "peak": there.stats.peak,
    },
}


def routes(there: "GraphStandIn") -> list[web.RouteDef]:
    """Return the control routes of a stand-in. Every call is a POST of one JSON object of arguments."""

    async def call(request: web.Request) -> web.Response:
        return web.json_response(_METHODS[request.match_info["method"]](there, await request.json()))

    return [web.post("/_control/{method}", call)]


class RemoteGraph:
    """Drives a stand-in in another process."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession) -> None:
        self.base_url = base_url
        self._control = f"{base_url.removesuffix('/v1.0')}/_control/"
        self._session = session

    async def fault(self, fault: GraphFault) -> int:
        """Misbehave like this from now on; return the fault's number."""
        return int(await self._call("fault", **asdict(fault)))

    async def hits(self, number: int) -> int:
        """Return how many requests that fault has hit."""
        return int(await self._call("hits", number=number))

    async def grant(self, *permissions: str) -> None:
        """Let the app have these permissions and no others."""
        await self._call("grant", permissions=permissions)

    async def clear(self) -> None:
        """Forget the figures and the faults."""
        await self._call("clear")

    async def figures(self) -> dict[str, Any]:
        """Return the figures up to now: `calls`, `within` and `statuses` (whose keys are text here), and `peak`."""
        return dict(await self._call("figures"))

    async def _call(self, method: str, **arguments: object) -> Any:
        async with self._session.post(self._control + method, json=arguments) as response:
            response.raise_for_status()
            return await response.json()


@asynccontextmanager
async def spawn(*arguments: str) -> AsyncIterator[RemoteGraph]:
    """Start `python -m local.graph` with these arguments, drive it, and stop it at the end."""
    async with spawned("local.graph", *arguments) as base_url, aiohttp.ClientSession() as session:
        yield RemoteGraph(base_url, session)
