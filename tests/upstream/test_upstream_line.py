"""The line to the other bot by itself: bounds, and what stands in the log."""

import asyncio
import logging

import pytest

from proactive import upstream
from proactive.problems import ProblemError
from proactive.upstream import Upstream, answers_us, passed_on

ACTIVITY = {"type": "message", "text": "Ada earns 900"}


def passed(**fields):
    return passed_on({**ACTIVITY, **fields}, b"{}", "Bearer s3cret", "application/json")


@pytest.fixture
async def line(other):
    made = Upstream(other.url)
    yield made
    await made.close()


async def test_no_more_are_under_way_than_memory_bears(line, other, monkeypatch):
    monkeypatch.setattr(upstream, "_MOST", 2)
    other.delay = 1
    first, second = line.start(passed()), line.start(passed())
    assert (first is None, second is None, line.start(passed())) == (False, False, None)
    with pytest.raises(ProblemError) as refused:
        await line.ask(passed())
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "5"})
    await asyncio.gather(first, second)
    assert line.start(passed()) is not None


async def test_what_nobody_takes_is_given_up_and_the_log_says_so_without_its_content(monkeypatch, caplog):
    monkeypatch.setattr(upstream, "_TRIED_FOR", 0.3)
    monkeypatch.setattr(upstream, "_FIRST_PAUSE", 0.05)
    line = Upstream("http://127.0.0.1:9/api/messages?code=its-key")
    with caplog.at_level(logging.DEBUG, logger="proactive"):
        await line.start(passed(type="message"))
        await line.start(passed(type="Ada earns 900\n"))
    await line.close()
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors == [
        "an activity (message) was given up: the bot behind did not take it: connection",
        "an activity (of no known type) was given up: the bot behind did not take it: connection",
    ]
    assert not [word for word in ("s3cret", "its-key", "900") if word in caplog.text]


async def test_a_connection_that_is_lost_is_no_reason_to_repeat(caplog):
    asked = 0

    async def hang_up(reader, writer):
        nonlocal asked
        asked += 1
        await reader.read(100)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        line = Upstream(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/messages")
        await line.start(passed())
        with pytest.raises(ProblemError) as refused:
            await line.ask(passed())
        await line.close()
    assert (asked, refused.value.status) == (2, 502)


async def test_closing_gives_up_what_is_under_way(other):
    line = Upstream(other.url)
    other.delay = 5
    task = line.start(passed())
    await asyncio.sleep(0.1)
    await line.close()
    assert task.cancelled()


@pytest.mark.parametrize(
    ("activity", "ours"),
    [
        ({"type": "message", "text": "hello"}, False),
        ({"type": "message", "value": None}, False),
        ({"type": "message", "value": {"theirs": 1}}, False),
        ({"type": "message", "value": {"~proactive": "token.0"}}, True),
        ({"type": "message", "value": {"~proactive": 5}}, False),
        ({"type": "invoke", "name": "adaptiveCard/action", "value": {"action": {"data": {"~proactive": "t.1"}}}}, True),
        ({"type": "invoke", "name": "task/fetch", "value": {"action": {"data": {"~proactive": "t.1"}}}}, False),
        ({"type": "invoke", "name": "adaptiveCard/action", "value": {"action": None}}, False),
        ({"type": "invoke", "name": "adaptiveCard/action", "value": None}, False),
        ({"type": ["invoke"]}, False),
        ({}, False),
    ],
)
def test_an_answer_of_ours_is_told_by_its_mark(activity, ours):
    assert answers_us(activity) is ours
