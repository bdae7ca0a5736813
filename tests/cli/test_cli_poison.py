"""Messages that waited for a person go back to the queue, and none is lost on the way."""

import asyncio
import base64
import json
import sys

import pytest
from azure.storage.queue import QueueServiceClient

from local.azurite import azurite
from proactive.cli import queues
from proactive.cli.queues import Queues, once, open_queues
from tests.cli.conftest import run
from tests.stack import Stack, until

SEND = {"recipients": ["ada@contoso.com"], "message": "Hello"}


@pytest.fixture
async def account():
    """A storage account on which nothing runs."""
    async with azurite(in_memory=True) as connection_string:
        yield connection_string


def made(account, *names):
    client = QueueServiceClient.from_connection_string(account)
    for name in names:
        client.create_queue(name)
    return client


def waiting(client, name):
    return [message.content for message in client.get_queue_client(name).peek_messages(max_messages=32)]


async def test_rejected_messages_are_shown_with_their_reasons_and_tried_again():
    settings = {"PROACTIVE_ALLOW_EVERYONE": "false"}
    async with Stack.running(settings=settings) as stack:
        (ada,) = await stack.join(1)
        env = {"PROACTIVE_URL": stack.url, "AzureWebJobsStorage": stack.storage}
        await stack.put(json.dumps({"recipients": [{"everyone": True}], "message": "Hello all"}))

        async def rejected():
            return (await run("rejected", "--json", env=env)).body["rejected"]

        (reason,) = await until(rejected)
        listed = await run("rejected", env=env)
        assert reason["poisonMessageId"] in listed.ok()
        assert "403" in listed.out

        # GIVEN what kept the message from being accepted is mended
        await stack.stop()
        stack.settings["PROACTIVE_ALLOW_EVERYONE"] = "true"
        await stack.start()
        env["PROACTIVE_URL"] = stack.url
        # WHEN it is redriven
        assert (await run("redrive", env=env)).code == 2
        said = await run("redrive", "--yes", env=env)
        # THEN the reason was shown, and the message is taken now
        assert reason["poisonMessageId"] in said.ok()
        assert "everyone" in said.out
        await stack.teams.wait_delivered(ada)
        assert stack.texts(ada) == ["Hello all"]
        assert await stack.peek("sends-poison") == []
        # AND there is nothing left to do
        assert "Nothing waits" in (await run("redrive", "--yes", env=env)).ok()


async def test_many_messages_are_moved_as_they_are(account):
    client = made(account, "sends", "sends-poison")
    contents = [f"message <{number}> & \u00fc" for number in range(70)]
    for content in contents:
        client.get_queue_client("sends-poison").send_message(content)

    said = await run("redrive", "--yes", "--json", env={"AzureWebJobsStorage": account})

    assert len(json.loads(said.ok())["moved"]) == 70
    assert waiting(client, "sends-poison") == []
    moved = client.get_queue_client("sends").receive_messages(messages_per_page=32, visibility_timeout=600)
    assert sorted(message.content for message in moved) == sorted(contents)


async def test_one_message_can_be_moved_alone_and_the_others_are_there_at_once(account):
    client = made(account, "sends", "sends-poison")
    ids = [client.get_queue_client("sends-poison").send_message(f"message {number}").id for number in range(3)]

    (await run("redrive", "--yes", "--id", ids[1], env={"AzureWebJobsStorage": account})).ok()

    assert waiting(client, "sends") == ["message 1"]
    assert sorted(waiting(client, "sends-poison")) == ["message 0", "message 2"]


async def test_what_comes_back_meanwhile_is_not_moved_for_ever(account):
    client = made(account, "sends", "sends-poison")
    poison = client.get_queue_client("sends-poison")
    for number in range(3):
        poison.send_message(f"message {number}")

    class Bouncing:
        """The service, which rejects at once what is put on `sends`."""

        sent = 0

        def send_message(self, content, **_):
            self.sent += 1
            poison.send_message(content)

    bouncing = Bouncing()
    Queues(poison, bouncing).move(())
    assert bouncing.sent == 3
    assert len(waiting(client, "sends-poison")) == 3


@pytest.mark.parametrize("step", ["send_message", "delete_message"])
async def test_a_kill_at_any_step_loses_nothing_and_a_send_still_counts_once(account, step, monkeypatch):
    client = made(account, "sends", "sends-poison")
    for number in range(3):
        client.get_queue_client("sends-poison").send_message(json.dumps({**SEND, "message": f"Hello {number}"}))
    monkeypatch.setattr(queues, "_HIDDEN", 1)
    # GIVEN a process that is killed before a step of the second message
    script = (
        "import os, sys\nfrom azure.storage.queue import QueueClient\n"
        f"real, calls = QueueClient.{step}, []\n"
        "def step(self, *args, **kwargs):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 2: os.kill(os.getpid(), 9)\n"
        "    return real(self, *args, **kwargs)\n"
        f"QueueClient.{step} = step\n"
        "from proactive.cli import queues\nqueues._HIDDEN = 1\n"
        "with queues.open_queues(sys.argv[1], '') as both: both.move(())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, account)
    assert await process.wait() == -9
    await asyncio.sleep(1.5)
    # WHEN it is done again
    with open_queues(account, "") as both:
        both.move(())
    # THEN every message is on the queue, and what is there twice is the same send by its key
    assert waiting(client, "sends-poison") == []
    sends = [json.loads(content) for content in waiting(client, "sends")]
    assert len(sends) == (4 if step == "delete_message" else 3)
    assert len({json.dumps(send, sort_keys=True) for send in sends}) == 3
    assert {send["message"] for send in sends} == {"Hello 0", "Hello 1", "Hello 2"}


def test_a_send_without_a_key_gets_one_and_nothing_else_changes():
    assert json.loads(once(json.dumps(SEND), "m1")) == {**SEND, "id": "redriven-m1"}
    assert once(' {"a": 1.10, "b": 1e400}', "m1") == ' {"id":"redriven-m1","a": 1.10, "b": 1e400}'
    encoded = once(base64.b64encode(json.dumps(SEND).encode()).decode(), "m1")
    assert json.loads(base64.b64decode(encoded)) == {**SEND, "id": "redriven-m1"}


@pytest.mark.parametrize(
    "content",
    [
        "nonsense", "", "{", "[]", "{}", "5", '"{}"', base64.b64encode(b"\xff").decode(),
        json.dumps({"id": "mine", **SEND}), json.dumps({"callbackUrl": "https://x", **SEND}),
        json.dumps({"specversion": "1.0", "id": "1", "data": SEND}), json.dumps([{"eventType": "x", "data": SEND}]),
        json.dumps({**SEND, "message": "x" * 65_470}),
    ],
)  # fmt: skip
def test_what_has_a_key_or_is_no_send_stays_as_it_is(content):
    assert once(content, "m1") == content


async def test_storage_that_refuses_or_is_away_is_told_without_its_key(account):
    wrong = account.replace("AccountKey=", "AccountKey=AAAA")
    said = await run("redrive", "--yes", env={"AzureWebJobsStorage": wrong})
    assert (said.code, said.out) == (3, "")
    assert "AAAA" not in said.err

    # GIVEN an account without the queue sends, WHEN a message is to go there
    client = made(account, "sends-poison")
    client.get_queue_client("sends-poison").send_message("x")
    said = await run("redrive", "--yes", env={"AzureWebJobsStorage": account})
    # THEN it stays where it is
    assert (said.code, "QueueNotFound" in said.err) == (3, True)
    assert client.get_queue_client("sends-poison").get_queue_properties().approximate_message_count == 1
