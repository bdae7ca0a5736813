"""The Agents Playground's page in a browser, by what a person sees and does there."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page, expect

_OK = re.compile(" 200$")


class PlaygroundPage:
    """The chat of Alex Wilber with the bot, and the Playground's menu of activities.

    What makes the Playground tell the bot something returns once the bot has answered, and fails unless with 200: the
    Playground's log panel shows it.
    """

    def __init__(self, page: Page, address: str) -> None:
        self._page = page
        self._address = address

    async def open(self) -> None:
        """Open the page, which makes the Playground install the bot for Alex. The chat is empty each time."""
        await self._page.goto(self._address)

    async def installed(self) -> None:
        """Wait until the bot has answered both activities by which Teams tells it that it was installed."""
        for kind in ("installationUpdate", "conversationUpdate"):
            await expect(self._answers(kind).first).to_have_text(_OK)

    # What is seen

    @property
    def messages(self) -> Locator:
        """What the bot has sent since the page was opened, cards as well, from the oldest on."""
        return self._page.locator(".fai-OutputCard")

    @property
    def cards(self) -> Locator:
        """The messages that are cards."""
        return self.messages.filter(has=self._page.locator(".ac-adaptiveCard"))

    def card(self, text: str) -> Locator:
        """Return the latest card with this text in it, as it is now: it may be replaced."""
        return self.cards.filter(has_text=text).last

    async def screenshot(self, path: Path, card: Locator | None = None) -> None:
        """Take a picture of a card or, without one, of the chat with its surroundings, the log panel put away."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if card is not None:
            await self._page.mouse.move(0, 0)
            await card.screenshot(path=path, animations="disabled")
            return
        await self._page.get_by_title("Hide log panel").click()
        await self._page.mouse.move(0, 0)
        await self._page.screenshot(path=path, animations="disabled")
        await self._page.get_by_title("Toggle Log Panel").click()

    # What is done

    async def write(self, text: str) -> None:
        """Write to the bot."""
        await self._page.get_by_role("textbox").fill(text)
        async with self._answered("message"):
            await self._page.get_by_role("button", name="Send Message").click()

    async def click_button(self, title: str) -> None:
        """Click the latest card's button of this title: an answer to the card, by Action.Submit or Action.Execute."""
        async with self._answered("message|invoke"):
            await self.cards.get_by_role("button", name=title, exact=True).last.click()

    async def execute(self, title: str) -> Any:
        """Click the latest card's button of this title, an Action.Execute; return what the bot answers in line."""
        async with self._page.expect_response("**/_conversation/v1/invoke") as answer:
            await self.click_button(title)
        return await (await answer.value).json()

    async def uninstall(self) -> None:
        """Take the bot away from Alex."""
        await self._mock("Uninstall application")

    async def install(self) -> None:
        """Give the bot to Alex again."""
        await self._mock("Install application")

    async def _mock(self, activity: str) -> None:
        await self._page.get_by_role("button", name="Mock an Activity").click()
        await self._page.get_by_role("menu").get_by_text(activity, exact=True).click()
        dialog = self._page.get_by_role("dialog", name=activity)
        async with self._answered("installationUpdate"):
            await dialog.get_by_role("button", name="Send activity").click()
        await expect(dialog).to_be_hidden()

    @contextlib.asynccontextmanager
    async def _answered(self, kind: str) -> AsyncIterator[None]:
        """Wait for the bot's answer to the activity of this kind that the block brings about."""
        answers = self._answers(kind)
        before = await answers.count()
        yield
        await expect(answers.nth(before)).to_have_text(_OK)

    def _answers(self, kind: str) -> Locator:
        """Return what the log panel has of the bot's answers to activities of a kind: the kind, and a status."""
        to_the_bot = self._page.get_by_text("Playground -> User Application").locator("xpath=following-sibling::*[1]")
        return to_the_bot.filter(has_text=re.compile(rf"^({kind}) "))
