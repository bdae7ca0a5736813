"""Which hosts a bot's token may be sent to: exact names, asked when a reference is stored and when it is used.

A service URL comes from an activity, and whoever receives the bot's token can speak as the bot. So a URL has to fit one
narrow grammar, in which every parser sees the same host, before its host is compared with the list.
"""

import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache

from proactive.clouds import CLOUDS

# The address of a cloud that takes requests for all of its regions, by its host.
_CLOUDS = {cloud.teams_url.split("/")[2]: cloud.teams_url for cloud in CLOUDS.values()}
TEAMS_SERVICE_HOSTS = frozenset(_CLOUDS)

# No user info, query, fragment, backslash, white space or letter beyond ASCII. ASCII is stated because a
# case-insensitive [a-z] would match the long s and the Kelvin sign too.
_SERVICE_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f]*:[0-9a-f:.]*\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[a-z0-9._~%!$&'()*+,;=:@/-]*)?",
    re.ASCII | re.IGNORECASE,
)
_LONGEST_URL = 2048
_LOOPBACK_V4 = ipaddress.IPv4Network("127.0.0.0/8")
_LOOPBACK_V6 = ipaddress.IPv6Address("::1")


def check_service_url(url: str, hosts: Collection[str], allow_loopback: bool) -> bool:
    """Tell whether a bot's token may be sent to `url`.

    True for https on the default port of a host that is among `hosts` (exact names, whatever their case) and, with
    `allow_loopback`, for http and https on any port of a loopback host.
    """
    return _may_have_tokens(url, frozenset(hosts), allow_loopback)


@lru_cache(maxsize=256)  # asked for each message, and there are few of them
def _may_have_tokens(url: str, hosts: frozenset[str], allow_loopback: bool) -> bool:
    match = _SERVICE_URL.fullmatch(url) if len(url) <= _LONGEST_URL else None
    if match is None:
        return False
    host = match["host"].lower()
    port = int(match["port"]) if match["port"] else None
    if allow_loopback and is_loopback(host.strip("[]")):
        return port is None or 0 < port < 65_536
    is_https = match["scheme"].lower() == "https"
    return is_https and port in (None, 443) and any(host == allowed.lower() for allowed in hosts)


def other_clouds(url: str, hosts: Collection[str]) -> list[str]:
    """Return the service URLs of the other clouds of Teams that are among `hosts`; none where `url` is in no cloud."""
    match = _SERVICE_URL.fullmatch(url)
    own = match["host"].lower() if match else ""
    allowed = {host.lower() for host in hosts}
    return [other for host, other in _CLOUDS.items() if own in _CLOUDS and host != own and host in allowed]


def is_loopback(host: str) -> bool:
    """Tell whether a host, without port or brackets, is `localhost`, in 127.0.0.0/8, or ::1."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address == _LOOPBACK_V6 or address in _LOOPBACK_V4
