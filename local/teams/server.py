"""The stand-in itself: the connector's rules behind HTTP, with faults in front, and the people behind."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aiohttp import web

from local.loopback import listen
from local.teams import control
from local.teams.connector import Connector, RosterField
from local.teams.directory import UNINSTALLED, Directory
from local.teams.door import Door
from local.teams.errors import Shape
from local.teams.faults import Fault, Faults
from local.teams.limits import Clock
from local.teams.payload import MAX_MESSAGE_BYTES
from local.teams.people import Group, Person
from local.teams.records import Activity, Received, Records, Stats

if TYPE_CHECKING:
    from local.teams.tokens import TokenIssuer

# Well above the largest message, so that it is Teams' own rule that refuses one.
_LARGEST_BODY = 16 * 1024 * 1024


class TeamsStandIn:
    """A fake Bot Connector on loopback: `async with TeamsStandIn() as teams:`, then `teams.service_url`.

    `rate`, `burst`   requests a second for a bot in a tenant, and how many of them may come at once; None: no ceiling
    `latency`         seconds before each answer, and up to `jitter` more, drawn from `seed`. What is accepted is
                      accepted on arrival: only the answer is late
    `max_bytes`       the largest message, counted as UTF-16
    `keep_bodies`     False for a crowd: everything is counted, but no activity can be looked at
    `error_shape`     the form of error bodies
    `require_token`   tokens that are let in, or a function that decides; the rest hear 401
    `tokens`          an issuer, whose keys and metadata are then served under `/.well-known/`
    `roster_field`    the name under which the roster gives the Entra object id: Teams uses both
    `clock`           seconds, for the limits and for the times of what was received
    """

    def __init__(
        self,
        people: Iterable[Person] = (),
        *,
        port: int = 0,
        rate: float | None = 50,
        burst: int = 10,
        latency: float = 0,
        jitter: float = 0,
        seed: int = 0,
        max_bytes: int = MAX_MESSAGE_BYTES,
        keep_bodies: bool = True,
        error_shape: Shape = "error",
        require_token: Collection[str] | Callable[[str], bool] | None = None,
        tokens: "TokenIssuer | None" = None,
        roster_field: RosterField = "objectId",
        clock: Clock = time.monotonic,
    ) -> None:
        self._port = port
        self._issuer = tokens
        self._directory = Directory()
        self._records = Records(keep_bodies=keep_bodies)
        self._faults = Faults()
        admits = require_token.__contains__ if isinstance(require_token, Collection) else require_token
        self._connector = Connector(
            self._directory,
            self._records,
            rate=rate,
            burst=burst,
            max_bytes=max_bytes,
            shape=error_shape,
            roster_field=roster_field,
            clock=clock,
        )
        self._door = Door(
            self._connector,
            self._records,
            self._faults,
            latency=latency,
            jitter=jitter,
            seed=seed,
            admits=admits,
            clock=clock,
        )
        self._runner: web.AppRunner | None = None
        self._directory.enrol(people)

    # People

    def enrol(self, people: Iterable[Person], *, installed: bool = False) -> None:
        """Make people known, with or without the bot."""
        self._directory.enrol(people, installed=installed)

    def enrol_group(self, group: Group) -> None:
        """Make a group chat or channel known, with the bot in it."""
        self._directory.enrol_group(group)

    def install(self, person: Person) -> None:
        """Let the bot write to this person, who need not be known yet; `Crowd.install` tells the bot as well."""
        self._directory.enrol([person], installed=True)

    def uninstall(self, person: Person | str, code: str = UNINSTALLED, shape: Shape | None = None) -> None:
        """Refuse the bot with an error code of `errors.ERRORS`, such as MessageWritesBlocked or BotDisabledByAdmin."""
        self._directory.refuse(person, code, shape)

    def rename(self, person: Person) -> None:
        """Let somebody who is known have the names and addresses of `person` from now on."""
        self._directory.find(person).members = (person,)

    def renew_conversation(self, person: Person | str) -> str:
        """Lose the person's conversation (404 from now on); return the id that creating it again will give."""
        return self._directory.renew(person)

    def conversation_id(self, person: Person | str) -> str:
        """Return the id of the person's chat as it is now."""
        return self._directory.find(person).id

    # Faults

    def fault(self, fault: Fault) -> int:
        """Misbehave like this from now on; return the fault's number."""
        return self._faults.add(fault)

    def hits(self, number: int) -> int:
        """Return how many requests that fault has hit."""
        return self._faults.hits(number)

    def clear_faults(self) -> None:
        """Behave."""
        self._faults.clear()

    # What was received

    @property
    def received(self) -> list[Received]:
        """Everything accepted, in order."""
        return self._records.received

    @property
    def tokens_seen(self) -> Collection[str]:
        """The Authorization headers that came, each once. Not for logs."""
        return self._records.tokens.keys()

    def delivered(self, person: Person | str) -> list[Activity]:
        """Return what stands in the person's chat now: updates have replaced, deletes have removed."""
        return self.in_chat(self._directory.find(person).id)

    def in_chat(self, conversation_id: str) -> list[Activity]:
        """Return what stands in a chat now. Raises LookupError for an unknown one."""
        chat = self._directory.chat(conversation_id)
        if chat is None:
            raise LookupError("no such conversation")
        return [entry.activity for entry in chat.activities.values()]

    async def wait_delivered(self, person: Person | str, count: int = 1, timeout: float = 40) -> list[Activity]:  # noqa: ASYNC109 - a test's patience, in one place
        """Wait until so many activities stand in the person's chat and return them. Raises TimeoutError."""
        chat = self._directory.find(person)
        async with asyncio.timeout(timeout):
            while len(chat.activities) < count:
                self._records.changed.clear()
                await self._records.changed.wait()
        return self.delivered(person)

    def stats(self) -> Stats:
        """Return the figures up to now."""
        stats = self._records.stats
        stats.copies = {}
        for chat in self._directory:
            if chat.kind == "personal":
                stats.copies[chat.sends] = stats.copies.get(chat.sends, 0) + 1
        return stats

    def clear(self) -> None:
        """Forget what was received, the figures, the rates and the faults. People and installs stay."""
        self._records.clear()
        self._faults.clear()
        self._connector.forget_rates()
        for chat in self._directory:
            chat.activities.clear()
            chat.sends = 0

    # Life

    @property
    def url(self) -> str:
        """Where the stand-in listens, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def service_url(self) -> str:
        """The service URL that activities carry."""
        return f"{self.url}/teams/"

    @property
    def openid_url(self) -> str:
        """The OpenID metadata of the token issuer."""
        return f"{self.url}/.well-known/openidconfiguration"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.add_routes(self._door.routes())
        app.add_routes(control.routes(self))
        if self._issuer is not None:
            app.add_routes(self._issuer.routes())
        self._runner, self._port = await listen(app, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
