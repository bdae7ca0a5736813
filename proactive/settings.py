"""Configuration: read once from the environment, checked at start.

A missing or malformed setting raises `SettingsError` with one sentence that names it, so that the app stops before it
takes a message it could not deliver. docs/settings.md lists every name.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from proactive.certificates import Certificate, read_certificate
from proactive.clouds import CLOUDS, PUBLIC, Cloud
from proactive.hosts import TEAMS_SERVICE_HOSTS, check_service_url, is_loopback

type AppType = Literal["UserAssignedMSI", "SingleTenant", "MultiTenant"]

# Signs of Azure, of which one is enough; the last pair is how a Flex Consumption instance shows itself.
_AZURE_SIGNS = (
    ("WEBSITE_INSTANCE_ID",),
    ("WEBSITE_SITE_NAME",),
    ("WEBSITE_POD_NAME",),
    ("WEBSITE_OWNER_NAME",),
    ("IDENTITY_ENDPOINT",),
    ("LEGION_SERVICE_HOST", "CONTAINER_NAME"),
)
# Where Logic Apps and Power Automate take callbacks, in all clouds. Logic Apps Standard runs under
# `.azurewebsites.net`, which anybody can rent, so that one only counts when an operator names it.
_CALLBACK_HOSTS = (
    ".logic.azure.com",
    ".environment.api.powerplatform.com",
    ".logic.azure.us",
    ".logic.azure.cn",
    ".api.gov.powerplatform.microsoft.us",
    ".api.high.powerplatform.microsoft.us",
    ".api.appsplatform.us",
)
_SHORTEST_KEY = 24  # bytes, by Standard Webhooks
_BOT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")  # a GUID; some of them become part of an address
_HOST = re.compile(r"\.?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
# No user, fragment, backslash, white space or letter beyond ASCII.
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+/[!$-\[\]-~]*", re.ASCII)
_DEVELOPMENT_STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)  # Microsoft's published account of the storage emulator


class SettingsError(Exception):
    """A setting is missing or malformed; the message is one sentence that names it."""


@dataclass(frozen=True)
class Bot:
    """A bot that this deployment speaks for, under Bot Framework's own names."""

    name: str
    app_id: str = ""
    app_type: AppType = "UserAssignedMSI"
    tenant_id: str = ""
    password: str = field(default="", repr=False)
    teams_app_id: str = ""


@dataclass(frozen=True)
class StorageAccount:
    """How the storage account is reached: by connection string, or by service addresses and an identity."""

    connection_string: str = field(default="", repr=False)
    queue_url: str = ""
    table_url: str = ""
    client_id: str | None = None


@dataclass(frozen=True)
class GraphAccess:
    """How Microsoft Graph is asked, at `url`: as an app with a secret or a certificate, else by managed identity.

    Without a `client_id` no token is sent, which only a stand-in on a laptop puts up with.
    """

    url: str
    client_id: str = ""
    secret: str = field(default="", repr=False)
    certificate: Certificate | None = field(default=None, repr=False)
    tenant_id: str = ""

    def covers(self, tenant: str) -> bool:
        """Tell whether Graph may be asked about a tenant: the configured one or, without that, any."""
        if self.tenant_id:
            return tenant.lower() == self.tenant_id
        return _ID.fullmatch(tenant) is not None or not self.client_id


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
    callback_hosts: tuple[str, ...] = _CALLBACK_HOSTS
    callback_secret: str = field(default="", repr=False)
    service_hosts: frozenset[str] = TEAMS_SERVICE_HOSTS
    retention_days: int = 90
    reply_text: str = ""
    traced_share: float = 1
    upstream_bot: str = field(default="", repr=False)

    def bot(self, name: str) -> Bot | None:
        """Return the bot that a sender calls `name`, or None."""
        return next((bot for bot in self.bots if bot.name == name), None)


