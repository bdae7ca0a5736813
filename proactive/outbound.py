"""Calls to the addresses that callers named: callbacks, signed by Standard Webhooks, to allow-listed public hosts only.

A callback URL is a stranger's text. It is checked when a send is accepted and again when it is used; the addresses that
its host resolves to are checked at every connection, so that a name cannot turn inwards after its check.

The query of a callback URL is a secret (Logic Apps puts `sig` there), so no URL is ever logged.
"""

import asyncio
import importlib
import io
import logging
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from proactive.addresses import CheckedResolver, RefusedAddressError, Resolve, system_addresses
from proactive.hosts import is_loopback
from proactive.rooms import room
from proactive.verdicts import retry_after

_LONGEST_URL = 4096
_NOT_IN_A_URL = re.compile(r"[^\x21-\x7e]|\\")
_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?]*)(?P<rest>.*)", re.ASCII | re.IGNORECASE)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_AUTHORITY = re.compile(
    rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f]*:[0-9a-f:.]*\])(?::(?P<port>[1-9][0-9]{{0,4}}))?",
    re.ASCII | re.IGNORECASE,
)
# The characters of RFC 3986, so that the URL goes out as it came: a signature in its query may depend on that.
_REST = re.compile(r"(?:[a-z0-9._~!$&'()*+,;=:@/?-]|%[0-9a-f]{2})*", re.ASCII | re.IGNORECASE)
# Every form that some resolver takes for an IPv4 address: 127.0.0.1, 127.1, 2130706433, 0x7f.1, 0177.0.0.1.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)
_LONGEST_HOST = 253

_TIMEOUT = 30.0  # seconds, for all of a call
_CONNECT_TIMEOUT = 5.0  # seconds, for name, connection and TLS together
_LARGEST_ANSWER = 65_536  # bytes; a connection with more to say is dropped
_LONGEST_PAUSE = 86_400.0  # seconds

log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What came of a call: a status, or else `error`, why there is none. `retry_after` is in seconds, 0 for no wish.

    Errors: `refusedUrl` and `refusedAddress` (nothing was connected to) · `dns` · `connection` (refused, or lost before
    the answer) · `tls` · `timeout` · `protocol` (an answer that is not HTTP) · `unexpected` (a fault of ours, logged).
    """

    status: int | None
    error: str = ""
    retry_after: float = 0.0


def url_error(url: str, hosts: Sequence[str], *, allow_loopback: bool) -> str | None:
    """Return what is wrong with a callback URL, in a sentence that does not quote it, or None.

    Right is https on port 443 of a host that is among `hosts`: exact names, and dot-led suffixes such as
    `.logic.azure.com`, which stand for every name below and not for the bare one. Addresses instead of names are
    refused. With `allow_loopback`, http and https on any port of a loopback host are right as well.
    """
    if len(url) > _LONGEST_URL:
        return f"It should be at most {_LONGEST_URL} characters long."
    if _NOT_IN_A_URL.search(url):
        return "It should hold neither white space, control characters, backslashes nor letters beyond ASCII."
    if "#" in url:
        return "It should have no fragment (#)."
    parts = _URL.fullmatch(url)
    if parts is None:
        return "It should be an absolute https address."
    if "@" in parts["authority"]:
        return "It should name no user and no password."
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None or len(authority["host"]) > _LONGEST_HOST:
        return "Its host or port is malformed."
    if not _REST.fullmatch(parts["rest"]):
        return "Its path and query should be percent-encoded."
    host, port = authority["host"].lower(), authority["port"]
    if allow_loopback and is_loopback(host.strip("[]")):
        return None if int(port or 0) < 65_536 else "Its host or port is malformed."
    if host.startswith("[") or _NUMERIC.fullmatch(host):
        return "It should name its host, not give an address."
    if parts["scheme"].lower() != "https" or port not in (None, "443"):
        return "It should be https on port 443."
    if not any(host.endswith(name) if name.startswith(".") else host == name for name in map(str.lower, hosts)):
        return "Its host is not among those that may be called back."
    return None


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` of a message by the Standard Webhooks specification, version `v1`.

    `secret` is `whsec_` and the key in base64; `timestamp` is in seconds since the epoch, as in `webhook-timestamp`;
    `body` is UTF-8. Raises `ValueError` where the secret is no base64.
    """
    webhook = importlib.import_module("standardwebhooks").Webhook(secret)
    return str(webhook.sign(webhook_id, datetime.fromtimestamp(timestamp, UTC), body.decode()))


