"""Each flow of `docs/flows/` does what its page says: every one is run here, on a stack, as a platform would run it."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from local.teams import Fault
from tests.e2e.flow import Flows
from tests.flows.interpreter import FAILED, OURS, SUCCEEDED, Run
from tests.stack import Stack, ids, until

FOLDER = Path(__file__).parents[2] / "docs" / "flows"
FILES = sorted(path.name for path in FOLDER.glob("*.json"))
BOT = "default"


class Platform:
    """What runs flows."""

    def __init__(self, stack: Stack, flows: Flows) -> None:
        self.stack = stack
        self.flows = flows
        self.runs = 0
        self.ran: set[str] = set()

    def start(self, name: str, trigger: Any, *, others: Any = None) -> Run:
        """Return a run of a flow."""
        self.runs += 1
        self.ran.add(name)
        definition = json.loads((FOLDER / name).read_text(encoding="utf-8"))
        parameters = {"serviceUrl": self.stack.url, "functionKey": "a key", "$authentication": {}, "$connections": {}}
        assert set(definition["parameters"]) <= set(parameters)
        return Run(definition, self.stack, self.flows, trigger, parameters, others or {}, self.runs)

    async def run(self, name: str, trigger: Any, **more: Any) -> tuple[str, Run]:
        """Run a flow to its end."""
        run = self.start(name, trigger, **more)
        return await run.run(), run

    async def press(self, person: Any, title: str) -> None:
        """Press a button of the card that a person gets."""
        await self.stack.teams.wait_delivered(person, timeout=20)
        await (await self.stack.crowd()).press(person, title)


@pytest.fixture(scope="module")
async def platform(stack: Stack) -> AsyncIterator[Platform]:
    async with Flows().open() as flows:
        yield Platform(stack, flows)


def members(people: Any) -> dict[str, Any]:
    """Return what connectors that list people give."""
    return {"value": [{"id": one.object_id, "displayName": one.name, "userPrincipalName": one.upn} for one in people]}


# With the connector


async def test_a_message_is_posted(platform):
    people = await platform.stack.join(2)
    ended, run = await platform.run("message.json", {"text": "; ".join(ids(people)), "text_1": "Lunch is *ready*"})
    assert ended == SUCCEEDED
    assert run.output("Delivered")["statusCode"] == 200
    assert [platform.stack.texts(person) for person in people] == [["Lunch is *ready*"]] * 2
    assert "Not_delivered" not in run.actions


async def test_a_message_that_takes_long_is_waited_for(platform):
    (ada,) = await platform.stack.join(1)
    platform.stack.teams.fault(Fault(person=ada.object_id, operation="send", delay=6.5, times=1))
    ended, run = await platform.run("message.json", {"text": ada.object_id, "text_1": "Hello"})
    assert ended == SUCCEEDED
    assert [status for _, status in run.calls] == [202]
    assert run.output("Delivered")["statusCode"] == 200


async def test_a_message_to_somebody_without_the_bot_takes_the_other_branch(platform):
    (nobody,) = platform.stack.strangers(1)
    ended, run = await platform.run("message.json", {"text": nobody.object_id, "text_1": "Hello"})
    assert ended == FAILED
    assert run.actions["Post_message"].status == FAILED
    assert run.output("Not_delivered")["statusCode"] == 100


async def test_a_card_is_posted(platform):
    (ada,) = await platform.stack.join(1)
    ended, run = await platform.run("card.json", {"text": ada.object_id})
    assert (ended, run.output("Status_code")) == (SUCCEEDED, 200)
    (activity,) = platform.stack.got(ada)
    assert activity["attachments"][0]["content"]["body"][0]["text"] == "Order summary"
    (nobody,) = platform.stack.strangers(1)
    assert (await platform.run("card.json", {"text": nobody.object_id}))[0] == FAILED


@pytest.mark.parametrize(("title", "action"), [("Submit Order", "Submitted_by"), ("Edit Order", "To_be_edited_by")])
@pytest.mark.parametrize("name", ["card-and-wait.json", "ask-by-webhook.json"])
async def test_a_card_is_waited_for_and_its_button_decides(platform, name, title, action):
    (ada,) = await platform.stack.join(1, named=True)
    run = platform.start(name, {"text": ada.object_id, "recipient": ada.object_id})
    ended, _ = await asyncio.gather(run.run(), platform.press(ada, title))
    assert ended == SUCCEEDED
    assert run.output(action) == ada.name
    assert not {"No_response", "No_answer", "Not_delivered"} & set(run.actions)


@pytest.mark.parametrize("name", ["card-and-wait.json", "ask-by-webhook.json"])
async def test_a_card_that_cannot_be_delivered_fails_at_once(platform, name):
    (nobody,) = platform.stack.strangers(1)
    ended, run = await platform.run(name, {"text": nobody.object_id, "recipient": nobody.object_id})
    (waiting,) = [done for action, done in run.actions.items() if action in ("Post_card_and_wait", "Ask_and_wait")]
    assert waiting.status == FAILED
    assert waiting.outputs["statusCode"] == 424
    assert ended == FAILED


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("teammates.json", lambda people: {"GetTeam": {"id": "team-1"}, "ListGroupMembers": members(people)}),
        ("security-group.json", lambda people: {"GetGroupMembers": members(people)}),
    ],
)
async def test_members_are_written_to_in_one_call(platform, name, others):
    people = await platform.stack.join(3, named=True)
    strangers = platform.stack.strangers(1)
    ended, run = await platform.run(name, {"text": "an-id"}, others=others([*people, *strangers]))
    assert ended == SUCCEEDED
    assert run.output("Reached") == {"delivered": 3, "of": 4}
    assert len(run.calls) == 1
    assert all(len(platform.stack.got(person)) == 1 for person in people)


async def test_many_are_written_to_in_parallel(platform):
    people = await platform.stack.join(12)
    (nobody,) = platform.stack.strangers(1)
    trigger = {"text": "; ".join(ids([*people, nobody])), "text_1": "Hello"}
    ended, run = await platform.run("in-parallel.json", trigger)
    assert ended == SUCCEEDED
    assert run.output("Who_was_not_reached") == [{"recipient": nobody.object_id, "statusCode": 100}]
    assert all(platform.stack.texts(person) == ["Hello"] for person in people)
    assert len(run.calls) == 13
    assert 2 < run.most_at_once <= 20


async def test_an_active_chat_is_tried_again_until_it_is_idle(platform):
    (ada,) = await platform.stack.join(1)
    await (await platform.stack.crowd()).write(ada, "Hi")
    run = platform.start("retry-by-status-code.json", {"text": ada.object_id, "text_1": "Hello"})
    running = asyncio.create_task(run.run())

    async def tried() -> bool:
        return len(run.calls) >= 2

    await until(tried)
    idle = f"/api/ops/bots/{BOT}/users/{ada.object_id}/idle"
    assert (await platform.stack.request("POST", idle)).status == 204
    assert await running == SUCCEEDED
    assert run.output("Log_the_delivery") == f"{ada.object_id} has got the message"
    assert platform.stack.texts(ada) == ["Hello"]


async def test_a_chat_that_stays_active_ends_the_run(platform):
    (ada,) = await platform.stack.join(1)
    await (await platform.stack.crowd()).write(ada, "Hi")
    run = platform.start("retry-by-status-code.json", {"text": ada.object_id, "text_1": "Hello"})
    run.definition["actions"]["Until_there_is_nothing_to_try"]["limit"]["count"] = 2
    assert await run.run() == FAILED
    assert len(run.calls) == 2
    assert platform.stack.texts(ada) == []


async def test_who_lacks_the_bot_is_not_tried_again(platform):
    (nobody,) = platform.stack.strangers(1)
    ended, run = await platform.run("retry-by-status-code.json", {"text": nobody.object_id, "text_1": "Hello"})
    assert ended == SUCCEEDED
    assert len(run.calls) == 1
    assert run.output("Log_who_lacks_the_bot") == f"{nobody.object_id} does not have the bot"


# With HTTP


async def test_http_posts_a_message_and_branches_on_the_status_code(platform):
    (ada,) = await platform.stack.join(1)
    (nobody,) = platform.stack.strangers(1)
    ended, run = await platform.run("http-message.json", {"recipient": ada.object_id})
    assert ended == SUCCEEDED
    assert run.output("Log_the_delivery")
    await (await platform.stack.crowd()).write(ada, "Hi")
    _, run = await platform.run("http-message.json", {"recipient": ada.object_id})
    assert run.output("Log_who_is_talking") == ada.object_id
    _, run = await platform.run("http-message.json", {"recipient": nobody.object_id})
    assert run.output("Log_who_lacks_the_bot") == "notInstalled"


async def test_http_posts_a_card(platform):
    (ada,) = await platform.stack.join(1)
    ended, run = await platform.run("http-card.json", {"recipient": ada.object_id})
    assert (ended, run.output("Status_code")) == (SUCCEEDED, 200)
    assert platform.stack.got(ada)[0]["attachments"][0]["content"]["body"][0]["text"] == "Order summary"


async def test_http_posts_to_many_in_one_call(platform):
    people = await platform.stack.join(8)
    (nobody,) = platform.stack.strangers(1)
    trigger = {"recipients": ids([*people, nobody]), "message": "Hello"}
    ended, run = await platform.run("http-in-parallel.json", trigger)
    assert ended == SUCCEEDED
    assert run.output("Who_was_not_reached") == [{"recipient": nobody.object_id, "statusCode": 100}]
    assert all(platform.stack.texts(person) == ["Hello"] for person in people)


@pytest.mark.parametrize(("title", "action"), [("Submit Order", "Submitted_by"), ("Edit Order", "Outcome_and_answer")])
async def test_http_polls_for_the_answer(platform, title, action):
    (ada,) = await platform.stack.join(1, named=True)
    run = platform.start("ask-by-polling.json", {"recipient": ada.object_id})
    ended, _ = await asyncio.gather(run.run(), platform.press(ada, title))
    assert ended == SUCCEEDED
    expected: Any = {"outcome": "responded", "submitActionId": title} if action == "Outcome_and_answer" else ada.name
    assert run.output(action) == expected


async def test_http_fails_where_the_card_reaches_nobody(platform):
    (nobody,) = platform.stack.strangers(1)
    ended, run = await platform.run("ask-by-polling.json", {"recipient": nobody.object_id})
    assert ended == FAILED
    assert run.output("Ask")["statusCode"] == 424


# All of them


async def test_each_flow_is_run_here(platform):
    """Reads what the tests above ran: it comes last, and says something only when they all ran."""
    if platform.runs < 15:
        pytest.skip("only some of this file's tests ran")
    assert platform.ran == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_flow_is_a_definition_that_can_be_pasted(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    definition = json.loads(text)
    assert text == json.dumps(definition, indent=2, ensure_ascii=False) + "\n"
    assert definition["$schema"].endswith("/2016-06-01/workflowdefinition.json#")
    assert len(definition["triggers"]) == 1
    for action in every_action(definition["actions"]):
        assert isinstance(action["type"], str)
        assert isinstance(action.get("runAfter"), dict)
        if "host" in action.get("inputs", ()):
            host = action["inputs"]["host"]
            assert host["apiId"].endswith(host["connectionName"])
            assert host["connectionName"] in (OURS, "shared_teams", "shared_office365groups", "shared_azuread")


def every_action(actions: Any) -> list[Any]:
    found = []
    for action in copy.deepcopy(list(actions.values())):
        found.append(action)
        for inner in (action, action.get("else", {}), action.get("default", {}), *action.get("cases", {}).values()):
            found += every_action(inner.get("actions", {}))
    return found


def test_the_page_tells_of_each_flow():
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in FILES if f"]({name})" not in page] == []
