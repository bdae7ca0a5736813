"""What a person gets, seen through a Teams client that nobody here wrote: Microsoft's Agents Playground."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.playground_page import PlaygroundPage
from tests.browser.playground_stack import PlaygroundStack

pytestmark = pytest.mark.browser

ORDER_SUMMARY = json.loads((Path(__file__).parents[1] / "cards" / "order-summary.json").read_text(encoding="utf-8"))

# The Playground's person, whose object id has one digit too many for a GUID.
ALEX = "00000000-0000-0000-0000-0000000000020"
ALEX_BY_MAIL = "alexw@example.com"
ALEX_BY_NAME = "Alex Wilber"


async def test_a_card_reaches_a_person_once_by_whatever_names(
    page: PlaygroundPage, service: PlaygroundStack, pictures: Path
) -> None:
    # GIVEN a person for whom the bot was just installed, and whose address it has learnt from the roster
    await service.known(ALEX_BY_MAIL)

    # WHEN a card is sent to that person, named in three ways
    outcome = await service.deliver([ALEX_BY_MAIL, ALEX, ALEX_BY_NAME], ORDER_SUMMARY)

    # THEN it was delivered once, and stands in the chat as its author wrote it
    assert (outcome["statusCode"], outcome["counts"]["total"]) == (200, 1)
    card = page.card("Order summary")
    for text in _texts(ORDER_SUMMARY):
        await expect(card.get_by_text(text, exact=True).first).to_be_visible()
    await expect(page.messages).to_have_count(1)

    # AND nothing covers it in the picture
    await card.hover(trial=True)
    picture = pictures / "order-summary.png"
    await page.screenshot(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


async def test_who_has_uninstalled_the_bot_gets_nothing_until_it_is_installed_again(
    page: PlaygroundPage, service: PlaygroundStack
) -> None:
    # GIVEN a person who has uninstalled the bot
    await page.uninstall()

    # WHEN a card is sent
    outcome = await service.deliver([ALEX], ORDER_SUMMARY, ifBotNotInstalled="succeedWithStatusCode")

    # THEN the sender is told with 100, and nothing has come
    assert (outcome["statusCode"], outcome["succeeded"]) == (100, False)
    assert outcome["results"][0]["reason"] == "notInstalled"
    await expect(page.messages).to_have_count(0)

    # AND once the bot is installed again, the next one arrives
    await page.install()
    outcome = await service.deliver([ALEX], ORDER_SUMMARY, ifBotNotInstalled="succeedWithStatusCode")
    assert (outcome["statusCode"], outcome["succeeded"]) == (200, True)
    await expect(page.card("Order summary")).to_be_visible()
    await expect(page.messages).to_have_count(1)


async def test_who_is_writing_with_the_bot_is_left_alone_when_the_sender_asks_for_that(
    page: PlaygroundPage, service: PlaygroundStack
) -> None:
    # GIVEN a person who writes to the bot, and gets one short line for an answer
    await page.write("Where is my order?")
    await expect(page.messages).to_have_count(1)
    reply = await page.messages.inner_text()
    assert reply.strip()
    assert len(reply) < 100
    assert "\n" not in reply.strip()

    # WHEN a card is sent that is not to disturb a conversation
    outcome = await service.deliver([ALEX], ORDER_SUMMARY, ifChatIsActive="dontSendAndSucceed")

    # THEN the sender is told with 300, and nothing more has come
    assert (outcome["statusCode"], outcome["succeeded"]) == (300, False)
    await expect(page.messages).to_have_count(1)

    # AND a card that may disturb arrives
    outcome = await service.deliver([ALEX], ORDER_SUMMARY)
    assert (outcome["statusCode"], outcome["succeeded"]) == (200, True)
    await expect(page.card("Order summary")).to_be_visible()


def _texts(element: dict[str, Any]) -> list[str]:
    """Return all that a card, or an element of one, shows."""
    shown = [element[key] for key in ("text", "title", "value") if key in element]
    inside = [part for key in ("body", "items", "facts") for part in element.get(key, [])]
    return shown + [text for part in inside for text in _texts(part)]
