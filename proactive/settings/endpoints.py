"""The cloud, and the addresses of Teams, of this app and of the bot behind it."""

import re

from proactive.clouds import CLOUDS, PUBLIC, Cloud
from proactive.hosts import check_service_url, is_loopback
from proactive.settings.reading import Reader, SettingsError, host_of

# No user, fragment, backslash, white space or letter beyond ASCII.
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+/[!$-\[\]-~]*", re.ASCII)


def read_cloud(read: Reader) -> Cloud:
    """Return the cloud that Teams runs in. Raises `SettingsError` for an unknown one."""
    wanted = read.text("PROACTIVE_CLOUD").lower() or PUBLIC.name
    found = next((cloud for name, cloud in CLOUDS.items() if name.lower() == wanted), None)
    if found is None:
        raise SettingsError(f"PROACTIVE_CLOUD must be one of {', '.join(CLOUDS)}.")
    return found


def read_teams_url(read: Reader, service_hosts: frozenset[str], *, local: bool) -> str:
    """Return where a conversation is created with somebody of whom no service URL is known, empty for the cloud's own.

    Raises `SettingsError` for an address that no token may go to.
    """
    url = read.text("PROACTIVE_TEAMS_URL")
    if url and not check_service_url(url, service_hosts, allow_loopback=local):
        raise SettingsError("PROACTIVE_TEAMS_URL must be an https address on one of PROACTIVE_SERVICE_HOSTS.")
    return url


def read_public_url(read: Reader, *, local: bool) -> str:
    """Return what addresses handed out begin with. Raises `SettingsError` where that is unknown or malformed."""
    url = read.text("PROACTIVE_PUBLIC_URL").rstrip("/")
    if not url and read.text("WEBSITE_HOSTNAME") and not local:
        url = f"https://{read.text('WEBSITE_HOSTNAME')}"
    if not url and local:
        url = "http://localhost:7071"
    schemes = ("http://", "https://") if local else ("https://",)
    if not host_of(url) or not url.startswith(schemes) or "?" in url or "#" in url:
        raise SettingsError("PROACTIVE_PUBLIC_URL must be the https address under which this app is reached.")
    return url


def read_upstream_bot(read: Reader, *, local: bool) -> str:
    """Return where the other bot takes activities, empty where there is none.

    Raises `SettingsError` for an address that is malformed or this app's own.
    """
    url = read.text("PROACTIVE_UPSTREAM_BOT")
    host = host_of(url)
    schemes = ("https://", "http://") if local and is_loopback(host) else ("https://",)
    if url and (not host or not url.startswith(schemes) or not _ENDPOINT.fullmatch(url)):
        raise SettingsError("PROACTIVE_UPSTREAM_BOT must be the https address at which the other bot takes activities.")
    if url and url.partition("://")[2].partition("/")[0] == read_public_url(read, local=local).partition("://")[2]:
        raise SettingsError("PROACTIVE_UPSTREAM_BOT must not be this app itself: what is forwarded would never arrive.")
    return url