class Outbound:
    """Calls callback URLs: one pool of connections for the process.

    `hosts` and `allow_loopback` are those of `url_error`; without a `secret`, calls are not signed. `resolve` takes the
    place of the system's resolver: it gives the addresses of a name, and raises `OSError` where there are none.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        secret: str = "",
        allow_loopback: bool,
        clock: Callable[[], float] = time.time,
        resolve: Resolve | None = None,
    ) -> None:
        self._hosts = hosts
        self._secret = secret
        self._allow_loopback = allow_loopback
        self._clock = clock
        self._resolver = CheckedResolver(resolve or system_addresses, allow_loopback=allow_loopback)
        self._opening = asyncio.Lock()
        self._session: Any = None
        self._http: Any = None
        self._url: Any = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, url: str, webhook_id: str, body: bytes) -> Answer:
        """Post a body of JSON and return what came of it, within 30 seconds; redirects are answers like others.

        `webhook_id` stays the same over all tries of one message: receivers know a repeated one by it.
        """
        if url_error(url, self._hosts, allow_loopback=self._allow_loopback):
            return Answer(None, "refusedUrl")
        answer = None
        try:
            async with asyncio.timeout(_TIMEOUT):
                session = self._session or await self._open()
                headers = self._headers(webhook_id, body)
                where = self._url(url, encoded=True)
                data = io.BytesIO(body)  # goes out in pieces, while whole bytes might hold the loop
                async with session.post(where, data=data, headers=headers, allow_redirects=False) as response:
                    # It counts from here on, whatever else of it cannot be read.
                    answer = Answer(response.status)
                    pause = min(retry_after(response.headers.get("Retry-After"), self._clock()), _LONGEST_PAUSE)
                    answer = Answer(response.status, retry_after=pause)
                    await _read_away(response.content)
        except Exception as error:
            return answer or Answer(None, self._word(error))
        return answer

    def _headers(self, webhook_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "proactive",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
        }
        if self._secret:
            headers["webhook-signature"] = sign(self._secret, webhook_id, timestamp, body)
        return headers

    def _word(self, error: Exception) -> str:
        """Return the word for why there is no answer."""
        http = self._http
        if isinstance(error, TimeoutError):
            return "timeout"
        if http and isinstance(error, http.ClientConnectorDNSError):
            return "refusedAddress" if isinstance(error.os_error, RefusedAddressError) else "dns"
        if http and isinstance(error, http.ClientSSLError):
            return "tls"
        if http and isinstance(error, http.ClientResponseError):
            return "protocol"
        if http and isinstance(error, http.ClientConnectionError):
            return "connection"
        # Its words may quote the URL.
        log.error("a callback met an unexpected %s", type(error).__name__)
        return "unexpected"

    async def _open(self) -> Any:
        async with self._opening:
            if self._session is None:
                http = self._http = await room("aiohttp")
                self._url = (await room("yarl")).URL
                if self._secret:
                    await room("standardwebhooks")
                self._session = http.ClientSession(
                    # Names are resolved for every connection: what was kept could not be checked again.
                    connector=http.TCPConnector(
                        resolver=self._resolver, use_dns_cache=False, limit=0, keepalive_timeout=30
                    ),
                    # `post` has its own clock, which covers what aiohttp's does not: the ends of a call.
                    timeout=http.ClientTimeout(total=None, connect=_CONNECT_TIMEOUT),
                    cookie_jar=http.DummyCookieJar(),
                    auto_decompress=False,  # a small answer must not become a large one
                    trust_env=False,  # a proxy would resolve the name itself, out of sight
                )
            return self._session


async def _read_away(content: Any) -> None:
    """Read an answer's body, up to a limit, so that its connection can be used again."""
    left = _LARGEST_ANSWER
    while left > 0 and (chunk := await content.read(left)):
        left -= len(chunk)
