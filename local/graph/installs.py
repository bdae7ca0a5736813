"""An install through Graph reaches Teams: the bot may write to the person, and hears of it as after any install."""

import asyncio
import inspect
from collections.abc import Iterable

from local.graph.organisation import TeamsApp, User
from local.teams.crowd import Crowd
from local.teams.people import Person
from local.teams.remote import RemoteTeams
from local.teams.server import TeamsStandIn


class TellTeams:
    """What `GraphStandIn(on_install=…)` may be given: lets `teams` know, and with a `crowd` the bot's endpoint too.

    Teams knows of an install when Graph has answered it; the bot hears of it about then, before or after. `people` are
    those whom Teams may be told about, each as the bot sees them; others are passed over.
    """

    def __init__(self, teams: TeamsStandIn | RemoteTeams, people: Iterable[Person], crowd: Crowd | None = None) -> None:
        self._teams = teams
        self._crowd = crowd
        self._people = {(p.tenant_id.lower(), p.object_id.lower(), p.app_id.lower()): p for p in people}
        self._posting: set[asyncio.Task[object]] = set()

    async def __call__(self, tenant: str, user: User, app: TeamsApp) -> None:
        """Tell Teams that somebody has an app."""
        person = self._people.get((tenant.lower(), user.id, app.bot.lower()))
        if person is None:
            return
        told = self._teams.install(person)
        if inspect.isawaitable(told):
            await told
        if self._crowd is not None:
            posting = asyncio.create_task(self._crowd.install(person))
            self._posting.add(posting)
            posting.add_done_callback(self._posting.discard)

    async def heard(self) -> None:
        """Wait until the bot has heard of every install so far."""
        while self._posting:
            await asyncio.gather(*self._posting)
