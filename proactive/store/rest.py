"""Requests to storage over one pool of connections: authorized, timed, and repeated when that may help.

Nearly all that a call costs here is aiohttp's; the SDKs' pipeline costs several times that (docs/decisions/0014).
"""

import asyncio
import io
import random
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from proactive.rooms import room
from proactive.store.access import Access, Request, Service
from proactive.store.errors import StorageAway

_CONNECTING = 5  # seconds
_TOTAL = 30  # seconds for one try, with what it waits for a connection
_CONNECTIONS = 128
_IDLE = 4  # seconds: Azurite drops a connection that was idle for 5
_REPEATS = 3
_SLOW = 2  # tries that may take all their time: a flow waits no longer than 120 s, and shall hear why
_PAUSE = 0.2  # seconds before the second repeat; each one doubles it
_LONGEST_PAUSE = 5.0  # seconds, whatever Retry-After asks for: functions wait meanwhile
# https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_NOT_DONE = frozenset({429, 503})  # refused before anything was done
_LARGE = 2**20  # bytes from which on aiohttp wants to read a body part by part
_CODE = re.compile(rb'"code":\s*"(\w{1,80})"|<Code>(\w{1,80})</Code>')


class Answer(NamedTuple):
    """What storage answered; the names of headers are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    in_doubt: bool = False  # an earlier try may have been carried out

    @property
    def code(self) -> str:
        """Storage's own word for an error, or an empty string."""
        found = _CODE.search(self.body)
        return (found[1] or found[2]).decode() if found else self.headers.get("x-ms-error-code", "")


class Rest:
    """The line to one storage account."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session: Any = None
        self._url: Any = None
        self._errors: tuple[type[BaseException], ...] = ()
        self._not_written: tuple[type[BaseException], ...] = ()
        self._opening = asyncio.Lock()

    def address(self, service: Service) -> str:
        """Return what the addresses of a service begin with."""
        return self._access.addresses[service]

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, request: Request, read: Callable[[Answer], Answer] = lambda answer: answer) -> Answer:
        """Make a request and return the answer, an error too.

        `read` finds the answer that counts inside the one that came. Raises `StorageAway` when there is none.

        A request that is repeated may have been carried out the first time, with an answer that was lost: then a
        message stands on the queue twice, an insert finds its own row, and a conditional write another ETag than it
        knows. The answer says when that may be.
        """
        session = self._session or await self._open()
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in request.query.items())
        query = "&".join(part for part in (query, self._access.suffix) if part)
        address = self._access.addresses[request.service] + request.path
        url = self._url(f"{address}?{query}" if query else address, encoded=True)
        pause, trouble, in_doubt, slow = 0.0, "", False, 0
        for repeats in range(_REPEATS + 1):
            if pause:
                await asyncio.sleep(pause)
            headers = {**request.headers, **await self._access.headers(request)}
            backoff = _PAUSE * 2**repeats * random.uniform(0.75, 1.25)  # noqa: S311 - spreads rivals, keeps no secret
            try:
                async with session.request(
                    request.method, url, data=_data(request.body), headers=headers, allow_redirects=False
                ) as response:
                    answer = read(Answer(response.status, response.headers, await response.read(), in_doubt))
            except self._errors as error:
                written = not isinstance(error, self._not_written)
                in_doubt = in_doubt or written
                trouble = f"storage did not answer: {type(error).__name__}"
                slow += written and isinstance(error, TimeoutError)
                if slow == _SLOW:
                    break
                # At once the first time: most often an idle connection was dropped just when it was to be used.
                pause = backoff if repeats else 0.0
                continue
            if answer.status not in _PASSING or repeats == _REPEATS:
                return answer
            in_doubt = in_doubt or answer.status not in _NOT_DONE
            asked = answer.headers.get("Retry-After", "")
            pause = min(max(backoff, float(asked) if asked.isdecimal() else 0.0), _LONGEST_PAUSE)
        # Not `from error`: it may quote the address, in which a shared access signature stands.
        raise StorageAway(trouble)

    async def _open(self) -> Any:
        async with self._opening:
            if self._session is None:
                http = await room("aiohttp")
                self._url = (await room("yarl")).URL
                self._errors = (http.ClientError, TimeoutError, OSError)
                self._not_written = (http.ClientConnectorError, http.ConnectionTimeoutError)
                self._session = http.ClientSession(
                    connector=http.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_IDLE),
                    timeout=http.ClientTimeout(total=_TOTAL, sock_connect=_CONNECTING),
                    cookie_jar=http.DummyCookieJar(),
                    # A signature covers the type of the body, and the rest nobody needs.
                    skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                )
                # Of its own accord aiohttp repeats a PUT or DELETE when a used connection drops, and nobody would know.
                self._session._retry_connection = False
            return self._session


def _data(body: bytes) -> Any:
    return io.BytesIO(body) if len(body) > _LARGE else body or None
