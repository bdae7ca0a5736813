"""The operators' page in a real browser, against the running service and stand-in people."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, ViewportSize, expect

from local.bench.seed import seed
from local.teams import Fault, Person
from proactive.model import Options, Recipient, Result, Send, State
from proactive.service import Service
from proactive.settings import Bot, Settings, StorageAccount
from proactive.store.chunks import FIRST_PLAN, SIZE, Chunk, row_of
from tests.browser.ui_page import OperatorsPage
from tests.stack import Stack, card, ids, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(100)]

BOT = "canteen"
PEOPLE = 1000
CROWD = 100_000
BUDGET = 150 * 1024  # bytes that the first load may transfer
EXTERNAL = "https://pictures.contoso.com/steak.png"
SCRIPT = "javascript:alert(1)"

QUESTION = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [
        {"type": "TextBlock", "text": "Order 4711 is ready", "style": "heading", "wrap": True},
        {"type": "FactSet", "facts": [{"title": "Table", "value": "12"}, {"title": "Guest", "value": "Ada Allen"}]},
        {"type": "Input.Text", "id": "note", "label": "A note for the kitchen"},
    ],
    "actions": [{"type": "Action.Submit", "title": "On its way"}, {"type": "Action.Submit", "title": "Not yet"}],
}

type Open = Callable[..., Coroutine[Any, Any, OperatorsPage]]


@pytest.fixture(scope="module")
async def stack(chromium: Browser) -> AsyncIterator[Stack]:
    async with Stack.running(settings={"PROACTIVE_BOT_NAME": BOT}, latency=0.02) as running:
        yield running


@pytest.fixture(scope="module")
async def people(stack: Stack) -> list[Person]:
    """Give people who have the bot, without 1,000 installs."""
    known = stack.strangers(PEOPLE)
    stack.teams.enrol(known, installed=True)
    await seed(stack.storage, stack.teams.service_url, known, BOT)
    return known


@pytest.fixture
async def opened(chromium: Browser, stack: Stack, people: list[Person]) -> AsyncIterator[Open]:
    """Give a function that opens the page; when the test is over the browser must have had nothing to complain of."""
    pages = []

    async def opening(path: str = "", *, width: int = 1280, height: int = 900, **more: Any) -> OperatorsPage:
        window = ViewportSize(width=width, height=height)
        context = await chromium.new_context(locale="en-US", timezone_id="UTC", viewport=window, **more)
        page = OperatorsPage(await context.new_page(), stack.url)
        pages.append(page)
        await page.open(path)
        return page

    yield opening
    for page in pages:
        await page.page.context.close()
        assert page.wrong == []


async def compose(page: OperatorsPage, recipients: list[str], text: str) -> None:
    await page.page.get_by_role("link", name="New send").click()
    await page.field("Recipients", "; ".join(recipients))
    await page.field("Message", text)


async def test_a_send_to_1000_people_is_composed_watched_retried_and_recalled(
    opened: Open, stack: Stack, people: list[Person], pictures: Path
) -> None:
    # GIVEN 1,000 people, of whom Teams refuses 12 for now, and 6 who lack the bot
    ill = [stack.teams.fault(Fault(status=400, code="BadSyntax", person=person.object_id, operation="send", times=1))
           for person in people[30:42]]  # fmt: skip
    lacking = [person.mail for person in stack.strangers(6)]
    page = await opened(device_scale_factor=2)
    # WHEN an operator writes to them and confirms what the page says would become of it
    await compose(page, [*ids(people), *lacking], "The canteen opens at **noon** today")
    await page.button("Send…").click()
    dialog = page.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("1,000 of 1,006 people would get it")
    await expect(dialog).to_contain_text("6 without the bot")
    await dialog.get_by_role("button", name="Send to 1,000 people").click()
    # THEN the send is shown as it goes on, until it is over
    sent = await page.sent()
    await expect(page.page.get_by_role("heading", level=1)).to_have_text("The canteen opens at noon today")
    await expect(page.page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "1006", timeout=40_000)
    await page.ended("Completed")
    outcomes = page.region("Outcomes").get_by_role("img")
    await expect(outcomes).to_have_attribute(
        "aria-label", "200 Delivered: 988; 100 Bot not installed: 6; 502 Refused by Teams: 12"
    )
    assert sum(stack.teams.hits(number) for number in ill) == 12
    # AND why some did not get it
    why = page.region("Why")
    await expect(why.get_by_role("listitem")).to_have_count(2)
    await expect(why).to_contain_text("Teams refused it: BadSyntax")
    await page.page.evaluate("scrollTo(0, 0)")
    await page.screenshot(pictures / "operators-send.png")
    # AND whom a reason hit
    await why.get_by_role("button", name="Show whom: BadSyntax").click()
    await expect(page.rows).to_have_count(12)
    assert {person.object_id for person in people[30:42]} == set(await page.rows.locator(".name").all_text_contents())
    # AND all of it as a table
    async with page.page.expect_download() as saved:
        await page.button(re.compile("^All")).click()
        await page.button("Save as CSV").click()
    table = (await (await saved.value).path()).read_text(encoding="utf-8").splitlines()
    assert len(table) == 1 + PEOPLE + len(lacking)
    # WHEN those it failed for are retried
    await page.button("Retry 12 failed").click()
    await expect(page.page.get_by_role("heading", level=1)).to_have_text(re.compile("^Retry"))
    retried = await page.sent()
    await page.ended("Completed")
    # THEN they have it, and nobody has it twice
    await expect(outcomes).to_have_attribute("aria-label", "200 Delivered: 12")
    assert {len(stack.got(person)) for person in people} == {1}
    # WHEN the message is recalled
    await page.open(f"#/sends/{sent}")
    await page.button("Recall").click()
    await expect(dialog).to_contain_text("This cannot be undone")
    await dialog.get_by_role("button", name="Delete it for 988 people").click()
    await expect(page.page.get_by_role("heading", level=1)).to_have_text("Recall")
    await page.ended("Completed")
    # THEN it is gone for those who got it by that send
    await expect(outcomes).to_have_attribute("aria-label", "200 Recalled: 988")
    # AND the list leads to all of it
    await page.open()
    titles = ["Recall", "Retry: The canteen opens at noon today", "The canteen opens at noon today"]
    await expect(page.page.locator(".about")).to_have_text(titles)
    assert retried != sent


async def test_a_scheduled_send_is_cancelled_once_that_is_confirmed(
    opened: Open, stack: Stack, people: list[Person]
) -> None:
    at = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    send = await stack.accepted(ids(people[:2]), sendAt=at)
    page = await opened(f"#/sends/{send['id']}")
    dialog = page.page.get_by_role("dialog")
    await expect(page.region("Progress")).to_contain_text("Goes out in 3 h")
    # WHEN somebody thinks better of it
    await page.button("Cancel").click()
    await dialog.get_by_role("button", name="Keep sending").click()
    await expect(dialog).to_be_hidden()
    # THEN nothing has happened
    assert (await stack.status(send["id"]))["status"] == "scheduled"
    # WHEN it is confirmed, THEN it is cancelled
    await page.button("Cancel").click()
    await dialog.get_by_role("button", name="Cancel the send").click()
    await page.ended("Cancelled")
    assert (await stack.status(send["id"]))["status"] == "cancelled"


async def test_a_card_is_written_corrected_tried_and_sent_as_a_question(
    opened: Open, stack: Stack, pictures: Path
) -> None:
    me, ada = Person.named("Grace Hopper"), Person.named("Ada Allen")
    for person in (me, ada):
        await (await stack.crowd()).install(person)
    await stack.learnt(me, ada)
    page = await opened("#/compose", device_scale_factor=2)
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    # GIVEN a card that is no JSON
    await page.field("Recipients", ada.mail)
    assert not [url for url in asked if "adaptivecards" in url]
    await page.as_card('{"type": "AdaptiveCard",\n "version": "1.5",\n}')
    # THEN the page says where
    await expect(page.page.get_by_text("Line 2, column 18: Nothing follows this comma.")).to_be_visible()
    # GIVEN one that the service refuses
    wrong = {**QUESTION, "body": [{"type": "Input.Text"}]}
    await page.as_card(json.dumps(wrong, indent=1))
    await page.button("Check").click()
    # THEN the error stands at the card, with its pointer, and leads to its line
    await expect(page.page.get_by_role("alert")).to_contain_text("The request has errors")
    await expect(page.page.get_by_text("/body/0/id")).to_be_visible()
    await page.button(re.compile(r"^Line 5$")).click()
    selected = "(e => e.value.slice(e.selectionStart, e.selectionEnd))(document.activeElement)"
    assert json.loads(await page.page.evaluate(selected)) == wrong["body"][0]
    # WHEN it is right, THEN Microsoft's renderer shows it, and the page says what it would do
    await page.as_card(json.dumps(QUESTION, indent=1))
    preview = page.region("Preview")
    await expect(preview.locator(".ac-adaptiveCard")).to_contain_text("Order 4711 is ready")
    assert len([url for url in asked if "adaptivecards" in url]) == 1
    await preview.get_by_role("button", name="On its way").click()
    await page.button("Check").click()
    await expect(page.page.get_by_text("1 of 1 person would get it")).to_be_visible()
    # WHEN the operator tries it
    await page.field("Your own address", me.mail)
    await page.button("Send a test to me").click()
    # THEN the operator has it, and nobody else
    await expect(page.page.get_by_text(f"Delivered to {me.mail}")).to_be_visible()
    assert (len(stack.got(me)), len(stack.got(ada))) == (1, 0)
    # WHEN it is sent as a question
    await page.page.get_by_label("Wait for a response").check()
    await page.page.evaluate("scrollTo(0, 0); document.querySelector('.json').scrollTop = 0")
    await page.screenshot(pictures / "operators-compose.png")
    await page.button("Send…").click()
    await page.button("Send to 1 person").click()
    sent = await page.sent()
    await page.ended("Waiting for answers")
    await expect(page.region("Content").locator(".ac-adaptiveCard")).to_contain_text("Order 4711 is ready")
    # THEN the answer is shown
    await (await stack.crowd()).press(ada, "On its way")
    await page.ended("Completed")
    await expect(page.rows).to_contain_text("Answered: On its way")
    # AND what it became can be replaced once more
    await page.page.get_by_role("link", name="Update").click()
    await page.page.get_by_role("radio", name="Message").check()
    await page.field("Message", "The kitchen is closed")
    await page.button("Replace…").click()
    await page.button("Replace it").click()
    await expect(page.page.get_by_role("heading", level=1)).to_have_text("Update: The kitchen is closed")
    assert await page.sent() != sent
    await page.ended("Completed")


async def test_a_card_leads_nowhere_else_and_does_nothing(opened: Open, stack: Stack, people: list[Person]) -> None:
    # GIVEN what a flow has sent: pictures from elsewhere, a script for a link, markup in texts, a long text cut short
    nasty = {
        "type": "AdaptiveCard", "version": "1.5", "backgroundImage": EXTERNAL,
        "body": [
            {"type": "Image", "url": EXTERNAL, "selectAction": {"type": "Action.OpenUrl", "url": SCRIPT}},
            {"type": "TextBlock", "text": "<img src=x onerror=alert(1)> **bold** [a](https://example.com)"},
            {"type": "TextBlock", "text": "word " * 200, "wrap": True, "maxLines": 2},
            {"type": "Media", "poster": EXTERNAL, "sources": [{"mimeType": "video/mp4", "url": EXTERNAL}]},
            {"type": "ColumnSet", "columns": [{"type": "Column", "backgroundImage": {"url": EXTERNAL}, "items": []}]},
            {"type": "Carousel", "pages": [
                {"type": "CarouselPage", "items": [{"type": "TextBlock", "text": f"Page {page}"}]} for page in (1, 2)
            ]},
            {"type": "Input.Date", "id": "day", "label": "Day"},
            {"type": "Input.ChoiceSet", "id": "choice", "style": "expanded", "choices": [{"title": "A", "value": "a"}]},
        ],
        "actions": [
            {"type": "Action.OpenUrl", "title": "Open", "url": SCRIPT, "iconUrl": EXTERNAL},
            {"type": "Action.ShowCard", "title": "More", "card": {"type": "AdaptiveCard", "body": []}},
        ],
    }  # fmt: skip
    send = (await stack.deliver(ids(people[:1]), card=nasty)).body
    # WHEN an operator looks at it and presses what can be pressed
    page = await opened(f"#/sends/{send['id']}")
    shown = page.region("Content").locator(".ac-adaptiveCard")
    await expect(shown.locator("strong")).to_have_text("bold")
    await expect(shown).to_contain_text("Page 2")
    dialogs: list[str] = []
    page.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    await shown.get_by_role("link").first.click(force=True)
    await shown.get_by_text("Open").click()
    await shown.get_by_role("button", name="More").click()
    # THEN nothing has happened: no dialog, no other page, no request elsewhere (which `opened` looks at)
    assert dialogs == []
    assert len(page.page.context.pages) == 1
    assert page.page.url.endswith(send["id"])


async def test_everything_is_done_by_keyboard(opened: Open, stack: Stack) -> None:
    (ada,) = await stack.join(1, named=True)
    page = await opened()
    keys = page.page.keyboard
    # WHEN somebody walks with Tab from the top of the page, and writes
    await keys.press("Tab")
    await expect(page.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await _tab_to(page.page, "New send")
    await keys.press("Enter")
    await expect(page.page.get_by_role("heading", name="New send")).to_be_focused()
    await _tab_to(page.page, "Recipients")
    await keys.type(ada.mail)
    await _tab_to(page.page, "Message", tag="TEXTAREA")
    await keys.type("By hand")
    await _tab_to(page.page, "Options")
    await keys.press("Enter")
    await _tab_to(page.page, "If chat is active")
    await keys.type("Postpone")
    await _tab_to(page.page, "Send…")
    await keys.press("Enter")
    # THEN the dialog has the focus on what confirms it, and Escape leads back
    await expect(page.button("Send to 1 person")).to_be_focused()
    await keys.press("Escape")
    await expect(page.button("Send…")).to_be_focused()
    await keys.press("Enter")
    await expect(page.button("Send to 1 person")).to_be_focused()
    await keys.press("Enter")
    sent = await page.sent()
    await page.ended("Completed")
    assert stack.texts(ada) == ["By hand"]
    assert (await stack.status(sent))["options"]["ifChatIsActive"] == "postpone"
    # AND who cannot see it has heard it
    await expect(page.page.locator("#said")).to_contain_text("Completed")


async def _tab_to(page: Page, name: str, *, tag: str = "") -> None:
    """Press Tab until what has this name is focused; fail where something on the way shows no focus."""
    told = """() => {
      const e = document.activeElement, s = getComputedStyle(e), c = getComputedStyle(e.closest(".chip") || e);
      const name = e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent;
      return [name.trim(), e.tagName, s.outlineStyle !== "none" || c.outlineStyle !== "none"];
    }"""
    for _ in range(40):
        await page.keyboard.press("Tab")
        found, kind, visible = await page.evaluate(told)
        assert visible, f"the focus on {found} cannot be seen"
        if found == name and tag in ("", kind):
            return
    raise AssertionError(f"Tab does not lead to {name}")


async def test_rejected_messages_are_listed_with_their_reasons(opened: Open, stack: Stack) -> None:
    number = await stack.put('{"recipients": [], "mesage": "Hello"}')

    async def rejected() -> bool:
        return number in (await stack.get("/api/ops/rejected")).text

    await until(rejected)
    page = await opened("#/rejected")
    row = page.page.get_by_role("main").get_by_role("listitem").filter(has_text=number)
    await expect(row).to_contain_text("There is no such field")
    await expect(row.locator("code").first).to_have_text("/mesage")


async def test_a_bot_is_held_and_let_go_on(opened: Open, stack: Stack, people: list[Person]) -> None:
    page = await opened("#/bots")
    await page.button("Hold").click()
    await page.button("Hold the bot").click()
    await expect(page.button("Let it go on")).to_be_focused()
    # THEN a send does not go out, and its page says why
    send = await stack.accepted(ids(people[:1]), message="Held")
    await page.open(f"#/sends/{send['id']}")
    await expect(page.page.get_by_text("The bot canteen is held")).to_be_visible()
    await page.page.get_by_role("link", name="See the bots").click()
    await page.button("Let it go on").click()
    await expect(page.button("Hold")).to_be_visible()
    await page.open(f"#/sends/{send['id']}")
    await page.ended("Completed")


async def test_a_key_is_asked_for_where_one_is_needed_and_kept_for_the_tab_alone(opened: Open, stack: Stack) -> None:
    # GIVEN a service that asks for a key, as Azure's host does: with an empty 401
    page = await opened()
    tries: list[str | None] = []

    async def guard(route: Route) -> None:
        tries.append(given := await route.request.header_value("x-functions-key"))
        await (route.continue_() if given == "right" else route.fulfill(status=401))

    await page.page.route("**/api/ops/**", guard)
    await page.open("#/rejected")
    await expect(page.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    await expect(page.page.get_by_label("Function key of ops")).to_be_focused()
    # WHEN a wrong one is typed, THEN it is asked for again
    await page.field("Function key of ops", "wrong")
    await page.page.keyboard.press("Enter")
    await expect(page.page.get_by_role("alert")).to_contain_text("This key does not open it")
    # WHEN the right one is, THEN the page that was wanted is there, also after it is loaded again
    await page.field("Function key of ops", "right")
    await page.page.keyboard.press("Enter")
    await expect(page.page.get_by_role("heading", level=1)).to_have_text("Rejected messages")
    await page.page.reload()
    await expect(page.page.get_by_role("heading", level=1)).to_have_text("Rejected messages")
    assert tries[0] is None
    # AND it stands in no address, no cookie and nothing that outlives the tab
    assert "right" not in page.page.url
    assert await page.page.evaluate("document.cookie + JSON.stringify(localStorage)") == "{}"
    await page.button("Sign out").click()
    await expect(page.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert await page.page.evaluate("JSON.stringify(sessionStorage)") == "{}"


async def test_it_fits_a_phone_in_light_and_in_dark(opened: Open, stack: Stack) -> None:
    (ada,) = await stack.join(1)
    long = "https://contoso.com/" + "a-very-long-word" * 12
    send = (await stack.deliver([ada.object_id, "nobody@" + "long" * 40 + ".com"], message=long)).body
    shown = (await stack.deliver([ada.object_id], card=card("order-confirmation"))).body
    for scheme in ("light", "dark"):
        page = await opened(width=360, height=740, color_scheme=scheme, has_touch=True)
        views = {
            "": page.page.locator(".send"),
            f"#/sends/{send['id']}": page.rows,
            f"#/sends/{shown['id']}": page.page.locator(".ac-adaptiveCard"),
            "#/rejected": page.page.get_by_role("main").get_by_role("listitem"),
            "#/bots": page.button("Hold"),
            "#/compose": page.button("Send…"),
        }
        for path, there in views.items() if scheme == "light" else ():
            await page.open(path)
            await expect(there.first).to_be_visible()
            await page.fits()
        await page.open("#/compose")
        await page.as_card(json.dumps(QUESTION))
        await page.page.get_by_text("Options").click()
        await expect(page.region("Preview").locator(".ac-adaptiveCard")).to_be_visible()
        await page.fits()
        back = await page.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", back))) > 600) is (scheme == "light")


async def test_json_is_read_as_the_browser_reads_it_and_a_mistake_has_its_place(opened: Open) -> None:
    page = await opened("#/rejected")
    texts = ["{}", "[]", " [1, 2.5e-3, -0, true, null] ",
             '{"a": {"b": ["\\u00e9\\n", ""]}, "a/b": 1, "__proto__": {"x": 1}}',
             '"x"', "", "[1,]", '{"a" 1}', "{'a': 1}", "[1 2]", "01", "nul", '"\\x"',
             '"line\nbreak"', "[[[", "1 1", '{"a":1,}',
             "\u00a01", "NaN", "-", '{"a":1 "b":2}', "[1,,2]"]  # fmt: skip
    script = """async ([address, texts]) => {
      const { parse, placeOf } = await import(address);
      const tried = (read, text) => {
        try { return JSON.stringify(read(text)) } catch (error) { return error.constructor.name }
      };
      const { places } = parse('{"a": [1, {"b/c": true}]}');
      return [texts.map((text) => [tried(JSON.parse, text), tried((t) => parse(t).value, text)]),
              placeOf(places, "/a/1/b~1c"), placeOf(places, "/a/1/gone/x")];
    }"""
    compared, exact, around = await page.page.evaluate(script, [page.file("json.js"), texts])
    for text, (theirs, ours) in zip(texts, compared, strict=True):
        assert ours == {"SyntaxError": "JsonError"}.get(theirs, theirs), text
    assert (exact, around) == ([18, 22], [10, 23])


async def test_markdown_makes_nothing_but_what_teams_shows(opened: Open) -> None:
    page = await opened("#/rejected")
    shown = {
        "**a** *b* _c_ __d__": "<strong>a</strong> <em>b</em> <em>c</em> <strong>d</strong>",
        "2*3*4 and snake_case_name": "2*3*4 and snake_case_name",
        "[x](https://a.example/?b=1&c=2)":
            '<a href="https://a.example/?b=1&amp;c=2" rel="noopener noreferrer" target="_blank">x</a>',
        "[x](javascript:alert(1))": "[x](javascript:alert(1))",
        '[x](https://a.example/"onclick="alert(1))':
            '<a href="https://a.example/&quot;onclick=&quot;alert(1" rel="noopener noreferrer" target="_blank">x</a>)',
        "<b>&": "&lt;b&gt;&amp;",
        "one\ntwo": "one<br>two",
        "- a\n- b\n1. c": "<ul><li>a</li><li>b</li></ul><ol><li>c</li></ol>",
    }  # fmt: skip
    script = "async ([address, texts]) => { const { html } = await import(address); return texts.map(html); }"
    assert await page.page.evaluate(script, [page.file("markdown.js"), list(shown)]) == list(shown.values())


async def test_the_page_is_found_with_and_without_a_slash_and_its_head_has_no_body(opened: Open, stack: Stack) -> None:
    page = await opened("/")
    assert page.page.url == page.address
    head = await stack.request("HEAD", "/api/ui")
    assert (head.status, head.text, head.headers["Content-Type"]) == (200, "", "text/html; charset=utf-8")


async def test_the_first_load_is_small_and_the_second_is_next_to_nothing(opened: Open) -> None:
    page = await opened()
    sizes: dict[str, int] = {}
    devtools = await page.page.context.new_cdp_session(page.page)
    addresses: dict[str, str] = {}
    devtools.on(
        "Network.requestWillBeSent", lambda event: addresses.update({event["requestId"]: event["request"]["url"]})
    )
    devtools.on(
        "Network.loadingFinished",
        # One that was under way before has no address here.
        lambda event: sizes.update({addresses.get(event["requestId"], ""): int(event["encodedDataLength"])}),
    )
    await devtools.send("Network.enable")
    await devtools.send("Network.clearBrowserCache")
    # WHEN a view of each kind is opened by a browser that has nothing yet
    for path in ("", "#/compose", "#/rejected", "#/bots"):
        await page.open(path)
    await page.page.wait_for_load_state("networkidle")
    ours = {url: size for url, size in sizes.items() if "/api/ui" in url}
    # THEN it has loaded little, and the renderer not at all
    assert any(url.endswith("compose.js") for url in ours)
    assert not any("adaptivecards" in url for url in ours)
    assert sum(ours.values()) < BUDGET / 3
    # WHEN a card is shown, THEN even with the renderer it is within what is promised
    await page.open("#/compose")
    await page.as_card(json.dumps(QUESTION))
    await expect(page.region("Preview").locator(".ac-adaptiveCard")).to_be_visible()
    ours = {url: size for url, size in sizes.items() if "/api/ui" in url}
    assert any("adaptivecards" in url for url in ours)
    assert sum(ours.values()) < BUDGET
    # WHEN it is loaded again, THEN nothing but the page itself is asked for
    sizes.clear()
    await page.open()
    await page.page.wait_for_load_state("networkidle")
    assert sum(size for url, size in sizes.items() if "/api/ui" in url) < 2_000


async def test_100000_results_are_shown_and_searched_a_part_at_a_time(opened: Open, stack: Stack) -> None:
    send = await store_crowd(stack)
    page = await opened()
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url) if "/recipients" in request.url else None)
    start = time.monotonic()
    await page.open(f"#/sends/{send}")
    # THEN the first ones are there, and no more than that was asked for
    await expect(page.rows).to_have_count(50)
    await expect(page.region("Progress")).to_contain_text("100,000 of 100,000")
    await expect(page.region("Outcomes").get_by_role("img")).to_have_attribute(
        "aria-label", "200 Delivered: 99,000; 502 Refused by Teams: 1,000"
    )
    assert len(asked) <= 3
    assert time.monotonic() - start < 30
    # WHEN somebody turns the page and back again
    first = page.rows.first.locator(".name")
    await expect(first).to_have_text("person-0@contoso.com")
    await page.button("Next").click()
    await expect(first).to_have_text("person-50@contoso.com")
    await page.button("Previous").click()
    await expect(first).to_have_text("person-0@contoso.com")
    # AND looks for those it failed for
    await page.button(re.compile("^Failed")).click()
    await expect(first).to_have_text("person-99@contoso.com")
    # AND for one person far behind
    await page.button(re.compile("^All")).click()
    await page.page.get_by_label("Search the results").fill("person-13210@")
    await page.page.keyboard.press("Enter")
    await expect(first).to_have_text("person-13210@contoso.com", timeout=40_000)
    await expect(page.rows).to_have_count(1)
    # THEN the page never held more than a part
    assert await page.page.evaluate("document.querySelectorAll('*').length") < 2_500


async def store_crowd(stack: Stack) -> str:
    """Keep a send to 100,000 people that is over: every hundredth was refused. Return its id."""
    settings = Settings(
        storage=StorageAccount(connection_string=stack.storage),
        bots=(Bot(BOT),),
        local=True,
        public_url=stack.url,
    )
    service = Service(settings)
    now = time.time()
    send = Send(
        id="crowd" + "a" * 21, secret="s", content_hash="", bot=BOT, tenant="t", created_at=now - 60,
        send_at=None, options=Options(), activity={"type": "message", "text": "To everybody", "textFormat": "plain"},
        entries=CROWD, plan=FIRST_PLAN, total=CROWD, chunks=CROWD // SIZE, completed_at=now,
    )  # fmt: skip
    try:
        await service.sends.add(send)
        await service.sends.list_in_index(send)
        refused = Result(State.FAILED, 502, "BadSyntax", attempts=1, at=now)

        async def keep(number: int) -> None:
            them = range(number * SIZE, (number + 1) * SIZE)
            everybody = [Recipient(f"person-{one}@contoso.com", None) for one in them]
            results = {
                place: refused if one % 100 == 99 else Result(State.DELIVERED, 200, "", f"m{one}", f"c{one}", 1, now)
                for place, one in enumerate(them)
            }
            chunk = Chunk(send.id, FIRST_PLAN, number, everybody, results, marked=SIZE)
            await service.account.upsert("sends", row_of(chunk))

        for numbers in batched(range(CROWD // SIZE), 20, strict=False):
            await asyncio.gather(*(keep(number) for number in numbers))
    finally:
        await service.close()
    return send.id
