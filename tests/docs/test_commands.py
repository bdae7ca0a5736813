"""Every `sh` block of the documentation runs as it stands, one after the other, against a running stack."""

import asyncio
import os
import re
from pathlib import Path

import aiohttp
import pytest

from local.azurite import azurite
from local.host.instance import instance
from local.teams import Crowd, Person, TeamsStandIn

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/api.md",
    "docs/templates.md",
    "docs/callback.md",
    "docs/queue.md",
    "docs/cli.md",
    "docs/local.md",
]  # the last one leaves people behind
PLAYGROUND_TENANT = "00000000-0000-0000-0000-0000000000001"
REFUSED_ON_PURPOSE = '"mesage": "Hello"'


def blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_no_page_with_commands_is_left_out() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    with_commands = {str(page.relative_to(ROOT)) for page in pages if blocks(str(page.relative_to(ROOT)))}

    assert with_commands == set(PAGES)


@pytest.mark.timeout(170)
async def test_every_command_of_the_documentation_works() -> None:
    alex = Person.named("Alex Wilber", tenant_id=PLAYGROUND_TENANT)
    async with azurite(in_memory=True) as storage, TeamsStandIn([alex]) as teams:
        settings = {"PROACTIVE_LOCAL": "true", "MicrosoftAppId": ""}
        async with (
            instance(storage, settings=settings) as service,
            Crowd(teams, f"{service.url}/api/messages") as crowd,
            aiohttp.ClientSession(service.url) as http,
        ):
            await crowd.install(alex)
            async with asyncio.timeout(30):
                while not await known(http):
                    await asyncio.sleep(0.1)
            answering = asyncio.create_task(answer(crowd, alex))
            for page in PAGES:
                for block in blocks(page):
                    said = await run(block, service.url, storage)
                    assert "Internal error" not in said, block
                    assert ("about:blank" in said) == (REFUSED_ON_PURPOSE in block), f"{block}\n{said}"
            await asyncio.wait_for(answering, 10)
    assert any("attachments" in activity for activity in teams.delivered(alex))


async def known(http: aiohttp.ClientSession) -> bool:
    async with http.get("/api/v1/bots/default/users/Alex%20Wilber") as answer:
        return bool((await answer.json())["installed"])


async def answer(crowd: Crowd, person: Person) -> None:
    """Answer the question of the README as soon as it is there: its command waits for that, but for 20 s at most."""
    while True:
        try:
            await crowd.press(person, "Submit Order")
        except LookupError:
            await asyncio.sleep(0.1)
        else:
            return


async def run(block: str, url: str, storage: str) -> str:
    """Run a block where `make run` would have put the stack, and return what it said."""
    script = block.replace("http://localhost:7071", url).replace("UseDevelopmentStorage=true", storage)
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script,
        cwd=ROOT,
        env={**os.environ, "PROACTIVE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, f"{block}\n{said}"
    return said