def load(env: Mapping[str, str]) -> Settings:
    """Read the settings from an environment.

    Raises `SettingsError` for the first setting that is missing or malformed.
    """
    read = _Reader(env)
    local = read.flag("PROACTIVE_LOCAL", default=False)
    storage = _storage(read)
    if local:
        _refuse_local_in_azure(env, storage)
    cloud = _cloud(read)
    service_hosts = frozenset(read.hosts("PROACTIVE_SERVICE_HOSTS", tuple(TEAMS_SERVICE_HOSTS), suffixes=False))
    return Settings(
        storage=storage,
        bots=_bots(read, local=local),
        cloud=cloud,
        teams_url=_teams_url(read, service_hosts, local=local) or cloud.teams_url,
        graph=_graph(read, cloud, local=local),
        local=local,
        public_url=_public_url(read, local=local),
        allow_everyone=read.flag("PROACTIVE_ALLOW_EVERYONE", default=False),
        active_chat_minutes=read.number("PROACTIVE_ACTIVE_CHAT_MINUTES", 30, least=0, most=1440),
        requests_per_second=read.number("PROACTIVE_REQUESTS_PER_SECOND", 50, least=0.1, most=100_000),
        max_message_bytes=int(read.number("PROACTIVE_MAX_MESSAGE_BYTES", 102_400, least=1024, most=1_048_576)),
        callback_hosts=read.hosts("PROACTIVE_CALLBACK_HOSTS", _CALLBACK_HOSTS, suffixes=True),
        callback_secret=_callback_secret(read),
        service_hosts=service_hosts,
        retention_days=int(read.number("PROACTIVE_RETENTION_DAYS", 90, least=1, most=3650)),
        traced_share=read.number("PROACTIVE_TRACED_SHARE", 1, least=0, most=1),
        upstream_bot=_upstream_bot(read, local=local),
        reply_text=env.get("PROACTIVE_REPLY_TEXT", "I only bring notifications: nobody reads what is written here."),
    )


@dataclass(frozen=True)
class _Reader:
    env: Mapping[str, str]

    def text(self, name: str) -> str:
        return self.env.get(name, "").strip()

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name).lower()
        if value in ("", "true", "false"):
            return default if not value else value == "true"
        raise SettingsError(f"{name} must be true or false.")

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        text = self.text(name)
        try:
            value = float(text) if text else default
        except ValueError:
            raise SettingsError(f"{name} must be a number.") from None
        if not least <= value <= most:
            raise SettingsError(f"{name} must be between {least:g} and {most:g}.")
        return value

    def id(self, name: str) -> str:
        value = self.text(name)
        if value and not _ID.fullmatch(value):
            raise SettingsError(f"{name} must be an id: letters, digits and hyphens, as no name or domain has them.")
        return value

    def hosts(self, name: str, default: tuple[str, ...], *, suffixes: bool) -> tuple[str, ...]:
        text = self.text(name)
        hosts = tuple(host.strip().lower() for host in text.split(",") if host.strip()) if text else default
        for host in hosts or ("",):
            if not _HOST.fullmatch(host) or (host.startswith(".") and not suffixes):
                shape = "hosts and dot-led suffixes" if suffixes else "exact host names"
                raise SettingsError(f"{name} must be a comma-separated list of {shape}, without scheme, port or path.")
        return hosts


def _storage(read: _Reader) -> StorageAccount:
    text = read.text("AzureWebJobsStorage")
    if text:
        if text.rstrip(";").lower() == "usedevelopmentstorage=true":
            text = _DEVELOPMENT_STORAGE
        parts = dict(part.partition("=")[::2] for part in text.split(";"))
        if not (parts.get("AccountName") and parts.get("AccountKey")) and not parts.get("SharedAccessSignature"):
            raise SettingsError("AzureWebJobsStorage must be a storage connection string.")
        return StorageAccount(connection_string=text)
    client_id = read.text("AzureWebJobsStorage__clientId") or None
    queue_url = read.text("AzureWebJobsStorage__queueServiceUri")
    table_url = read.text("AzureWebJobsStorage__tableServiceUri")
    account = read.text("AzureWebJobsStorage__accountName")
    if account and not re.fullmatch(r"[a-z0-9]{3,24}", account):
        raise SettingsError("AzureWebJobsStorage__accountName must be the name of a storage account.")
    if account:
        queue_url = queue_url or f"https://{account}.queue.core.windows.net"
        table_url = table_url or f"https://{account}.table.core.windows.net"
    if not queue_url and not table_url:
        raise SettingsError(
            "AzureWebJobsStorage is missing: set it to a connection string, or set AzureWebJobsStorage__accountName."
        )
    for name, url in (("queueServiceUri", queue_url), ("tableServiceUri", table_url)):
        if not _address(url) or not url.startswith("https://"):
            raise SettingsError(f"AzureWebJobsStorage__{name} must be an https address.")
    return StorageAccount(queue_url=queue_url, table_url=table_url, client_id=client_id)


