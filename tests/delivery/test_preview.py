"""A dry run tells what would become of a send, and does nothing."""

from typing import Any

import pytest

from local.teams import Person, TeamsStandIn
from proactive import preview as previewing
from proactive.accept import accept
from proactive.content import activity_of, encode
from proactive.model import Options, State
from proactive.preview import preview
from proactive.problems import ProblemError
from proactive.settle import unsent
from proactive.store.account import Account
from proactive.store.conversations import Conversation
from tests.delivery.conftest import Clock, House


async def dry(house: House, recipients: list[Any], *, operator: bool = False, **fields: Any) -> dict[str, Any]:
    body = {"recipients": recipients, "message": "hello", "dryRun": True, **fields}
    return await preview(house.service, body, operator=operator)


async def test_it_tells_who_would_get_it_and_does_nothing(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.knows(people[:4])
    await house.knows(people[4:5], last_message_at=clock())
    await house.knows(people[5:6], installed=False)
    for name in ("insert", "upsert", "update", "transaction", "put"):
        monkeypatch.setattr(Account, name, None)
    recipients = [person.object_id for person in people[:7]]

    told = await dry(
        house,
        [*recipients, recipients[0], "Nobody", "no@contoso.com"],
        options={"ifChatIsActive": "dontSendAndFail"},
    )

    assert told["counts"] == {
        "total": 9, "wouldSend": 4, "wouldAsk": 0, "wouldInstall": 0, "postponed": 0, "notInstalled": 3,
        "chatActive": 1, "failed": 1,
    }  # fmt: skip
    shown = {row["recipient"]: (row["state"], row["statusCode"], row["reason"]) for row in told["recipients"]}
    assert shown[recipients[0]] == ("wouldSend", None, None)
    assert shown[recipients[4]] == ("chatActive", 300, "chatActive")
    assert shown[recipients[5]] == shown[recipients[6]] == ("notInstalled", 100, "notInstalled")
    assert shown["Nobody"] == ("failed", 404, "unknownRecipient")
    assert (told["dryRun"], told["bot"], told["tenant"]) == (True, house.bot, people[0].tenant_id)
    assert (told["complete"], told["inTime"]) == (True, True)
    assert not teams.received


async def test_it_counts_bytes_as_teams_does_and_the_seconds_that_it_takes(house: House, people: list[Person]) -> None:
    await house.knows(people)
    told = await dry(house, [person.object_id for person in people], message="grüß 🎉", options={"parallelism": 2})

    sent = encode(activity_of("grüß 🎉")).decode()
    assert told["message"] == {"format": "markdown", "bytes": len(sent.encode("utf-16-le")), "most": 102_400}
    assert told["seconds"] == 60 * 0.3 / 2
    within = await dry(house, [person.object_id for person in people], options={"parallelism": 50})
    assert within["seconds"] == round(60 * 0.3 / 50, 1)


async def test_it_is_for_everyone_in_bounded_memory(
    house: House, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.knows(people)
    body = [people[0].object_id, {"everyone": True}]
    everyone = await dry(house, body, operator=True)
    assert (everyone["counts"]["total"], everyone["counts"]["wouldSend"], everyone["complete"]) == (60, 60, True)

    monkeypatch.setattr(previewing, "_FIRST", 10)
    monkeypatch.setattr(previewing, "_MOST", 25)
    monkeypatch.setattr(previewing, "_BATCH", 7)
    some = await dry(house, body, operator=True)

    assert (some["counts"]["total"], len(some["recipients"]), some["complete"]) == (25, 10, False)


async def test_it_refuses_what_a_send_refuses(house: House, people: list[Person]) -> None:
    await house.knows(people[:1])
    for fields, status in (
        ({"message": ""}, 400),
        ({"bot": "unknown"}, 400),
        ({"message": "x" * 60_000}, 413),
        ({"recipients": [{"everyone": True}]}, 403),
        ({"callbackUrl": "http://example.com"}, 400),
        ({"dryRun": "yes"}, 400),
    ):
        with pytest.raises(ProblemError) as refusal:
            await dry(house, **{"recipients": ["ada"], **fields})  # type: ignore[arg-type]
        assert refusal.value.status == status, fields


async def test_on_the_queue_it_is_refused_since_nobody_would_read_the_answer(
    house: House, people: list[Person]
) -> None:
    await house.knows(people[:1])
    with pytest.raises(ProblemError) as refusal:
        await accept(house.service, {"recipients": [people[0].object_id], "message": "hello", "dryRun": True})

    assert [error.pointer for error in refusal.value.errors] == ["/dryRun"]


@pytest.mark.parametrize(
    ("option", "state"),
    [
        ("send", None),
        ("dontSendAndSucceed", State.CHAT_ACTIVE),
        ("dontSendAndFail", State.CHAT_ACTIVE),
        ("postpone", State.POSTPONED),
    ],
)
def test_what_an_active_chat_comes_to_is_the_options_affair(option: Any, state: State | None) -> None:
    person = Conversation("u", conversation_id="c", installed=True, last_message_at=1000.0)
    result = unsent(person, Options(if_chat_is_active=option), 1060.0, 30, asks=False)
    assert (result.state if result else None) is state
