"""The main job in one go: people install the bot, messages and cards go out to them, and somebody answers.

Everything is real but Teams, its people and their directory: the app runs in the local Functions host, storage is
Azurite.
"""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import aiohttp
from rich.console import Console

from local import demo_ask
from local.demo_sends import CHAT_ACTIVE, DELIVERED, NOT_INSTALLED, PARALLELISM, Outgoing, check, send, table
from local.demo_stage import BOT_NAME, DEMO_RATE, GROUP, LATENCY, LOG, REPLY, TEAMS_RATE, DemoError, Stage, stage
from local.host.errors import StartError
from local.teams import Person
from local.teams import people as invented
from local.teams.crowd import InstallEvent

_FEWEST, _MOST = 20, 10_000
_ASKED = 5
_MESSAGE = "Your order *4711* is ready"
_CARD = json.loads((Path(__file__).parent / "cards" / "order-summary.json").read_text(encoding="utf-8"))
_TO_A_GROUP = "The canteen opens at *noon*"
_SENDS = (
    Outgoing("the message", {"message": _MESSAGE}, lambda activity: activity.get("text") == _MESSAGE),
    Outgoing(
        "the card",
        {"card": _CARD, "summary": "Order summary"},
        lambda activity: [attached["content"] for attached in activity.get("attachments", [])] == [_CARD],
    ),
    Outgoing(
        "the group message", {"message": _TO_A_GROUP}, lambda activity: activity.get("text") == _TO_A_GROUP, GROUP
    ),
)
_BETWEEN_LOOKS = 0.5  # seconds between two looks at whether a mail address is known
_LEARNING_SECONDS, _LEARNING_SECONDS_EACH = 30.0, 0.1


@dataclass(frozen=True)
class Cast:
    """The people of the demo; `chatting`, `gone` and `asked` are some of them."""

    people: list[Person]
    chatting: list[Person]
    gone: list[Person]
    asked: list[Person]

    @classmethod
    def of(cls, count: int) -> "Cast":
        """Return so many people: every twentieth chats with the bot, every tenth uninstalls it, others are asked."""
        people = invented(count)
        chatting, gone = people[3::20], people[7::10]
        others = [person for person in people[:_FEWEST] if person not in (*chatting, *gone)]
        return cls(people, chatting, gone, others[:_ASKED])

    def codes(self) -> dict[Person, int]:
        """Return the status code in which a send has to end for each person."""
        codes = dict.fromkeys(self.people, DELIVERED)
        return codes | dict.fromkeys(self.chatting, CHAT_ACTIVE) | dict.fromkeys(self.gone, NOT_INSTALLED)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options `demo` has."""
    parser.add_argument("--people", type=_count, default=1000, help="how many install the bot (default: 1000)")


def run(args: argparse.Namespace) -> int:
    """Show the main job; 0 when everything came out as it must, else 1 and a sentence that says what did not."""
    console = Console(highlight=False)
    start = time.monotonic()
    try:
        asyncio.run(_play(console, Cast.of(args.people)))
    except (DemoError, StartError) as error:
        return _failed(console, str(error))
    except (aiohttp.ClientError, TimeoutError) as error:
        return _failed(console, f"the service did not answer ({type(error).__name__}); {LOG} says more.")
    except KeyboardInterrupt:
        return 130
    console.print(f"Everybody has exactly what they must have. It took {time.monotonic() - start:.0f} s.")
    return 0


async def _play(console: Console, cast: Cast) -> None:
    """Run the acts one after the other; each leaves Teams and the service at rest."""
    console.print("Starting storage, Teams and the service")
    async with stage(console, cast.people) as on:
        console.print(f"The service is at {on.url}, Teams at {on.teams.url}.")
        await _install(on, cast)
        await _chat_and_uninstall(on, cast)
        sends = [await send(on, what, cast.people) for what in _SENDS]
        for sent in sends:
            check(on.teams, sent, cast.codes())
        console.print(table(sends))
        _tell(on)
        await _ask(on, cast)


async def _install(on: Stage, cast: Cast) -> None:
    """Let everybody install the bot, and wait until it knows all mail addresses, which it looks up afterwards."""
    # Teams tells it by one event or by the other.
    events = {person: get_args(InstallEvent)[number % 2] for number, person in enumerate(cast.people)}

    async def install(person: Person) -> int:
        (posted,) = await on.crowd.install(person, events=[events[person]])
        return posted.status

    async def learnt(person: Person) -> int:
        while True:
            status, known = await on.request("GET", f"/api/v1/bots/{BOT_NAME}/users/{person.mail}")
            if status != 200 or known["installed"]:
                return status
            await asyncio.sleep(_BETWEEN_LOOKS)

    await on.each("people install the bot", cast.people, install, at_once=32)
    longest = _LEARNING_SECONDS + _LEARNING_SECONDS_EACH * len(cast.people)
    try:
        async with asyncio.timeout(longest):
            await on.each("are known by their mail addresses", cast.people, learnt, at_once=8)
    except TimeoutError:
        raise DemoError(f"not all mail addresses were learnt in {longest:.0f} s.") from None


async def _chat_and_uninstall(on: Stage, cast: Cast) -> None:
    """Let some write to the bot, and some remove it: of every second one of these the bot is not even told."""

    async def write(person: Person) -> int:
        posted = await on.crowd.write(person, "When does my order come?")
        (reply,) = await on.teams.wait_delivered(person, timeout=30)
        if reply["text"] != REPLY:
            raise DemoError(f"{person.name} got another answer than the bot's.")
        return posted.status

    async def uninstall(person: Person) -> int:
        return (await on.crowd.uninstall(person)).status

    await on.each("write to the bot and get its reply", cast.chatting, write, at_once=16)
    await on.each("uninstall the bot", cast.gone[::2], uninstall, at_once=16)
    for person in cast.gone[1::2]:
        on.teams.uninstall(person)
    on.teams.clear()


async def _ask(on: Stage, cast: Cast) -> None:
    """Ask some people a question, which the first of them answers."""
    on.teams.clear()
    with on.console.status("a question goes out, and waits for an answer"):
        asked = await demo_ask.ask(on, cast.asked)
    demo_ask.check(asked)
    on.console.print(demo_ask.story(asked), markup=False, soft_wrap=True)


def _tell(on: Stage) -> None:
    """Say what Teams saw of the sends."""
    stats = on.teams.stats()
    if stats.peak > PARALLELISM:
        raise DemoError(f"{stats.peak} messages were in flight at once, where {PARALLELISM} were allowed.")
    on.console.print(
        f"Teams saw {stats.requests:,} requests, at most {stats.peak} at once and {stats.busiest_second} in a second; "
        f"{stats.statuses.get(429, 0)} came too fast (429).\n"
        f"It took {LATENCY:g} s for each. Its ceiling of {TEAMS_RATE} requests a second for one bot in one tenant was "
        f"raised to {DEMO_RATE:,} for the demo.\n"
        f'Microsoft Graph was asked {on.graph.stats.requests} times who is in the group "{GROUP}".',
        soft_wrap=True,
    )


def _failed(console: Console, sentence: str) -> int:
    console.print(f"The demo failed: {sentence}", style="red", markup=False, soft_wrap=True)
    return 1


def _count(text: str) -> int:
    if not (text.isdecimal() and _FEWEST <= int(text) <= _MOST):
        raise argparse.ArgumentTypeError(f"{text} is not a number from {_FEWEST} to {_MOST}")
    return int(text)
