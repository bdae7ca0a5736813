"""Which network addresses a callback may be connected to: public ones of single hosts, whatever a name resolves to.

A caller names the host of a callback, and its owner decides what the name resolves to. What Python's `ipaddress` calls
global is not narrow enough for that: it holds Azure's own address, multicast, and forms that carry another address.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Any

from proactive.hosts import is_loopback

type Resolve = Callable[[str], Awaitable[Sequence[str]]]

# All that IANA has given out for single hosts. What carries an IPv4 address (mapped, compatible, NAT64) and segment
# routing (5f00::/16) lie outside of it.
_UNICAST_V6 = IPv6Network("2000::/3")
# Global to one version of Python or another, at least in parts, and yet not to be called.
_REFUSED = (
    IPv4Network("168.63.129.16/32"),  # Azure's wire server (Microsoft Learn, "What is IP address 168.63.129.16?")
    IPv4Network("192.0.0.0/24"),  # protocol assignments (RFC 6890)
    IPv4Network("192.88.99.0/24"),  # 6to4 relays (RFC 7526)
    IPv4Network("224.0.0.0/4"),  # multicast
    IPv6Network("2001::/23"),  # protocol assignments (RFC 2928), Teredo among them, which carries IPv4 addresses
    IPv6Network("2002::/16"),  # 6to4, which carries IPv4 addresses
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)


def is_public(address: str) -> bool:
    """Tell whether an IPv4 or IPv6 address is one host's on the public Internet; False for what is no address.

    An IPv6 address that carries an IPv4 address is never one, and neither is one with a scope (`%eth0`).
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if not isinstance(parsed, IPv4Address) and (parsed.scope_id or parsed not in _UNICAST_V6):
        return False
    return parsed.is_global and not any(parsed in network for network in _REFUSED)


class RefusedAddressError(OSError):
    """A name resolves to no address that may be connected to."""


class CheckedResolver:
    """What aiohttp asks for the addresses of a name, before each connection (its `AbstractResolver`).

    It is not asked about addresses in a URL: of these, `url_error` lets only loopback ones pass.
    """

    def __init__(self, resolve: Resolve, *, allow_loopback: bool) -> None:
        self._resolve = resolve
        self._allow_loopback = allow_loopback

    async def resolve(self, host: str, port: int = 0, **_family: object) -> list[dict[str, Any]]:
        """Return those addresses of a name that may be connected to. Raises `OSError` where there are none."""
        may_be_called = is_loopback if self._allow_loopback and is_loopback(host) else is_public
        addresses = [address for address in await self._resolve(host) if may_be_called(address)]
        if not addresses:
            raise RefusedAddressError
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for address in addresses
        ]

    async def close(self) -> None:
        """Do nothing: nothing is kept."""


async def system_addresses(host: str) -> list[str]:
    """Return the addresses of a name as the system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return [str(sockaddr[0]) for *_, sockaddr in found]