def _refuse_local_in_azure(env: Mapping[str, str], storage: StorageAccount) -> None:
    for signs in _AZURE_SIGNS:
        if all(env.get(sign) for sign in signs):
            raise SettingsError(
                f"PROACTIVE_LOCAL must not be true in Azure: it would open the bot's endpoint ({signs[0]} is set)."
            )
    parts = dict(part.partition("=")[::2] for part in storage.connection_string.split(";"))
    endpoints = [_address(parts.get(name, "")) for name in ("QueueEndpoint", "TableEndpoint")]
    if not all(is_loopback(host) for host in endpoints):
        raise SettingsError("PROACTIVE_LOCAL may be true only with AzureWebJobsStorage on a loopback address.")


def _bots(read: _Reader, *, local: bool) -> tuple[Bot, ...]:
    app_id = read.text("MicrosoftAppId")
    if not app_id and not local:
        raise SettingsError("MicrosoftAppId is missing: without it nobody could be told from Teams.")
    first = _bot(
        {
            "name": read.text("PROACTIVE_BOT_NAME") or "default",
            "appId": app_id,
            "appType": read.text("MicrosoftAppType"),
            "tenantId": read.text("MicrosoftAppTenantId"),
            "password": read.text("MicrosoftAppPassword"),
            "teamsAppId": read.text("PROACTIVE_TEAMS_APP_ID"),
        },
        {"name": "PROACTIVE_BOT_NAME", "appType": "MicrosoftAppType", "tenantId": "MicrosoftAppTenantId",
         "password": "MicrosoftAppPassword", "teamsAppId": "PROACTIVE_TEAMS_APP_ID"},
    )  # fmt: skip
    try:
        more = json.loads(read.text("PROACTIVE_BOTS") or "[]")
    except (ValueError, RecursionError):
        raise SettingsError("PROACTIVE_BOTS must be a JSON array.") from None
    if not isinstance(more, list) or not all(isinstance(item, dict) for item in more):
        raise SettingsError("PROACTIVE_BOTS must be a JSON array of objects.")
    bots = [first]
    for number, item in enumerate(more):
        where = f"PROACTIVE_BOTS[{number}]"
        known = {"name", "appId", "appType", "tenantId", "password", "teamsAppId"}
        if set(item) - known or not all(isinstance(value, str) for value in item.values()):
            raise SettingsError(f"{where} may hold only the texts {', '.join(sorted(known))}.")
        if not item.get("name") or not item.get("appId"):
            raise SettingsError(f"{where} needs a name and an appId.")
        bots.append(_bot(item, {key: f"{where}.{key}" for key in known}))
    for kind, values in (
        ("name", [bot.name for bot in bots]),
        ("appId", [bot.app_id.lower() for bot in bots if bot.app_id]),
    ):
        if len(set(values)) < len(values):
            raise SettingsError(f"PROACTIVE_BOTS names the same {kind} twice.")
    return tuple(bots)


def _bot(item: Mapping[str, Any], names: Mapping[str, str]) -> Bot:
    name = item["name"]
    if not _BOT_NAME.fullmatch(name):
        raise SettingsError(f"{names['name']} may hold letters, digits, spaces, dots, hyphens and underscores only.")
    app_type = item.get("appType") or "UserAssignedMSI"
    if app_type not in get_args(AppType.__value__):
        raise SettingsError(f"{names['appType']} must be UserAssignedMSI, SingleTenant or MultiTenant.")
    if item.get("appId") and app_type != "UserAssignedMSI" and not item.get("password"):
        raise SettingsError(f"{names['password']} is missing: an app of type {app_type} signs in with it.")
    if item.get("appId") and app_type == "SingleTenant" and not item.get("tenantId"):
        raise SettingsError(f"{names['tenantId']} is missing: an app of type SingleTenant signs in there.")
    if item.get("teamsAppId") and not _ID.fullmatch(item["teamsAppId"]):
        raise SettingsError(f"{names['teamsAppId']} must be the id that Teams' app catalogue has given the app.")
    return Bot(
        name=name,
        app_id=item.get("appId", ""),
        app_type=cast("AppType", app_type),
        tenant_id=item.get("tenantId", ""),
        password=item.get("password", ""),
        teams_app_id=item.get("teamsAppId", ""),
    )


