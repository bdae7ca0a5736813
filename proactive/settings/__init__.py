"""Configuration: read once from the environment, checked at start.

A missing or malformed setting raises `SettingsError` with one sentence that names it, so that the app stops before it
takes a message it could not deliver. docs/settings.md lists every name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proactive.clouds import PUBLIC, Cloud
from proactive.hosts import TEAMS_SERVICE_HOSTS
from proactive.settings.bots import Bot, read_bots
from proactive.settings.callbacks import CALLBACK_HOSTS, read_callback_secret
from proactive.settings.endpoints import read_cloud, read_public_url, read_teams_url, read_upstream_bot
from proactive.settings.graph import GraphAccess, read_graph
from proactive.settings.laptop import refuse_local_in_azure
from proactive.settings.reading import Reader, SettingsError
from proactive.settings.storage import StorageAccount, read_storage

__all__ = ["Bot", "GraphAccess", "Settings", "SettingsError", "StorageAccount", "load"]


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured. Times in the unit their names say, sizes in bytes.

    `teams_url` is where a conversation is created with somebody of whom no service URL is known.
    """

    storage: StorageAccount
    bots: tuple[Bot, ...]
    cloud: Cloud = PUBLIC
    teams_url: str = PUBLIC.teams_url
    graph: GraphAccess | None = None
    local: bool = False
    public_url: str = ""
    allow_everyone: bool = False
    active_chat_minutes: float = 30
    requests_per_second: float = 50
    max_message_bytes: int = 102_400
    callback_hosts: tuple[str, ...] = CALLBACK_HOSTS
    callback_secret: str = field(default="", repr=False)
    service_hosts: frozenset[str] = TEAMS_SERVICE_HOSTS
    retention_days: int = 90
    reply_text: str = ""
    upstream_bot: str = field(default="", repr=False)
    insights: str = field(default="", repr=False)
    traced_share: float = 1.0

    def bot(self, name: str) -> Bot | None:
        """Return the bot that a sender calls `name`, or None."""
        return next((bot for bot in self.bots if bot.name == name), None)


def load(env: Mapping[str, str]) -> Settings:
    """Read the settings from an environment.

    Raises `SettingsError` for the first setting that is missing or malformed.
    """
    read = Reader(env)
    local = read.flag("PROACTIVE_LOCAL", default=False)
    storage = read_storage(read)
    if local:
        refuse_local_in_azure(env, storage)
    cloud = read_cloud(read)
    service_hosts = frozenset(read.hosts("PROACTIVE_SERVICE_HOSTS", tuple(TEAMS_SERVICE_HOSTS), suffixes=False))
    return Settings(
        storage=storage,
        bots=read_bots(read, local=local),
        cloud=cloud,
        teams_url=read_teams_url(read, service_hosts, local=local) or cloud.teams_url,
        graph=read_graph(read, cloud, local=local),
        local=local,
        public_url=read_public_url(read, local=local),
        allow_everyone=read.flag("PROACTIVE_ALLOW_EVERYONE", default=False),
        active_chat_minutes=read.number("PROACTIVE_ACTIVE_CHAT_MINUTES", 30, least=0, most=1440),
        requests_per_second=read.number("PROACTIVE_REQUESTS_PER_SECOND", 50, least=0.1, most=100_000),
        max_message_bytes=int(read.number("PROACTIVE_MAX_MESSAGE_BYTES", 102_400, least=1024, most=1_048_576)),
        callback_hosts=read.hosts("PROACTIVE_CALLBACK_HOSTS", CALLBACK_HOSTS, suffixes=True),
        callback_secret=read_callback_secret(read),
        service_hosts=service_hosts,
        retention_days=int(read.number("PROACTIVE_RETENTION_DAYS", 90, least=1, most=3650)),
        insights=read.text("APPLICATIONINSIGHTS_CONNECTION_STRING"),
        traced_share=read.number("PROACTIVE_TRACED_SHARE", 1, least=0, most=1),
        upstream_bot=read_upstream_bot(read, local=local),
        reply_text=env.get("PROACTIVE_REPLY_TEXT", "I only bring notifications: nobody reads what is written here."),
    )
