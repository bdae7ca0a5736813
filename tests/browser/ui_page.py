"""The operators' page in a browser, by what a person sees and does there."""

import re
from pathlib import Path

from playwright.async_api import ConsoleMessage, Locator, Page, Request, expect

from proactive.doors.ui import read

SEND = re.compile(r"#/sends/([a-z2-7]{26})$")


class OperatorsPage:
    """The page at `address`. Whatever it did wrong on the way stands in `wrong`."""

    def __init__(self, page: Page, service: str) -> None:
        self.page = page
        self.service = service
        self.address = f"{service}/api/ui"
        self.wrong: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        # A refusal that the page shows to its reader is one that the browser notes as well.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.service, "data:", "blob:")):
            self.wrong.append(f"asked elsewhere: {request.url}")

    async def open(self, path: str = "") -> None:
        """Open a view and wait until it is there."""
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.address}{path}")
        await expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    def file(self, name: str) -> str:
        """Return the address of a file of the page."""
        return f"{self.address}/{read().version}/{name}"

    def button(self, name: str | re.Pattern[str]) -> Locator:
        """Return a button by its name."""
        return self.page.get_by_role("button", name=name, exact=isinstance(name, str))

    def region(self, name: str) -> Locator:
        """Return a part of the page by its name."""
        return self.page.get_by_role("region", name=name)

    @property
    def rows(self) -> Locator:
        """The results that are shown."""
        return self.region("Results").locator("tbody tr")

    async def field(self, label: str, text: str) -> None:
        """Fill a field."""
        inputs = self.page.locator("input:not([type=radio]), textarea")
        await inputs.and_(self.page.get_by_label(label, exact=True)).fill(text)

    async def as_card(self, text: str) -> None:
        """Write a card instead of a message."""
        await self.page.get_by_role("radio", name="Card").check()
        await self.page.get_by_role("textbox", name="Card").fill(text)

    async def ended(self, status: str) -> None:
        """Wait until the send that is shown has this status."""
        await expect(self.page.locator(".sub .pill")).to_have_text(status)

    async def sent(self) -> str:
        """Return the id of the send that is shown, once one is."""
        await self.page.wait_for_url(SEND)
        await expect(self.region("Progress")).to_be_visible()
        found = SEND.search(self.page.url)
        assert found
        return found[1]

    async def fits(self) -> None:
        """Fail where the page can be scrolled sideways."""
        wide = await self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], wide

    async def screenshot(self, path: Path) -> None:
        """Take a picture of what is seen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        await self.page.mouse.move(0, 0)
        await self.page.screenshot(path=path, animations="disabled")
