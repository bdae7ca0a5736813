"""Callbacks: tried again for a day, given up when they are refused, and never lost by a crash."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from local.teams import Crowd, Person
from proactive import report
from proactive.accept import accept
from proactive.callback import next_delay
from proactive.outbound import Answer, Outbound
from proactive.store.account import Account
from proactive.store.answers import Answers
from proactive.store.callbacks import Callback, Callbacks
from tests.delivery.conftest import CrashError, crash_at
from tests.waiting.conftest import Flow, House

type Ask = Callable[..., Any]


async def test_a_send_that_waits_for_nothing_calls_back_when_it_is_delivered(
    house: House, people: list[Person], flow: Flow
) -> None:
    await house.knows(people)
    recipients = [person.object_id for person in people]
    send = await accept(house.service, {"recipients": recipients, "message": "hello", "callbackUrl": flow.url})
    await house.drain()
    assert flow.got == []  # not before the subscription has been answered for a while

    await house.advance(10)

    ((headers, body),) = flow.got
    assert headers["webhook-id"] == f"{send.id}.completed"
    assert (body["outcome"], body["counts"]["delivered"]) == ("completed", 6)


async def test_a_host_that_is_down_for_an_hour_still_gets_it(
    house: House, crowd: Crowd, people: list[Person], flow: Flow, ask: Ask
) -> None:
    send = await ask(people[:1])
    flow.always = 503
    await crowd.press(people[0], "Submit Order")
    await house.advance(3600)
    tried = len(flow.got)
    flow.always = 202
    await house.advance(3 * 3600)

    assert tried >= 4
    assert len(flow.got) == tried + 1
    assert len(flow.accepted) == 1
    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    assert outcome.body["callback"]["state"] == "accepted"
    assert [attempt["statusCode"] for attempt in outcome.body["callback"]["attempts"]] == [503] * tried + [202]


@pytest.mark.parametrize("status", [400, 401, 403, 410, 302])
async def test_what_is_refused_is_not_called_again(
    house: House, crowd: Crowd, people: list[Person], flow: Flow, ask: Ask, status: int
) -> None:
    send = await ask(people[:1])
    flow.always = status
    await crowd.press(people[0], "Submit Order")
    await house.advance(2 * 86_400)

    assert len(flow.got) == 1
    outcome = await report.outcome(house.service, await house.kept(send))
    assert outcome
    assert outcome.body["submitActionId"] == "Submit Order"
    assert outcome.body["callback"]["state"] == "givenUp"


@pytest.mark.parametrize("status", [404, 409])
async def test_a_flow_that_is_not_ready_has_two_minutes(
    house: House, crowd: Crowd, people: list[Person], flow: Flow, ask: Ask, status: int
) -> None:
    await ask(people[:1])
    flow.always = status
    await crowd.press(people[0], "Submit Order")
    await house.advance(86_400)
    assert 5 <= len(flow.got) <= 8

    assert next_delay(Callback("s", "e", attempts=[(0, 404, ""), (60, 404, "")]), Answer(404)) is not None
    assert next_delay(Callback("s", "e", attempts=[(0, 404, ""), (121, 404, "")]), Answer(404)) is None


def test_the_schedule_lasts_a_day_and_honours_retry_after() -> None:
    callback = Callback("s", "e")
    now = 0.0
    pauses = []
    while True:
        callback.attempts.append((now, 503, ""))
        delay = next_delay(callback, Answer(503))
        if delay is None:
            break
        now += delay
        pauses.append(delay)
    assert 3 < pauses[0] < 20 < pauses[1] < pauses[2] < pauses[3] < pauses[4]
    assert now >= 0.8 * 27 * 3600
    assert next_delay(Callback("s", "e", attempts=[(0.0, 429, "")]), Answer(429, retry_after=500)) == 500
    assert next_delay(Callback("s", "e", attempts=[(0.0, None, "timeout")]), Answer(None, "timeout")) is not None


async def test_callbacks_do_not_wait_for_each_other(
    house: House, crowd: Crowd, people: list[Person], flow: Flow, ask: Ask
) -> None:
    await ask(people[:1])
    flow.answers = [500]
    await crowd.press(people[0], "Submit Order")
    await house.advance(4)
    assert len(flow.got) == 1
    await ask(people[1:2])

    await crowd.press(people[1], "Edit Order")
    await house.advance(4)

    assert "Edit Order" in {body["submitActionId"] for _, body in flow.got[1:]}


@pytest.mark.parametrize("when", ["first", "all", "each"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("owner", "method", "nth"),
    [
        (Account, "put", 1),
        (Answers, "add", 1),
        (Account, "put", 2),
        (Account, "put", 3),
        (Account, "put", 4),
        (Callbacks, "save", 1),
        (Outbound, "post", 1),
        (Callbacks, "save", 2),
        (Account, "take_back", 1),
        (Account, "take_back", 2),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_a_crash_between_answer_and_callback_loses_nothing(
    house: House,
    crowd: Crowd,
    people: list[Person],
    flow: Flow,
    ask: Ask,
    owner: type,
    method: str,
    nth: int,
    after: bool,
    when: str,
) -> None:
    send = await ask(people[:1], completeWhen=when)
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, owner, method, nth, after=after)
        posted = await crowd.press(people[0], "Submit Order")
        with contextlib.suppress(CrashError):
            await house.advance(20)
    if posted.status != 200:
        await crowd.repeat(posted)  # Teams posts an activity again that had no answer

    await house.advance(1200)

    told = {event.rpartition(".")[2] for event in flow.accepted}
    assert {event for event in told if not event.startswith("response")} == {"completed"}
    assert sum(event.startswith("response") for event in told) == (when == "each")
    answers, _ = await report.responses(house.service, send)
    assert len(answers) == 1
    assert house.teams.delivered(people[0])[-1]["text"] == "Thanks for your response!"
