"""What the demo plays on: storage, the Teams stand-in with its people, and the service as a process of its own."""

import base64
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from local.azurite import azurite
from local.graph import GraphStandIn, Organisation
from local.host.instance import instance
from local.teams import Crowd, Person, TeamsStandIn

LOG = Path(__file__).parents[1] / ".local" / "demo.log"
BOT_NAME = "demo"
REPLY = "Nobody reads what is written here."
CALLBACK_SECRET = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
"""Signs what the flow is told."""
TEAMS_RATE = 50
"""Requests a second that Teams takes from one bot in one tenant."""
DEMO_RATE = 1000
"""The same in the demo, on both sides: with Teams' own ceiling a thousand people would take twenty seconds a send."""
LATENCY = 0.1
"""Seconds that the stand-in takes for an answer."""
GROUP = "Everyone at Contoso"
"""A group of three departments, in which everybody is; some are in two of them."""

_BURST = 100  # requests that the stand-in takes at once: more than a send has in flight
_PATIENCE = aiohttp.ClientTimeout(total=30)
# The demo shows what the project does, not what somebody has set up for development.
_SETTINGS = {
    "PROACTIVE_LOCAL": "true",
    "PROACTIVE_BOT_NAME": BOT_NAME,
    "PROACTIVE_BOTS": "",
    "PROACTIVE_REQUESTS_PER_SECOND": str(DEMO_RATE),
    "PROACTIVE_ACTIVE_CHAT_MINUTES": "30",
    "PROACTIVE_REPLY_TEXT": REPLY,
    "PROACTIVE_CALLBACK_SECRET": CALLBACK_SECRET,
    "MicrosoftAppId": "",
    **dict.fromkeys(
        (f"PROACTIVE_GRAPH_{part}" for part in ("CLIENT_ID", "CLIENT_SECRET", "CERTIFICATE", "TENANT_ID")), ""
    ),
}


class DemoError(Exception):
    """Something did not come out as it must; the message is for the person who watches."""


@dataclass(frozen=True)
class Stage:
    """A running service at `url`, the `teams` and the `graph` it talks to, and the `crowd` that acts in Teams."""

    console: Console
    url: str
    teams: TeamsStandIn
    graph: GraphStandIn
    crowd: Crowd
    web: aiohttp.ClientSession

    async def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return status and JSON body of what the service answers at `path`."""
        async with self.web.request(method, self.url + path, json=body) as response:
            return response.status, await response.json()

    def progress(self) -> Progress:
        """Return a display for progress bars; without a terminal it prints how they ended."""
        return Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:>6,.0f} of {task.total:>6,.0f}"),
            TimeElapsedColumn(),
            console=self.console,
        )

    async def each(
        self, what: str, people: Sequence[Person], act: Callable[[Person], Awaitable[int]], *, at_once: int
    ) -> None:
        """Let people act, under a progress bar; `act` returns the status with which the service answered.

        Raises:
            DemoError: a status was not 200.

        """
        with self.progress() as progress:
            task = progress.add_task(what, total=len(people))

            async def one(person: Person) -> None:
                status = await act(person)
                if status != 200:
                    raise DemoError(f'at "{what}" the service answered {status} for {person.name}.')
                progress.advance(task)

            await self.crowd.each(one, people, at_once=at_once)


@contextlib.asynccontextmanager
async def stage(console: Console, people: Sequence[Person]) -> AsyncIterator[Stage]:
    """Start storage, Teams, Graph and the service; stop them at the end. The service's latest output goes to `LOG`.

    Raises:
        StartError: something is missing, or the service did not start.

    """
    async with (
        azurite(in_memory=True) as storage,
        TeamsStandIn(people, rate=DEMO_RATE, burst=_BURST, latency=LATENCY) as teams,
        GraphStandIn(_organisation(people), repeats=True) as graph,
        _service(storage, graph.url) as url,
        Crowd(teams, f"{url}/api/messages") as crowd,
        aiohttp.ClientSession(timeout=_PATIENCE) as web,
    ):
        yield Stage(console, url, teams, graph, crowd, web)


def _organisation(people: Sequence[Person]) -> Organisation:
    """Return the people as the directory has them, in groups within a group."""
    made = Organisation(people[0].tenant_id)
    made.enrol(people)
    names = ("Sales", "Research", "Operations")
    departments = (made.group(name, *people[n::3], *people[:5]) for n, name in enumerate(names))
    made.group(GROUP, *departments)
    return made


@contextlib.asynccontextmanager
async def _service(storage: str, graph_url: str) -> AsyncIterator[str]:
    said: Iterable[str] = ()
    try:
        async with instance(storage, settings=_SETTINGS | {"PROACTIVE_GRAPH_URL": graph_url}) as running:
            said = running.child.tail
            yield running.url
    finally:
        LOG.parent.mkdir(exist_ok=True)
        LOG.write_text("".join(f"{line}\n" for line in said), encoding="utf-8")
