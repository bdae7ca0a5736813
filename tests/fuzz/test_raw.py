"""Whatever bytes strangers post, the service never answers with a server error."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stack import SENDS, Stack, card, ids

CASES = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
BATCH = 12  # bodies in one example, posted at once

text = st.text(st.characters(), max_size=40) | st.sampled_from(
    [
        "\ud800",
        "\x00",
        "${x}",
        "a@b.c",
        "P1D",
        "AdaptiveCard",
        "1.5",
        "\u2028",
        "🥩",
        "A" * 5000,
        "Action.Submit",
        "message",
    ]
)
number = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 1e308, 5e-324, 2**63, -0.0])
names = text | st.sampled_from(
    ["recipients", "message", "card", "type", "body", "actions", "items", "id", "data", "text", "format", "options",
     "bot", "tenant", "summary", "sendAt", "user", "everyone", "version", "fallback", "columns", "parallelism", "from",
     "conversation", "recipient", "channelData", "serviceUrl", "channelId", "value", "action", "membersAdded"]
)  # fmt: skip
value = st.recursive(
    st.none() | st.booleans() | number | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=25,
)


def encode(body: Any, encoding: str) -> bytes:
    return json.dumps(body, ensure_ascii=encoding == "ascii").encode(
        "utf-8" if encoding == "ascii" else encoding, "surrogatepass"
    )


ENCODINGS = st.sampled_from(["ascii", "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"])
RAW = (
    st.binary(max_size=200)
    | st.sampled_from(
        [
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"recipients": ' + b"[" * 5_000 + b"]" * 5_000 + b', "message": "x"}',
            b'{"card": ' + b'{"type":"Container","items":[' * 3_000 + b"]}" * 3_000 + b"}",
            b'{"message": ' + b"9" * 5_000 + b"}",
            b'{"message": 1e999999}',
            b'{"message": NaN}',
            b'{"message": "\\ud800"}',
            b'{"message": "x", "message": "y"}',
            b'{"message": "' + b"\\u0000" * 1000 + b'"}',
            b"\xef\xbb\xbf{}",
            b"\x00",
            b'"' + b"\xed\xa0\x80" + b'"',
        ]
    )
    | st.builds(encode, value, ENCODINGS)
)


def changed(whole: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Return bodies that are right but for one or two members somewhere in them."""
    places = list(_places(whole))

    def change(picks: list[tuple[tuple[Any, ...], Any]], encoding: str) -> bytes:
        body = json.loads(json.dumps(whole))
        for path, new in picks:
            inner: Any = body
            try:
                for step in path[:-1]:
                    inner = inner[step]
                inner[path[-1]] = new
            except (KeyError, IndexError, TypeError):
                continue
        return encode(body, encoding)

    return st.builds(change, st.lists(st.tuples(st.sampled_from(places), value), min_size=1, max_size=2), ENCODINGS)


def _places(node: Any, path: tuple[Any, ...] = ()) -> Any:
    if path:
        yield path
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from _places(child, (*path, key))


SEND = {
    "recipients": ["ada@contoso.com", {"user": "alan@contoso.com"}, {"everyone": True}, {"group": "x"}],
    "bot": "default",
    "tenant": "x",
    "message": {"text": "Hello", "format": "plain"},
    "summary": "x",
    "sendAt": "2026-12-01T08:00:00Z",
    "wait": {"updateMessage": "x", "timeout": "PT1M", "completeWhen": "first"},
    "callbackUrl": "https://prod-01.westeurope.logic.azure.com/x",
    "options": {"labelAsNotification": True, "ifChatIsActive": "send", "parallelism": 5, "deliverWithin": "PT1H"},
    "card": card("leave-request"),
}
VALID = {name: SEND[name] for name in ("options", "message", "summary")} | {"recipients": ["ada@contoso.com"]}


async def statuses(stack: Any, path: str, bodies: list[bytes]) -> set[int]:
    """Post them all and return the statuses; where there is an error, it says so as a problem."""

    async def one(body: bytes) -> int:
        reply = await stack.request("POST", path, data=body, headers={"Content-Type": "application/json"})
        assert reply.status < 500, (reply.status, body[:2000])
        if reply.status >= 400:
            reply.is_problem()
        return reply.status

    return set(await asyncio.gather(*map(one, bodies)))


@pytest.fixture(scope="module")
async def fuzzed() -> AsyncIterator[Stack]:
    """Run a stack of our own: what fuzzing leaves behind (odd tenants, say) must not meet other tests."""
    async with Stack.running(settings={"PROACTIVE_BOT_NAME": "fuzz"}) as stack:
        yield stack


@pytest.fixture(scope="module")
async def activities(fuzzed) -> list[dict[str, Any]]:
    (ada,) = await fuzzed.join(1)
    crowd = await fuzzed.crowd()
    joined = [{"id": ada.teams_id}, {"id": f"28:{ada.app_id}"}]
    pressed = {"action": {"type": "Action.Execute", "verb": "x", "data": {}}}
    return [
        await crowd.activity(ada, "message", text="x", value={"a": 1}),
        await crowd.activity(ada, "installationUpdate", action="add"),
        await crowd.activity(ada, "conversationUpdate", membersAdded=joined),
        await crowd.activity(ada, "conversationUpdate", membersRemoved=joined),
        await crowd.activity(ada, "messageUpdate"),
        await crowd.activity(ada, "messageReaction", reactionsAdded=[{"type": "like"}]),
        await crowd.activity(ada, "endOfConversation"),
        await crowd.activity(ada, "invoke", name="adaptiveCard/action", value=pressed),
    ]


@CASES
@given(bodies=st.lists(RAW | changed(SEND) | changed(VALID), min_size=BATCH, max_size=BATCH))
async def test_no_body_breaks_the_door_for_sends(fuzzed, bodies):
    await statuses(fuzzed, SENDS, bodies)


@CASES
@given(data=st.data())
async def test_no_body_breaks_the_door_for_teams(fuzzed, activities, data):
    strategy = RAW
    for activity in activities:
        strategy |= changed(activity)
    bodies = data.draw(st.lists(strategy, min_size=BATCH, max_size=BATCH))
    await statuses(fuzzed, "/api/messages", bodies)


@CASES
@given(headers=st.lists(st.tuples(
    st.sampled_from(["Prefer", "Idempotency-Key", "Content-Type", "Accept", "Content-Encoding", "Authorization"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, blacklist_characters="\x7f"), max_size=50)
    | st.sampled_from(["wait=" + "9" * 400, "wait=٣", "gzip", "x" * 300, "application/json;charset=utf-16"]),
), max_size=4))  # fmt: skip
async def test_no_header_breaks_a_door(fuzzed, headers):
    body = {"recipients": ids(fuzzed.strangers(1)), "message": "x"}
    for path in (SENDS, "/api/messages"):
        reply = await fuzzed.request("POST", path, json_body=body, headers=dict(headers))
        assert reply.status < 500, (reply.status, reply.text)


async def test_the_service_is_well_afterwards(fuzzed):
    (ada,) = await fuzzed.join(1)
    (await fuzzed.deliver([ada.object_id], tenant=ada.tenant_id)).ok(200)