def _cloud(read: _Reader) -> Cloud:
    wanted = read.text("PROACTIVE_CLOUD").lower() or PUBLIC.name
    found = next((cloud for name, cloud in CLOUDS.items() if name.lower() == wanted), None)
    if found is None:
        raise SettingsError(f"PROACTIVE_CLOUD must be one of {', '.join(CLOUDS)}.")
    return found


def _teams_url(read: _Reader, service_hosts: frozenset[str], *, local: bool) -> str:
    url = read.text("PROACTIVE_TEAMS_URL")
    if url and not check_service_url(url, service_hosts, allow_loopback=local):
        raise SettingsError("PROACTIVE_TEAMS_URL must be an https address on one of PROACTIVE_SERVICE_HOSTS.")
    return url


def _graph(read: _Reader, cloud: Cloud, *, local: bool) -> GraphAccess | None:
    url = read.text("PROACTIVE_GRAPH_URL").rstrip("/")
    host = _address(url)
    on_loopback = local and is_loopback(host)
    if url and (not host or not url.startswith(("http://", "https://") if on_loopback else "https://") or "@" in url):
        raise SettingsError("PROACTIVE_GRAPH_URL must be an https address.")
    if "?" in url or "#" in url:
        raise SettingsError("PROACTIVE_GRAPH_URL must be an address without query and fragment.")
    client_id, tenant_id = read.id("PROACTIVE_GRAPH_CLIENT_ID"), read.id("PROACTIVE_GRAPH_TENANT_ID").lower()
    secret, certificate = read.text("PROACTIVE_GRAPH_CLIENT_SECRET"), _certificate(read)
    if not client_id and (secret or certificate):
        raise SettingsError("PROACTIVE_GRAPH_CLIENT_ID is missing: a secret or a certificate is that of an app.")
    if secret and certificate:
        raise SettingsError("PROACTIVE_GRAPH_CLIENT_SECRET and PROACTIVE_GRAPH_CERTIFICATE must not both be set.")
    if client_id and not (secret or certificate or tenant_id):
        raise SettingsError("PROACTIVE_GRAPH_TENANT_ID is missing: a managed identity is of one tenant.")
    if not client_id and not on_loopback:
        return None
    return GraphAccess(url or cloud.graph_url, client_id, secret, certificate, tenant_id)


def _certificate(read: _Reader) -> Certificate | None:
    text = read.text("PROACTIVE_GRAPH_CERTIFICATE")
    try:
        return read_certificate(text) if text else None
    except ValueError:
        raise SettingsError(
            "PROACTIVE_GRAPH_CERTIFICATE must be PEM text with an RSA private key that is not encrypted"
            " and the certificate that belongs to it."
        ) from None


def _public_url(read: _Reader, *, local: bool) -> str:
    url = read.text("PROACTIVE_PUBLIC_URL").rstrip("/")
    if not url and read.text("WEBSITE_HOSTNAME") and not local:
        url = f"https://{read.text('WEBSITE_HOSTNAME')}"
    if not url and local:
        url = "http://localhost:7071"
    schemes = ("http://", "https://") if local else ("https://",)
    if not _address(url) or not url.startswith(schemes) or "?" in url or "#" in url:
        raise SettingsError("PROACTIVE_PUBLIC_URL must be the https address under which this app is reached.")
    return url


def _upstream_bot(read: _Reader, *, local: bool) -> str:
    url = read.text("PROACTIVE_UPSTREAM_BOT")
    host = _address(url)
    schemes = ("https://", "http://") if local and is_loopback(host) else ("https://",)
    if url and (not host or not url.startswith(schemes) or not _ENDPOINT.fullmatch(url)):
        raise SettingsError("PROACTIVE_UPSTREAM_BOT must be the https address at which the other bot takes activities.")
    if url and url.partition("://")[2].partition("/")[0] == _public_url(read, local=local).partition("://")[2]:
        raise SettingsError("PROACTIVE_UPSTREAM_BOT must not be this app itself: what is forwarded would never arrive.")
    return url


def _address(url: str) -> str:
    """Return the host of an address, or an empty string where it has none that every reader would agree on."""
    try:
        parts = urlsplit(url)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        return ""
    return parts.hostname or "" if usable else ""


def _callback_secret(read: _Reader) -> str:
    secret = read.text("PROACTIVE_CALLBACK_SECRET")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if secret and (not secret.startswith("whsec_") or len(key) < _SHORTEST_KEY):
        raise SettingsError("PROACTIVE_CALLBACK_SECRET must be whsec_ and the base64 of at least 24 bytes.")
    return secret
