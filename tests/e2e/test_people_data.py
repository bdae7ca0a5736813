"""One person: what they were sent, all that is kept about them, and that it can be erased."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from local.teams import Person
from tests.stack import Reply, Stack, ids, until

QUESTION = {
    "type": "AdaptiveCard",
    "version": "1.4",
    "body": [{"type": "TextBlock", "text": "May I?"}, {"type": "Input.Text", "id": "note"}],
    "actions": [{"type": "Action.Submit", "title": "Yes", "data": {"order": 4711}}],
}


def address(name: str, what: str = "", query: str = "") -> str:
    path = f"/api/ops/bots/default/users/{quote(name, safe='')}"
    return f"{path}/{what}{query}" if what else path


async def asked_and_answered(stack: Stack, person: Person, others: list[Person]) -> str:
    """Send a text and a card that waits, and have the card answered; return the id of the card's send."""
    await stack.deliver([person.mail, *ids(others)], message="Hello *you*", tenant=person.tenant_id)
    body = {"card": QUESTION, "wait": {"completeWhen": "all"}, "summary": "A question", "tenant": person.tenant_id}
    asked = await stack.accepted([person.object_id, *ids(others)], **body)

    async def delivered() -> bool:
        return len(stack.got(person)) == 2

    await until(delivered)
    posted = await (await stack.crowd()).press(person, "Yes", {"note": "please"})
    assert posted.status == 200
    return str(asked["id"])


async def test_a_person_is_told_exported_and_erased(stack: Stack) -> None:
    # GIVEN a person who was sent a text and has answered a card
    ada, bob = await stack.join(2, named=True)
    assert ada.mail
    tenant = f"?tenant={ada.tenant_id}"
    asked = await asked_and_answered(stack, ada, [bob])

    # WHEN an operator asks what she was sent, by any of her names
    for name in (ada.object_id, ada.mail, ada.upn):
        page = (await stack.get(address(name, "messages", tenant))).ok()
        # THEN there is the card with her answer, and the text
        card, text = page["messages"]
        assert page["continuation"] is None
        assert (card["sendId"], card["card"], card["summary"]) == (asked, QUESTION, "A question")
        assert card["response"]["data"] == {"order": 4711, "note": "please"}
        assert text["message"] == {"text": "Hello *you*", "format": "markdown"}
        assert (text["state"], text["statusCode"], text["response"]) == ("delivered", 200, None)
        assert text["messageId"] == stack.got(ada)[0]["id"]
    first = (await stack.get(address(ada.mail, "messages", f"{tenant}&top=1"))).ok()
    assert first["messages"] == [card]
    rest = f"{tenant}&continuation={quote(first['continuation'])}"
    assert (await stack.get(address(ada.mail, "messages", rest))).ok()["messages"] == [text]

    # AND the export has all of that, and what is known of her
    data = (await stack.get(address(ada.mail, "data", tenant))).ok()
    assert data["userId"] == ada.object_id
    assert data["conversation"]["installed"] is True
    assert data["conversation"]["email"] == ada.mail
    assert {alias["name"] for alias in data["aliases"]} == {ada.mail, ada.upn, ada.name}
    assert data["messages"] == [card, text]

    # WHEN she is erased
    before = (await stack.status(asked))["counts"]

    async def erased() -> bool:
        reply = await stack.request("DELETE", address(ada.object_id, "data", tenant))
        assert reply.status in (202, 204), reply.text
        return reply.status == 204

    await until(erased, 80, every=2)

    # THEN nothing is kept about her, twice is fine, and the counts of the sends are as they were
    for name in (ada.object_id, ada.mail):
        (await stack.get(address(name, "data", tenant))).is_problem(404)
        assert (await stack.get(address(name, "messages", tenant))).ok()["messages"] == []
        assert (await stack.request("DELETE", address(name, "data", tenant))).status == 204
    assert (await stack.user(ada.object_id, ada.tenant_id))["installed"] is False
    assert (await stack.status(asked))["counts"] == before
    theirs = await stack.results(asked)
    assert [(row["recipient"], row["userId"], row["state"], row["response"]) for row in theirs] == [
        ("erased", None, "delivered", None),
        (bob.object_id, bob.object_id, "delivered", None),
    ]
    assert len((await stack.get(address(bob.object_id, "messages", tenant))).ok()["messages"]) == 2

    # AND a message to her goes nowhere, until she writes to the bot again
    outcome = (await stack.deliver([ada.object_id], tenant=ada.tenant_id)).body
    assert outcome["results"][0]["statusCode"] == 100
    await (await stack.crowd()).write(ada, "I am back")
    assert (await stack.deliver([ada.object_id], tenant=ada.tenant_id)).body["statusCode"] == 200


async def test_a_period_can_be_asked_for(stack: Stack) -> None:
    (ada,) = await stack.join(1)
    await stack.deliver([ada.object_id], tenant=ada.tenant_id)
    now = datetime.now(UTC)

    async def texts(first: datetime, last: datetime) -> int:
        query = f"?tenant={ada.tenant_id}&from={quote(first.isoformat())}&to={quote(last.isoformat())}"
        return len((await stack.get(address(ada.object_id, "messages", query))).ok()["messages"])

    assert await texts(now - timedelta(minutes=5), now + timedelta(minutes=5)) == 1
    assert await texts(now - timedelta(days=2), now - timedelta(days=1)) == 0
    assert await texts(now + timedelta(minutes=5), now + timedelta(days=1)) == 0


@pytest.mark.parametrize(
    ("what", "query", "status"),
    [
        ("messages", "?top=0", 400),
        ("messages", "?order=up", 400),
        ("messages", "?from=yesterday", 400),
        ("messages", "?continuation=WyIyMDI2LTk5LTk5IiwgIiJd", 400),
        ("messages", "?continuation=WzEsMl0", 400),
        ("messages", "?continuation=!", 400),
        ("messages", "?from=0001-01-01&to=0999-01-01", 200),
        ("messages", "?from=9999-12-31&to=9999-12-31T23:59:59Z", 200),
        ("messages", "?continuation=WyIyMDk5LTEyLTMxIiwgIiJd", 200),
        ("data", "?top=1", 400),
        ("data", "?continuation=bnVsbA", 404),
        ("data", "?continuation=IiI", 400),
    ],
)
async def test_what_makes_no_sense_is_told_and_never_fails(stack: Stack, what: str, query: str, status: int) -> None:
    (ada,) = await stack.join(1)
    tenant = f"&tenant={ada.tenant_id}"
    name = ada.object_id if what == "messages" else "00000000-0000-0000-0000-00000000dead"
    reply: Reply = await stack.get(address(name, what, query + tenant))
    assert reply.status == status, reply.text
    if status != 200:
        reply.is_problem(status)


async def test_only_operators_may_ask(stack: Stack) -> None:
    (ada,) = await stack.join(1)
    for what, method in (("messages", "GET"), ("data", "GET"), ("data", "DELETE")):
        path = address(ada.object_id, what).replace("/api/ops/", "/api/v1/")
        assert (await stack.request(method, path)).status == 404
    for what in ("messages", "data"):
        reply = await stack.get(f"/api/ops/bots/nobody/users/{ada.object_id}/{what}")
        reply.is_problem(404)
    reply = await stack.request("POST", address(ada.object_id, "data"))
    assert reply.is_problem(405)
    assert reply.headers["Allow"] == "DELETE, GET, HEAD"
