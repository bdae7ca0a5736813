"""What the rooms share in one process: settings, clock, storage, tokens and the line to Teams.

`open_service` makes it once a process; nothing heavy is imported before it is used.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from proactive.auth import Authenticator
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

    `homes` has, by bot and tenant, the service URL at which Teams took the last message, `homeless` when somebody's was
    looked for in vain, `renewals` the locks under which lost conversations are created again.
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
    teams: Teams = field(init=False)
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
        self.teams = Teams(Tokens(), settings.service_hosts, allow_loopback=settings.local, clock=self.clock)
        self.outbound = Outbound(
            settings.callback_hosts, secret=settings.callback_secret, allow_loopback=settings.local, clock=self.clock
        )
        self.upstream = Upstream(settings.upstream_bot) if settings.upstream_bot else None
        self.authenticator = Authenticator(
            [bot.app_id for bot in settings.bots if bot.app_id], settings.service_hosts, allow_loopback=settings.local
        )

    def bot(self, name: str) -> Bot:
        """Return a bot by the name under which a send keeps it; one that is no longer configured has no credentials."""
        return self.settings.bot(name) or Bot(name)

    async def tenants(self, bot: Bot, wanted: str = "") -> set[str]:
        """Return the tenants that a bot is used in: those it was seen in, and the one it is configured for."""
        own = {bot.tenant_id.lower()} - {""}
        return await self.conversations.tenants(bot.name, "" if wanted in own else wanted) | own

    async def close(self) -> None:
        """Close all connections."""
        await self.teams.close()
        await self.outbound.close()
        if self.upstream is not None:
            await self.upstream.close()
        await self.account.close()
