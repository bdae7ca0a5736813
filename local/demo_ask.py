"""The question of the demo: a card that waits, who answers it first, and the flow that is called back."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from local.demo_stage import CALLBACK_SECRET, DemoError, Stage
from local.loopback import serving
from local.teams import Person
from local.teams.records import Activity

CARD = json.loads((Path(__file__).parent / "cards" / "order-confirmation.json").read_text(encoding="utf-8"))
BUTTON = "Edit Order"
UPDATE_MESSAGE = "Thanks for your response!"
_CLOSED = "closed"  # a word of what the cards of the others become
_SOONEST = 2.0  # seconds after the subscription's answer: a flow that is called sooner may not wait yet
_LOOK = 0.05  # seconds between two looks
_PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class Callback:
    """A call that the flow got: so many `seconds` after it had subscribed, with these headers and bytes."""

    seconds: float
    headers: Mapping[str, str]
    raw: bytes

    def verified(self) -> dict[str, Any]:
        """Return the outcome that it brings.

        Raises:
            DemoError: it is not signed as Standard Webhooks has it.

        """
        try:
            outcome: dict[str, Any] = Webhook(CALLBACK_SECRET).verify(self.raw, dict(self.headers))
        except WebhookVerificationError:
            raise DemoError("the callback's signature is wrong.") from None
        return outcome


@dataclass(frozen=True)
class Asked:
    """What became of the question: the cards as they went out and as they are now, and what the flow was told.

    `pressed` is how long the bot took to answer the press of the button, and `replaced` how long after it the last
    card was replaced, both in seconds.
    """

    send: str
    by: Person
    sent: Mapping[Person, list[Activity]]
    now: Mapping[Person, list[Activity]]
    pressed: float
    replaced: float
    calls: list[Callback]


class _Flow:
    """A flow: its run subscribes with `url` and goes on when it is called there."""

    def __init__(self) -> None:
        self.url = ""
        self.subscribed = 0.0
        self.calls: list[Callback] = []

    async def take(self, request: web.Request) -> web.Response:
        seconds = time.perf_counter() - self.subscribed
        self.calls.append(Callback(seconds, dict(request.headers), await request.read()))
        return web.Response(status=202)


@contextlib.asynccontextmanager
async def _flow() -> AsyncIterator[_Flow]:
    flow = _Flow()
    app = web.Application()
    app.router.add_post("/workflows/demo/run", flow.take)
    async with serving(app) as port:
        flow.url = f"http://127.0.0.1:{port}/workflows/demo/run"
        yield flow


async def ask(stage: Stage, people: list[Person]) -> Asked:
    """Ask people, in whose chats nothing stands, to confirm an order; the first of them answers.

    Raises:
        DemoError: the service refused the question, or something that has to follow did not.

    """
    by = people[0]
    async with _flow() as flow:
        status, accepted = await stage.request(
            "POST",
            "/api/v1/sends",
            {
                "recipients": [person.mail for person in people],
                "card": CARD,
                "summary": "Order confirmation",
                "wait": {"updateMessage": UPDATE_MESSAGE, "completeWhen": "first", "timeout": "P7D"},
                "callbackUrl": flow.url,
            },
        )
        flow.subscribed = time.perf_counter()
        if status != 201:
            raise DemoError(f"the question was refused with {status}: {accepted.get('detail') or accepted}")
        path = f"/api/v1/sends/{accepted['id']}"

        async def waits() -> bool:
            _, send = await stage.request("GET", path)
            return bool(send["status"] == "waiting")

        async def replaced() -> bool:
            return not any("attachments" in shown for person in people for shown in stage.teams.delivered(person))

        async def called() -> bool:
            _, outcome = await stage.request("GET", urlsplit(accepted["outcomeUrl"]).path)
            return bool(outcome.get("callback", {}).get("state") == "accepted")

        await _until(waits, "the question did not reach everybody")
        sent = {person: list(stage.teams.delivered(person)) for person in people}
        posted = await stage.crowd.press(by, BUTTON)
        if posted.status != 200:
            raise DemoError(f"the bot answered {posted.status} when {by.name} pressed {BUTTON!r}.")
        answered = time.perf_counter()
        await _until(replaced, "the cards were not replaced")
        seconds = time.perf_counter() - answered
        await _until(called, "the flow was not called back")
        now = {person: list(stage.teams.delivered(person)) for person in people}
        return Asked(accepted["id"], by, sent, now, posted.seconds, seconds, flow.calls)


async def _until(done: Callable[[], Awaitable[bool]], else_say: str) -> None:
    until = time.monotonic() + _PATIENCE
    while not await done():
        if time.monotonic() > until:
            raise DemoError(f"{else_say} in {_PATIENCE:.0f} s.")
        await asyncio.sleep(_LOOK)


def check(asked: Asked) -> None:
    """Compare the cards, and what the flow was told, with what they have to be.

    Raises:
        DemoError: a card did not look as its author wrote it or did not become what it must; or the flow was called
            too soon, more than once, or with another outcome.

    """
    for person, chat in asked.sent.items():
        if [_looks(card["content"]) for activity in chat for card in activity.get("attachments", [])] != [_looks(CARD)]:
            raise DemoError(f"{person.mail} did not get the question once, as it was written.")
    for person, chat in asked.now.items():
        texts = [activity.get("text", "") for activity in chat]
        right = texts == [UPDATE_MESSAGE] if person == asked.by else len(texts) == 1 and _CLOSED in texts[0]
        if not right:
            raise DemoError(f"the chat with {person.mail} reads {texts} after the answer.")
    if len(asked.calls) != 1:
        raise DemoError(f"the flow was called {len(asked.calls)} times, where once was due.")
    _check_callback(asked, asked.calls[0])


def _check_callback(asked: Asked, call: Callback) -> None:
    outcome = call.verified()
    if call.seconds < _SOONEST:
        raise DemoError(f"the flow was called {call.seconds:.1f} s after it had subscribed, where {_SOONEST} are due.")
    counts, by = outcome["counts"], asked.by
    told = {
        "id": outcome["id"],
        "outcome": outcome["outcome"],
        "statusCode": outcome["statusCode"],
        "submitActionId": outcome.get("submitActionId"),
        "data": outcome.get("data"),
        "responder": outcome.get("responder"),
        "counts": [counts["total"], counts["delivered"], counts["responded"]],
    }
    due = {
        "id": asked.send,
        "outcome": "responded",
        "statusCode": 200,
        "submitActionId": BUTTON,
        "data": {},
        "responder": {
            "objectId": by.object_id,
            "tenantId": by.tenant_id,
            "email": by.mail,
            "userPrincipalName": by.upn,
            "displayName": by.name,
        },
        "counts": [len(asked.sent), len(asked.sent), 1],
    }
    for name, value in due.items():
        if told[name] != value:
            raise DemoError(f"the flow was told {name} {told[name]}, where {value} was due.")


def _looks(card: Activity) -> Activity:
    """Return what can be seen of a card, which is all of it but its actions' data."""
    actions = [{name: value for name, value in action.items() if name != "data"} for action in card["actions"]]
    return {**card, "actions": actions}


def story(asked: Asked) -> str:
    """Tell what happened, a line for each step."""
    (call,) = asked.calls
    outcome = call.verified()
    others = [chat[0]["text"] for person, chat in asked.now.items() if person != asked.by]
    buttons = " and ".join(f'"{action["title"]}"' for action in CARD["actions"])
    return "\n  ".join(
        (
            f"A question with the buttons {buttons} goes to {len(asked.sent)} people; one answer ends it for all.",
            f'{asked.by.name} presses "{BUTTON}"; the bot answers in {asked.pressed * 1000:.0f} ms.',
            f'{asked.replaced:.1f} s later that card says "{asked.now[asked.by][0]["text"]}"',
            f'and each of the {len(others)} others "{others[0]}"',
            f"The flow is called back, once and signed, {call.seconds:.1f} s after it subscribed:",
            f'outcome "{outcome["outcome"]}", submitActionId "{outcome["submitActionId"]}", responder '
            f"{outcome['responder']['email']}, webhook-id {call.headers['webhook-id']}",
        )
    )
