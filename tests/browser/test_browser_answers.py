"""A question and its answer, through a Teams client that nobody here wrote: Microsoft's Agents Playground."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.playground_page import PlaygroundPage
from tests.browser.playground_stack import Call, PlaygroundStack, flow

pytestmark = pytest.mark.browser

ORDER_CONFIRMATION = json.loads(
    (Path(__file__).parents[1] / "cards" / "order-confirmation.json").read_text(encoding="utf-8")
)
LEAVE_REQUEST = {
    "type": "AdaptiveCard",
    "version": "1.4",
    "body": [
        {"type": "TextBlock", "text": "Leave request of Grace Hopper"},
        {"type": "Input.Text", "id": "comment", "value": "Enjoy"},
    ],
    # The Playground refuses an Action.Execute that has no verb.
    "actions": [{"type": "Action.Execute", "title": "Approve", "verb": "approve", "data": {"days": 3}}],
}
APPROVED = {
    "type": "AdaptiveCard",
    "version": "1.4",
    "body": [{"type": "TextBlock", "text": "The leave is approved"}],
}
THANKS = "Thanks for your response!"

# The Playground's person, whose ids have one digit too many for a GUID.
ALEX = "00000000-0000-0000-0000-0000000000020"
ALEX_BY_MAIL = "alexw@example.com"
RESPONDER = {
    "objectId": ALEX,
    "tenantId": "00000000-0000-0000-0000-0000000000001",
    "email": ALEX_BY_MAIL,
    "userPrincipalName": ALEX_BY_MAIL,
    "displayName": "Alex Wilber",
}


@pytest.mark.timeout(120)
async def test_an_answer_reaches_the_flow_that_waits_for_it_even_one_that_is_away_at_first(
    page: PlaygroundPage, service: PlaygroundStack, pictures: Path
) -> None:
    await service.known(ALEX_BY_MAIL)
    async with flow(503) as away, flow() as ready:
        # GIVEN a question from a flow that will be away when it is called
        first = await service.ask([ALEX_BY_MAIL], ORDER_CONFIRMATION, away.url, updateMessage=THANKS)
        card = page.card("Order confirmation")
        await expect(card.get_by_role("button", name="Submit Order", exact=True)).to_be_visible()
        assert (await service.read(first["statusUrl"]))["status"] == "waiting"
        await card.hover(trial=True)
        await page.screenshot(pictures / "order-confirmation.png")

        # WHEN the person clicks a button
        await page.click_button("Edit Order")

        # THEN the card has turned into the update message
        await _turned_into(page, THANKS, 1)
        await page.screenshot(pictures / "order-confirmation-answered.png")

        # AND WHEN the same question comes from a flow that is there
        asked = time.monotonic()
        second = await service.ask([ALEX_BY_MAIL], ORDER_CONFIRMATION, ready.url, updateMessage=THANKS)
        await page.click_button("Edit Order")
        await _turned_into(page, THANKS, 2)

        # THEN it is told once, and not before it can have begun to wait
        (call,) = await ready.called(1, 15)
        assert call.at - asked > 2
        _tells_of_edit_order(call, second)

        # AND the other one is told the same again, after a pause
        calls = await away.called(2, 60)
        for call in calls:
            _tells_of_edit_order(call, first)
        assert calls[1].at - calls[0].at > 3
        assert await _attempts(service, first) == [503, 202]

        # AND nobody is called any more
        assert (len(away.calls), len(ready.calls)) == (2, 1)


async def test_an_execute_is_answered_in_line(page: PlaygroundPage, service: PlaygroundStack) -> None:
    # GIVEN a question that is answered by Action.Execute
    async with flow() as ready:
        asked = await service.ask([ALEX], LEAVE_REQUEST, ready.url, updateMessage=APPROVED)
        await expect(page.card("Leave request of Grace Hopper")).to_be_visible()

        # WHEN the person clicks its button
        answer = await page.execute("Approve")

        # THEN the answer to the click itself brings the card's replacement
        assert answer == {"type": "application/vnd.microsoft.card.adaptive", "value": APPROVED}
        await expect(page.card("The leave is approved")).to_be_visible()
        await expect(page.cards.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
        await expect(page.messages).to_have_count(1)

        # AND the flow is told
        (call,) = await ready.called(1, 15)
        assert (call.body["id"], call.body["outcome"], call.body["submitActionId"]) == (
            asked["id"],
            "responded",
            "Approve",
        )
        assert call.body["data"] == {"days": 3, "comment": "Enjoy"}
        assert call.body["responder"]["objectId"] == ALEX


async def _turned_into(page: PlaygroundPage, text: str, times: int) -> None:
    """Wait until the chat has this text so many times, and no card and nothing else."""
    await expect(page.messages.filter(has_text=text)).to_have_count(times)
    await expect(page.messages).to_have_count(times)
    await expect(page.cards).to_have_count(0)


def _tells_of_edit_order(call: Call, subscription: dict[str, Any]) -> None:
    """Check that a callback tells that Alex chose "Edit Order"."""
    body = call.body
    assert call.webhook_id == f"{subscription['id']}.completed"
    assert (body["id"], body["outcome"]) == (subscription["id"], "responded")
    assert (body["statusCode"], body["succeeded"], body["counts"]["responded"]) == (200, True, 1)
    assert (body["submitActionId"], body["data"]) == ("Edit Order", {})
    assert body["responder"] == RESPONDER
    (answer,) = body["responses"]
    assert answer["messageId"] == body["messageId"] == body["results"][0]["messageId"]


async def _attempts(service: PlaygroundStack, subscription: dict[str, Any]) -> list[int]:
    """Return what the flow answered, attempt by attempt, once it has accepted: our record is written afterwards."""
    async with asyncio.timeout(40):
        while (callback := (await service.read(subscription["outcomeUrl"]))["callback"])["state"] != "accepted":
            await asyncio.sleep(0.1)
    return [attempt["statusCode"] for attempt in callback["attempts"]]
