"""The stand-in in a process of its own, so that it takes no time from the service under test."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict
from itertools import batched
from typing import Any

import aiohttp

from local.standalone import spawned
from local.teams.control import read_received, write_person
from local.teams.directory import UNINSTALLED
from local.teams.errors import Shape
from local.teams.faults import Fault
from local.teams.people import Group, Person
from local.teams.records import Activity, Received, Stats


class RemoteTeams:
    """The methods of TeamsStandIn, each to be awaited, for a stand-in that listens elsewhere.

    Like the stand-in's own they raise LookupError for somebody or something that is not known.
    """

    def __init__(self, service_url: str, session: aiohttp.ClientSession) -> None:
        self.service_url = service_url
        self._control = f"{service_url.removesuffix('teams/')}_control/"
        self._session = session

    async def enrol(self, people: Iterable[Person], *, installed: bool = False) -> None:
        """Make people known, with or without the bot."""
        for batch in batched(people, 1000, strict=False):
            await self._call("enrol", people=[asdict(person) for person in batch], installed=installed)

    async def enrol_group(self, group: Group) -> None:
        """Make a group chat or channel known, with the bot in it."""
        await self._call("enrol_group", group=asdict(group))

    async def install(self, person: Person) -> None:
        """Let the bot write to this person."""
        await self._call("install", person=asdict(person))

    async def uninstall(self, person: Person | str, code: str = UNINSTALLED, shape: Shape | None = None) -> None:
        """Refuse the bot with an error code."""
        await self._call("uninstall", person=write_person(person), code=code, shape=shape)

    async def renew_conversation(self, person: Person | str) -> str:
        """Lose the person's conversation; return the id that creating it again will give."""
        return str(await self._call("renew_conversation", person=write_person(person)))

    async def conversation_id(self, person: Person | str) -> str:
        """Return the id of the person's chat as it is now."""
        return str(await self._call("conversation_id", person=write_person(person)))

    async def fault(self, fault: Fault) -> int:
        """Misbehave like this from now on; return the fault's number."""
        return int(await self._call("fault", fault=asdict(fault)))

    async def hits(self, number: int) -> int:
        """Return how many requests that fault has hit."""
        return int(await self._call("hits", number=number))

    async def clear_faults(self) -> None:
        """Behave."""
        await self._call("clear_faults")

    async def received(self, start: int = 0) -> list[Received]:
        """Return everything accepted from the given place in the list on."""
        return [read_received(entry) for entry in await self._call("received", start=start)]

    async def delivered(self, person: Person | str) -> list[Activity]:
        """Return what stands in the person's chat now."""
        return list(await self._call("delivered", person=write_person(person)))

    async def in_chat(self, conversation_id: str) -> list[Activity]:
        """Return what stands in a chat now."""
        return list(await self._call("in_chat", conversation_id=conversation_id))

    async def wait_delivered(self, person: Person | str, count: int = 1, timeout: float = 40) -> list[Activity]:  # noqa: ASYNC109 - as in TeamsStandIn
        """Wait until so many activities stand in the person's chat and return them. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while len(there := await self.delivered(person)) < count:  # noqa: ASYNC110 - the event is over there
                await asyncio.sleep(0.05)
        return there

    async def stats(self) -> Stats:
        """Return the figures up to now."""
        return Stats.from_json(await self._call("stats"))

    async def clear(self) -> None:
        """Forget what was received, the figures, the rates and the faults."""
        await self._call("clear")

    async def _call(self, method: str, **arguments: object) -> Any:
        async with self._session.post(self._control + method, json=arguments) as response:
            if response.status == 404:
                raise LookupError(await response.text())
            if response.status == 400:
                raise ValueError(await response.text())
            response.raise_for_status()
            return await response.json()


@asynccontextmanager
async def connect(service_url: str) -> AsyncIterator[RemoteTeams]:
    """Drive a stand-in that somebody else started."""
    async with aiohttp.ClientSession() as session:
        yield RemoteTeams(service_url, session)


@asynccontextmanager
async def spawn(*arguments: str) -> AsyncIterator[RemoteTeams]:
    """Start `python -m local.teams` with these arguments, drive it, and stop it at the end."""
    async with spawned("local.teams", *arguments) as service_url, connect(service_url) as teams:
        yield teams
