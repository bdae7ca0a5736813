"""Another bot behind this one: what is no answer of ours is passed on to it, as it came.

The token on an activity is the other bot's proof, so it goes along, to the address of the setting and nowhere else. It
is a secret of an hour's life and is kept in memory only: no queue stands in between (docs/decisions/0024).

    message, install, …   ─▶ started, ours is kept meanwhile, at most _IN_LINE waited for ─▶ 200 to Teams
                              └── tried again for a minute while nobody has taken it
    invoke                ─▶ asked, at most _INVOKE ─▶ its status and body to Teams
"""

import asyncio
import logging
import random
import re
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from proactive.marks import read
from proactive.problems import ProblemError
from proactive.reply import Reply
from proactive.verdicts import retry_after
from proactive.wire import LostError, NotWrittenError, Wire, WireError, origin

log = logging.getLogger(__name__)

PASSED_ON = "x-proactive-forwarded"  # on what we pass on: what has it is never passed on again
_IN_LINE = 0.6  # seconds from its arrival that the answer to an activity waits for the other bot
_INVOKE = 9.0  # seconds for an invoke: Teams waits for about 10
_TRIED_FOR = 60.0  # seconds for which an activity is tried that was not taken
_FIRST_PAUSE = 1.0  # seconds, doubled with each try
_MOST = 500  # activities under way in this process
_LARGEST = 1_048_576  # bytes of an answer: a card, or the results of a search
_PLAIN = re.compile(r"[\x20-\x7e]*")
_KIND = re.compile(r"[A-Za-z]{1,40}")


class Passed(NamedTuple):
    """An activity to be passed on: its type, its body as it came, and the header fields that go along."""

    kind: str
    body: bytes
    authorization: str
    content_type: str


def answers_us(activity: dict[str, Any]) -> bool:
    """Tell whether an activity is an answer to a card of ours, by the mark that such a card brings back."""
    value = activity.get("value")
    if activity.get("type") == "message":
        return value is not None and read(value) is not None
    if activity.get("type") != "invoke" or activity.get("name") != "adaptiveCard/action":
        return False
    action = value.get("action") if isinstance(value, dict) else None
    return isinstance(action, dict) and read(action.get("data")) is not None


class Upstream:
    """The line to the other bot. `url` is its endpoint; `close` gives up what is under way."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        path, _, last = parts.path.rpartition("/")
        self._to = origin(f"{parts.scheme}://{parts.netloc}{path}")
        self._path = f"{last}?{parts.query}" if parts.query else last
        self._wire = Wire(largest=_LARGEST)
        self._asked = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close the connections."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._wire.close()

    async def ask(self, passed: Passed) -> Reply:
        """Pass an invoke on and return the other bot's answer. Raises `ProblemError` 502, 503 or 504."""
        if self._full:
            raise full()
        self._asked += 1
        try:
            async with asyncio.timeout(_INVOKE):
                reply = await self._request(passed)
        except TimeoutError:
            raise ProblemError(504, "The bot behind this service did not answer in time.") from None
        except WireError as error:
            log.warning("the bot behind did not answer an invoke: %s", error)
            raise ProblemError(502, "The bot behind this service cannot be reached.") from None
        finally:
            self._asked -= 1
        # A redirect could lead the token anywhere; half an answer is none.
        if 300 <= reply.status < 400 or len(reply.body) >= _LARGEST or "content-encoding" in reply.fields:
            log.warning("the bot behind answered an invoke with what cannot be handed on: %d", reply.status)
            raise ProblemError(502, "The bot behind this service answered what cannot be handed on.")
        return reply

    def start(self, passed: Passed) -> asyncio.Task[None] | None:
        """Begin to pass an activity on; None where too many are under way. Nothing of it is raised."""
        if self._full:
            return None
        task = asyncio.create_task(self._pass_on(passed))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def settle(self, task: asyncio.Task[None], since: float) -> None:
        """Wait until an activity is taken, or its time in line is over, `since` its arrival by the loop's clock."""
        left = since + _IN_LINE - asyncio.get_running_loop().time()
        await asyncio.wait([task], timeout=max(0.0, left))

    @property
    def _full(self) -> bool:
        return len(self._under_way) + self._asked >= _MOST

    async def _pass_on(self, passed: Passed) -> None:
        """Try until the other bot has taken it, or may have; give up after a while."""
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + _TRIED_FOR, _FIRST_PAUSE
        while True:
            at_least = 0.0
            try:
                reply = await self._request(passed)
                if reply.status not in (429, 503):
                    if reply.status >= 300:
                        log.warning("the bot behind answered %d to an activity (%s)", reply.status, passed.kind)
                    return
                why, at_least = str(reply.status), retry_after(reply.fields.get("retry-after"), time.time())
            except NotWrittenError as error:
                why = str(error)
            except LostError as error:
                log.warning("the bot behind may not have taken an activity (%s): %s", passed.kind, error)
                return
            wait = max(at_least, pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads tries, keeps no secret
            if loop.time() + wait > until:
                log.error("an activity (%s) was given up: the bot behind did not take it: %s", passed.kind, why)
                return
            await asyncio.sleep(wait)
            pause *= 2

    async def _request(self, passed: Passed) -> Reply:
        fields = {"Authorization": passed.authorization, "Content-Type": passed.content_type, PASSED_ON: "1"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        return await self._wire.request(self._to, "POST", self._path, lines, passed.body)


def passed_on(activity: dict[str, Any], body: bytes, authorization: str | None, content_type: str | None) -> Passed:
    """Return an activity as it is to be passed on."""
    kind = activity.get("type")
    return Passed(
        kind if isinstance(kind, str) and _KIND.fullmatch(kind) else "of no known type",
        body,
        authorization if authorization and _PLAIN.fullmatch(authorization) else "",
        content_type if content_type and _PLAIN.fullmatch(content_type) else "application/json",
    )


def full() -> ProblemError:
    """Return the refusal of what would be one too many."""
    return ProblemError(503, "The bot behind this service is too slow: try again.", headers={"Retry-After": "5"})
