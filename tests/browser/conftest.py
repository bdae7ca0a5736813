"""A browser, the stack with the Agents Playground, and the Playground's page."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, ViewportSize, async_playwright, expect

from tests.browser.playground_page import PlaygroundPage
from tests.browser.playground_stack import PlaygroundStack, playground_stack

CHROMIUM = Path(os.environ.get("CHROMIUM") or "/usr/bin/chromium")
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
_PATIENCE = 20_000.0  # milliseconds: the machine may have other work to do
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The Playground asks a CDN for its fonts; tests do without the internet, and look the same with it.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    if not CHROMIUM.is_file():
        reason = f"there is no Chromium at {CHROMIUM}: install it, or name one in the environment variable CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=_PATIENCE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def service(chromium: Browser) -> AsyncIterator[PlaygroundStack]:
    """Run the stack; it is not started where there is no browser for it."""
    async with playground_stack() as running:
        yield running


@pytest.fixture
async def page(chromium: Browser, service: PlaygroundStack) -> AsyncIterator[PlaygroundPage]:
    """Open the Playground: the bot is installed for Alex, and the chat is empty."""
    # Narrower, the Playground's header breaks into two lines.
    window = ViewportSize(width=1280, height=600)
    context = await chromium.new_context(locale="en-US", viewport=window, device_scale_factor=2)
    playground = PlaygroundPage(await context.new_page(), service.playground)
    await playground.open()
    await playground.installed()
    yield playground
    await context.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Give the folder for pictures: the documentation's own only with UPDATE_PICTURES=1."""
    return PICTURES if os.environ.get("UPDATE_PICTURES") == "1" else tmp_path
