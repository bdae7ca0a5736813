"""HTTP to Microsoft Graph: one pool of connections, a token per tenant, waits that Graph asks for, and its errors.

Errors, all with `reason`, which is Graph's own code or a word of ours, and never holds a name, an address or a token:

    GraphError            Graph refuses, and asking again changes nothing
    ├── GraphAway         throttled, out of order or out of reach: ask again after `retry_after` seconds
    ├── GraphDenied       401 and 403; `permission` is the one that is missing, empty where it is not a matter of those
    └── GraphNotFound     404: there is no such person, group or app

Microsoft Learn, "Microsoft Graph throttling guidance": wait for `Retry-After`, else back off; a batch is answered 200
though some of its requests were throttled, and those alone are to be asked again.
"""

import asyncio
import json
import logging
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from proactive.rooms import room
from proactive.tokens import TokenError
from proactive.verdicts import retry_after

log = logging.getLogger(__name__)

MOST_IN_BATCH = 20  # Microsoft Learn, "Combine multiple HTTP requests using JSON batching"
_TRIES = 5
_LONGEST_WAIT = 5.0  # seconds that a call waits when asked to; more than that is the caller's to arrange
_PATIENCE = 10.0  # seconds, over all the waits of a call
_FIRST_PAUSE = 0.2  # seconds, doubled each time
_COME_BACK = 30.0  # seconds until a caller should ask again where Graph named no time
_COMPLAINT_EVERY = 30.0  # seconds
_LARGEST_ANSWER = 16 * 1024 * 1024  # bytes; a page of 999 people takes less than one MiB

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_PASSING = frozenset({0, 408, 429, 500, 502, 503, 504})  # 0: no answer
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_SAYS_LITTLE = frozenset({"", "Forbidden", "BadRequest", "NotFound", "UnknownError"})
# What a 403 means is told only by its words (codes are `Forbidden`, then `AccessDenied` or nothing).
_IN_WORDS = {"blocked by app permission policy": "blockedByPolicy", "not allowed to manage the teams app": "notOwnApp"}
_MISSING_PERMISSION = ("missing role permissions", "missing scope permissions", "insufficient privileges")
_LINK = re.compile(r"https?://[\x21-\x5b\x5d-\x7e]{1,8192}", re.ASCII)


