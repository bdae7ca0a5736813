"""What the rooms share in one process: settings, clock, storage, tokens and the line to Teams.

`open_service` makes it once a process; nothing heavy is imported before it is used.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from proactive.auth import Authenticator
from proactive.graph import Graph
from proactive.hosts import check_service_url
from proactive.installs import Installs
from proactive.limits import Limits
from proactive.outbound import Outbound
from proactive.pace import Pace
from proactive.settings import Bot, Settings
from proactive.store.account import Account
from proactive.store.answers import Answers
from proactive.store.callbacks import Callbacks
from proactive.store.chunks import Chunks
from proactive.store.conversations import Conversations
from proactive.store.days import Days
from proactive.store.drafts import Drafts
from proactive.store.held import Held
from proactive.store.rejected import Rejected
from proactive.store.retention import Retention
from proactive.store.sends import Sends
from proactive.store.traces import Traces
from proactive.teams import Teams
from proactive.tokens import StorageCredential, Tokens
from proactive.upstream import Upstream


@dataclass
class Service:
    """The adapters of one process, made from its settings. `clock` gives seconds since the epoch.

    `homes` has, by bot and tenant, the service URL at which Teams took the last message (or is expected to take the
    first), `homeless` when somebody's was looked for in vain, `renewals` the locks under which conversations
    are created.
    """

    settings: Settings
    clock: Callable[[], float] = time.time
    account: Account = field(init=False)
    conversations: Conversations = field(init=False)
    sends: Sends = field(init=False)
    drafts: Drafts = field(init=False)
    chunks: Chunks = field(init=False)
    held: Held = field(init=False)
    answers: Answers = field(init=False)
    callbacks: Callbacks = field(init=False)
    rejected: Rejected = field(init=False)
    days: Days = field(init=False)
    traces: Traces = field(init=False)
    retention: Retention = field(init=False)
    pace: Pace = field(init=False)
    limits: Limits = field(init=False, default_factory=Limits)
    homes: dict[tuple[str, str], str] = field(init=False, default_factory=dict)
    homeless: dict[tuple[str, str], float] = field(init=False, default_factory=dict)
    renewals: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = field(
        init=False, default_factory=WeakValueDictionary
    )
    _finding_home: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    tokens: Tokens = field(init=False)
    teams: Teams = field(init=False)
    graph: Graph | None = field(init=False, default=None)
    installs: Installs = field(init=False)
    outbound: Outbound = field(init=False)
    upstream: Upstream | None = field(init=False)
    authenticator: Authenticator = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        self.account = Account(settings.storage, StorageCredential(settings.storage.client_id))
        self.conversations = Conversations(self.account)
        self.sends = Sends(self.account)
        self.drafts = Drafts(self.account)
        self.chunks = Chunks(self.account)
        self.held = Held(self.account)
        self.answers = Answers(self.account)
        self.callbacks = Callbacks(self.account)
        self.rejected = Rejected(self.account)
        self.days = Days(self.account)
        self.traces = Traces(self.account)
        self.retention = Retention(self.account)
        self.pace = Pace(self.account, settings.requests_per_second, self.clock)
        self.tokens = Tokens(settings.cloud, settings.graph)
        self.teams = Teams(self.tokens, settings.service_hosts, allow_loopback=settings.local, clock=self.clock)
        if settings.graph:
            self.graph = Graph(
                f"{settings.graph.url}/v1.0", self.tokens.graph_token, clock=self.clock, forget=self.tokens.forget_graph
            )
        self.installs = Installs(self.graph_of, self.clock)
        self.outbound = Outbound(
            settings.callback_hosts, secret=settings.callback_secret, allow_loopback=settings.local, clock=self.clock
        )
        self.upstream = Upstream(settings.upstream_bot) if settings.upstream_bot else None
        self.authenticator = Authenticator(
            [bot.app_id for bot in settings.bots if bot.app_id],
            settings.service_hosts,
            allow_loopback=settings.local,
            cloud=settings.cloud,
        )

    def bot(self, name: str) -> Bot:
        """Return a bot by the name under which a send keeps it; one that is no longer configured has no credentials."""
        return self.settings.bot(name) or Bot(name)

    async def tenants(self, bot: Bot, wanted: str = "") -> set[str]:
        """Return the tenants that a bot is used in: those it was seen in, and the one it is configured for.

        The tenant that Graph is configured for counts where it is `wanted`, or where there is no other.
        """
        own = {bot.tenant_id.lower()} - {""}
        found = await self.conversations.tenants(bot.name, "" if wanted in own else wanted) | own
        of_graph = self.settings.graph.tenant_id if self.settings.graph else ""
        return found | {of_graph} if of_graph and (wanted == of_graph or not found) else found

    def graph_of(self, tenant: str) -> Graph | None:
        """Return Microsoft Graph where it is configured and may be asked about a tenant."""
        access = self.settings.graph
        return self.graph if access and access.covers(tenant) else None

    def asks(self, tenant: str) -> bool:
        """Whether Teams is asked for conversations with people whom no activity has told of.

        Only where there is Graph: without it nobody tells whether an id is somebody's.
        """
        return tenant != "" and self.graph_of(tenant) is not None

    async def home(self, bot: str, tenant: str) -> str:
        """Return the service URL at which conversations with such people are created."""
        whose = (bot, tenant)
        async with self._finding_home:
            if not self.homes.get(whose):
                settings = self.settings
                url = await self.conversations.some_service_url(bot, tenant)
                usable = check_service_url(url, settings.service_hosts, settings.local)
                self.homes[whose] = url if usable else settings.teams_url
        return self.homes[whose]

    async def close(self) -> None:
        """Close all connections."""
        await self.teams.close()
        if self.graph:
            await self.graph.close()
        await self.outbound.close()
        if self.upstream is not None:
            await self.upstream.close()
        await self.account.close()
