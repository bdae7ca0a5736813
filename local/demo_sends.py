"""The sends of the demo: how each goes out under a progress bar, and whether it came out exactly as it must."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rich.table import Table

from local.demo_stage import DemoError, Stage
from local.teams import Person, TeamsStandIn

DELIVERED, NOT_INSTALLED, CHAT_ACTIVE = 200, 100, 300
PARALLELISM = 50  # messages in flight
_MEANING = {
    DELIVERED: ("delivered", "delivered"),
    NOT_INSTALLED: ("notInstalled", "does not have the bot installed"),
    CHAT_ACTIVE: ("chatActive", "is in an active conversation with the bot"),
}
_OPTIONS = {
    "parallelism": PARALLELISM,
    "ifChatIsActive": "dontSendAndSucceed",
    "ifBotNotInstalled": "succeedWithStatusCode",
}
_LOOK = 0.2  # seconds between two looks at a send's counts
_LONGEST = 120.0  # seconds that a send may take
_PAGE = 1000


@dataclass(frozen=True)
class Outgoing:
    """Something to send: `content` as the service takes it, and how a copy of it is told among a chat's activities.

    It goes to a `group`; without one, to the mail address of each person.
    """

    title: str
    content: Mapping[str, Any]
    is_copy: Callable[[Mapping[str, Any]], bool]
    group: str = ""


@dataclass(frozen=True)
class Sent:
    """What became of it: the service's own `counts`, each person's status code by object id, and how long it took."""

    what: Outgoing
    counts: dict[str, int]
    codes: dict[str, int]
    seconds: float

    @property
    def rate(self) -> float:
        """Messages delivered in a second."""
        return self.counts["delivered"] / self.seconds


async def send(stage: Stage, what: Outgoing, people: list[Person]) -> Sent:
    """Send to people, by their mail addresses or by a group that they are in, and return what became of it.

    Raises:
        DemoError: the service refused it, did not finish it, or would fail the flow that sent it.

    """
    start = time.perf_counter()
    recipients: list[Any] = [{"group": what.group}] if what.group else [person.mail for person in people]
    status, accepted = await stage.request(
        "POST", "/api/v1/sends", {**what.content, "recipients": recipients, "options": _OPTIONS}
    )
    if status != 202:
        raise DemoError(f"{what.title} was refused with {status}: {accepted.get('detail') or accepted}")
    path = f"/api/v1/sends/{accepted['id']}"
    counts = await _follow(stage, what, path, len(people))
    seconds = time.perf_counter() - start
    status, _ = await stage.request("GET", urlsplit(accepted["outcomeUrl"]).path)
    if status != 200:
        raise DemoError(f"{what.title}: the outcome is {status}, which fails the flow, where it must be 200.")
    return Sent(what, counts, await _codes(stage, path), seconds)


async def _follow(stage: Stage, what: Outgoing, path: str, total: int) -> dict[str, int]:
    """Show how a send gets on until it is completed; return its counts."""
    until = time.monotonic() + _LONGEST
    with stage.progress() as progress:
        task = progress.add_task(f"{what.title} goes out", total=total)
        while time.monotonic() < until:
            _, send = await stage.request("GET", path)
            counts: dict[str, int] = send["counts"]
            progress.update(task, completed=counts["total"] - counts["pending"])
            if send["status"] == "completed":
                return counts
            await asyncio.sleep(_LOOK)
    raise DemoError(f"{what.title} was not finished in {_LONGEST:.0f} s; {counts['pending']} people are open.")


async def _codes(stage: Stage, path: str) -> dict[str, int]:
    codes: dict[str, int] = {}
    following: str | None = ""
    while following is not None:
        query = f"?top={_PAGE}" + (f"&continuation={following}" if following else "")
        _, page = await stage.request("GET", f"{path}/recipients{query}")
        codes |= {result["userId"]: result["statusCode"] for result in page["results"]}
        following = page["continuation"]
    return codes


def check(teams: TeamsStandIn, sent: Sent, expected: Mapping[Person, int]) -> None:
    """Compare what the service says, and what arrived in Teams, with what each person is to end in.

    Raises:
        DemoError: somebody ended otherwise, the counts don't add up, or somebody got a copy too many or too few.

    """
    title = sent.what.title
    for person, code in expected.items():
        ended_in = sent.codes.get(person.object_id)
        if ended_in != code:
            raise DemoError(f"{title} ended in {ended_in} for {person.mail}, where {code} was due.")
        copies = sum(map(sent.what.is_copy, teams.delivered(person)))
        if copies != (code == DELIVERED):
            raise DemoError(f"{person.mail} got {copies} copies of {title} and a status code of {code}.")
    ended = Counter(_MEANING[code][0] for code in expected.values())
    due = dict.fromkeys(sent.counts, 0) | dict(ended) | {"total": len(expected)}
    if due != sent.counts:
        raise DemoError(f"{title}: the counts are {sent.counts}, where {due} was due.")


def table(sends: list[Sent]) -> Table:
    """Return the outcomes, a column for each send."""
    shown = Table(title="Outcomes", title_justify="left")
    shown.add_column("status code")
    for sent in sends:
        shown.add_column(sent.what.title, justify="right")
    for code, (name, meaning) in _MEANING.items():
        shown.add_row(f"{code} {meaning}", *(f"{sent.counts[name]:,}" for sent in sends))
    shown.add_section()
    shown.add_row("people", *(f"{sent.counts['total']:,}" for sent in sends))
    shown.add_row("seconds", *(f"{sent.seconds:.1f}" for sent in sends))
    shown.add_row("delivered a second", *(f"{sent.rate:.0f}" for sent in sends))
    return shown