class GraphError(Exception):
    """Graph refuses, and asking again changes nothing. `reason` is Graph's own code or a word of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class GraphAway(GraphError):  # noqa: N818 - named by what it means
    """Graph cannot answer now: ask again after `retry_after` seconds."""

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class GraphDenied(GraphError):  # noqa: N818 - as above
    """Graph will not let the app do that.

    `permission` is the application permission to grant. It is empty where none is missing: `blockedByPolicy` (an app
    policy of the tenant), `notOwnApp` (the Teams app belongs to another registration), or a token that is refused.
    """

    def __init__(self, reason: str, permission: str = "") -> None:
        super().__init__(f"{reason}: the permission {permission} is missing" if permission else reason)
        self.reason = reason
        self.permission = permission


class GraphNotFound(GraphError):  # noqa: N818 - as above
    """There is no such person, group or app."""


class Said(NamedTuple):
    """An answer: its status (0: none came), its JSON object, and the seconds that `Retry-After` asks for."""

    status: int
    body: Mapping[str, Any]
    retry_after: float = 0.0

    @property
    def reason(self) -> str:
        """The code of an error, the inner one where the outer says too little."""
        error = _object(self.body.get("error"))
        inner = _object(error.get("innerError") or error.get("innererror"))
        words = self.words
        if self.status == _FORBIDDEN:
            for phrase, word in _IN_WORDS.items():
                if phrase in words:
                    return word
        outer, deeper = (str(part.get("code") or "") for part in (error, inner))
        code = deeper if outer in _SAYS_LITTLE and _CODE.fullmatch(deeper) else outer
        return code if _CODE.fullmatch(code) else f"HTTP {self.status}" if self.status else "connection"

    @property
    def words(self) -> str:
        """The message of an error, in lower case. It may name people: not for logs."""
        return str(_object(self.body.get("error")).get("message") or "").lower()


_NO_TOKEN: Mapping[str, Any] = {"error": {"code": "noToken"}}


class Calls:
    """Asks Graph; see `Graph` for what the parameters mean."""

    def __init__(
        self,
        url: str,
        token: Callable[[str], Awaitable[str]],
        *,
        clock: Callable[[], float],
        forget: Callable[[str], object],
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._clock = clock
        self._forget = forget
        self._opening = asyncio.Lock()
        self._session: Any = None
        self._http: Any = None
        self._yarl: Any = None
        self._complained_at = float("-inf")

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, tenant: str, method: str, where: str, body: object = None) -> Said:
        """Make a request, again after short waits where that may help, and return the last answer.

        `where` is a path below the base address, or a link that Graph gave. Raises `GraphError` `foreignLink` for a
        link to anywhere but Graph: the token goes to no other host.
        """
        await self._open()
        place = self._place(where)
        patience = _Patience()
        renewed = False
        while True:
            said = await self._request(tenant, method, place, body)
            if said.status == _UNAUTHORIZED and not renewed:
                renewed = True
                self._forget(tenant)
                continue
            if said.status not in _PASSING or not await patience.wait(said.retry_after):
                return said

    async def batch(self, tenant: str, paths: Sequence[str], permission: str) -> list[Said]:
        """Get at most 20 paths in one request and return their answers in order; only the throttled are asked again.

        Raises `GraphError` where the batch as a whole is refused.
        """
        answers: dict[int, Said] = {}
        missing = list(range(len(paths)))
        patience = _Patience()
        while missing:
            wanted = [{"id": str(place), "method": "GET", "url": paths[place]} for place in missing]
            said = await self.ask(tenant, "POST", "/$batch", {"requests": wanted})
            came = self._answers(self.good(said, permission))
            answers |= {place: came.get(str(place), Said(0, {})) for place in missing}
            missing = [place for place in missing if answers[place].status in _PASSING]
            if missing and not await patience.wait(max(answers[place].retry_after for place in missing)):
                break
        return [answers[place] for place in range(len(paths))]

    def good(self, said: Said, permission: str) -> Mapping[str, Any]:
        """Return the body of an answer. Raises `GraphError` for an error; `permission` is what the request takes."""
        if 200 <= said.status < 300:
            return said.body
        reason = said.reason
        if said.status in _PASSING:
            raise GraphAway(reason, said.retry_after or _COME_BACK)
        if said.status == _NOT_FOUND:
            raise GraphNotFound(reason)
        if said.status == _FORBIDDEN:
            missing = reason in ("Authorization_RequestDenied", "UnknownError") or any(
                phrase in said.words for phrase in _MISSING_PERMISSION
            )
            if missing:
                self._complain(f"Microsoft Graph says {reason}: grant the app the permission {permission}")
            raise GraphDenied(reason, permission if missing else "")
        if said.status == _UNAUTHORIZED:
            self._complain(f"Microsoft Graph refuses the app's token: {reason}")
            raise GraphDenied(reason)
        raise GraphError(reason)

    def _answers(self, body: Mapping[str, Any]) -> dict[str, Said]:
        """Return the answers within the answer to a batch, by id: they come in any order."""
        parts = body.get("responses")
        found = {}
        for part in parts if isinstance(parts, list) else ():
            answer = _object(part)
            status, headers = answer.get("status"), _object(answer.get("headers"))
            if isinstance(status, int):
                named = {name.lower(): str(value) for name, value in headers.items()}
                wait = retry_after(named.get("retry-after"), self._clock())
                found[str(answer.get("id"))] = Said(status, _object(answer.get("body")), wait)
        return found

    def own(self, link: str) -> str:
        """Return a link that leads to Graph. Raises `GraphError` `foreignLink` for another."""
        self._place(link)
        return link

    def _place(self, where: str) -> Any:
        url = self._yarl.URL
        if where.startswith("/"):
            return url(self.url + where, encoded=True)
        try:
            # Read by what connects, so that no two readers see two hosts.
            link = url(where, encoded=True) if _LINK.fullmatch(where) else None
            if link is not None and link.origin() == url(self.url).origin() and link.raw_authority.count("@") == 0:
                return link
        except ValueError:
            pass
        raise GraphError("foreignLink")

    async def _request(self, tenant: str, method: str, place: Any, body: object) -> Said:
        headers = {"Accept": "application/json", "ConsistencyLevel": "eventual"}
        try:
            token = await self._token(tenant)
        except TokenError as error:
            self._complain(f"no token for Microsoft Graph: {error}")
            return Said(503, _NO_TOKEN, _COME_BACK)
        # Without a token nothing else says whose people are meant: only the local stand-in is asked like that.
        headers |= {"Authorization": f"Bearer {token}"} if token else {"X-Local-Tenant": tenant}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        said = bytearray()
        try:
            async with self._session.request(
                method, place, data=data, headers=headers, allow_redirects=False
            ) as answer:
                async for part in answer.content.iter_any():
                    said += part
                    if len(said) > _LARGEST_ANSWER:
                        raise GraphError("answerTooLarge")
                return Said(answer.status, _parsed(said), retry_after(answer.headers.get("Retry-After"), self._clock()))
        except (self._http.ClientError, TimeoutError, OSError):
            return Said(0, {})

    def _complain(self, sentence: str) -> None:
        """Log an error that every call of a broadcast would meet, once in a while only."""
        now = self._clock()
        if now - self._complained_at > _COMPLAINT_EVERY:
            self._complained_at = now
            log.error("%s", sentence)

    async def _open(self) -> None:
        async with self._opening:
            if self._session is None:
                self._http = await room("aiohttp")
                self._yarl = await room("yarl")
                self._session = self._http.ClientSession(
                    connector=self._http.TCPConnector(limit=0, keepalive_timeout=30),
                    timeout=self._http.ClientTimeout(total=30, sock_connect=5),
                    cookie_jar=self._http.DummyCookieJar(),
                )


class _Patience:
    """The waits of one call: few, short, and spread out so that many calls do not come back together."""

    def __init__(self) -> None:
        self._left = _PATIENCE
        self._tries = 1

    async def wait(self, asked: float) -> bool:
        """Wait for at least the seconds that were asked for; False, at once, where it is not to be waited for."""
        pause = max(asked, _FIRST_PAUSE * 2**self._tries) + random.uniform(0, _FIRST_PAUSE)  # noqa: S311 - no secret
        if self._tries == _TRIES or asked > _LONGEST_WAIT or pause > self._left:
            return False
        self._tries += 1
        self._left -= pause
        await asyncio.sleep(pause)
        return True


def _parsed(data: bytes | bytearray) -> Mapping[str, Any]:
    try:
        return _object(json.loads(data)) if data else {}
    except (ValueError, RecursionError):
        return {}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
