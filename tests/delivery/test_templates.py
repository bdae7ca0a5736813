"""Templates with data: each person gets the card that the person's data make, asked and answered like any other."""

import json
from typing import Any

import pytest

from local.teams import Fault, Person, TeamsStandIn
from proactive import marks, report, transcript, verbs
from proactive.accept import accept
from proactive.model import Send
from proactive.preview import preview
from proactive.problems import ProblemError
from proactive.respond import Given, respond
from proactive.store.chunks import DATA
from proactive.updates import Card
from tests.delivery.conftest import Clock, House

CARD: dict[str, Any] = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [
        {"type": "TextBlock", "text": "Hi ${name}, order ${id} costs ${formatNumber(price, 2)}"},
        {"type": "FactSet", "facts": [{"$data": "${lines}", "title": "${count}x", "value": "${what}"}]},
        {"type": "TextBlock", "text": "Thanks!", "$when": "${loyal}"},
    ],
}
COMMON: dict[str, Any] = {"price": 5, "lines": [{"count": 1, "what": "Tea"}], "loyal": False}
ASKING: dict[str, Any] = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [{"type": "TextBlock", "text": "${question}"}],
    "actions": [
        {"$data": "${choices}", "type": "Action.Submit", "title": "Take ${$data}", "data": {"choice": "${$index}"}},
        {
            "type": "Action.Submit",
            "title": "Nothing for ${recipient.displayName}",
            "id": "none",
            "$when": "${optional}",
        },
    ],
}


def to(person: Person, **data: Any) -> dict[str, Any]:
    return {"user": person.object_id, "data": data}


def card_of(teams: TeamsStandIn, person: Person, at: int = 0) -> dict[str, Any]:
    card: dict[str, Any] = teams.delivered(person)[at]["attachments"][0]["content"]
    return card


async def send(house: House, recipients: Any, **body: Any) -> Send:
    return await accept(house.service, {"recipients": recipients, **body})


async def results(house: House, send: Send) -> dict[str, dict[str, Any]]:
    rows, _ = await report.results(house.service, await house.kept(send), top=1000)
    return {row["userId"]: row for row in rows}


async def refused(house: House, **body: Any) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        await accept(house.service, {"recipients": ["a@contoso.com"], **body})
    return caught.value


# What is delivered


async def test_each_person_gets_the_card_that_the_persons_own_data_make(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada, bob, eve = people[:3]
    await house.knows(people)
    recipients = [to(ada, name="Ada", id=1, loyal=True), to(bob, name="Bob", id=2, price=7.5), eve.object_id]
    await send(house, recipients, card=CARD, data={**COMMON, "name": "you", "id": 0}, summary="Order ${id}")
    await house.drain()

    assert card_of(teams, ada) == {
        "type": "AdaptiveCard",
        "version": "1.5",
        "body": [
            {"type": "TextBlock", "text": "Hi Ada, order 1 costs 5.00"},
            {"type": "FactSet", "facts": [{"title": "1x", "value": "Tea"}]},
            {"type": "TextBlock", "text": "Thanks!"},
        ],
    }
    assert card_of(teams, bob)["body"][0]["text"] == "Hi Bob, order 2 costs 7.50"
    assert card_of(teams, eve)["body"][0]["text"] == "Hi you, order 0 costs 5.00"
    assert [teams.delivered(person)[0]["summary"] for person in (ada, bob, eve)] == ["Order 1", "Order 2", "Order 0"]


async def test_a_message_is_a_template_with_data_and_literal_without(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada, bob = people[:2]
    await house.knows(people[:2], name="Known Name", mail="known@contoso.com")
    message = {"text": "${greeting} ${recipient.displayName} <${recipient.mail}>", "format": "plain"}
    await send(house, [ada.object_id], message=message, data={"greeting": "Hi"})
    await send(house, [bob.object_id], message=message)
    await house.drain()
    assert teams.delivered(ada)[0]["text"] == "Hi Known Name <known@contoso.com>"
    assert teams.delivered(ada)[0]["textFormat"] == "plain"
    assert teams.delivered(bob)[0]["text"] == message["text"]


async def test_who_gets_it_is_known_as_the_sender_wrote_it_and_as_the_bot_knows_the_person(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada = people[0]
    await house.knows([ada], name="Ada Lovelace", principal_name="ada@contoso.com")
    text = "${recipient.name}|${recipient.objectId}|${recipient.userPrincipalName}|${recipient.mail}|"
    await send(house, [ada.object_id.upper()], message=text, data={})
    await house.drain()
    assert teams.delivered(ada)[0]["text"] == f"{ada.object_id.upper()}|{ada.object_id}|ada@contoso.com||"


async def test_one_whose_data_do_not_fit_harms_nobody_else(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada, bob, eve, max_ = people[:4]
    await house.knows(people)
    recipients = [
        to(ada, name="Ada", id=1, price="dear"),
        to(bob, name="Bob", id=2),
        to(eve, name="x" * 60_000, id=3),
        to(max_, name="Max", id=4),
    ]
    sent = await send(house, recipients, card=CARD, data=COMMON)
    await house.drain()
    found = await results(house, sent)
    assert [(found[p.object_id]["state"], found[p.object_id]["statusCode"]) for p in (ada, bob, eve, max_)] == [
        ("failed", 502), ("delivered", 200), ("failed", 413), ("delivered", 200),
    ]  # fmt: skip
    assert found[ada.object_id]["reason"] == "templateError"
    assert found[eve.object_id]["reason"] == "filledTooLarge"
    assert found[ada.object_id]["attempts"] == 0
    assert teams.delivered(ada) == teams.delivered(eve) == []
    assert (await house.kept(sent)).completed_at


async def test_the_first_data_of_somebody_who_is_named_twice_count(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada = people[0]
    await house.knows([ada])
    await send(house, [to(ada, n=1), to(ada, n=2), ada.object_id], message="${n}", data={"n": 3})
    await house.drain()
    assert [activity["text"] for activity in teams.delivered(ada)] == ["1"]


async def test_much_data_is_cut_to_what_rows_and_transactions_hold(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await house.knows(people)
    long = "".join(chr(0x4E00 + n % 20_000) for n in range(20_000))  # 60 KB that hardly compress
    recipients = [to(person, n=n, long=f"{n}{long}") for n, person in enumerate(people)]
    sent = await send(house, recipients, message="${n} ${substring(long, 0, 1)}", data={})
    assert not sent.plan  # 3.6 MB: more than the one transaction of an accepted send may hold
    await house.drain()
    assert [teams.delivered(person)[0]["text"] for person in people] == [f"{n} {str(n)[0]}" for n in range(len(people))]
    kept = await house.kept(sent)
    assert kept.chunks == -(-len(people) // (DATA // 60_100))

    teams.clear_faults()
    again = await verbs.update(house.service, kept, {"message": "${n} again", "data": {}}, key=None)
    await house.drain()
    assert [teams.delivered(person)[-1]["text"] for person in people] == [f"{n} again" for n in range(len(people))]
    assert (await house.kept(again)).completed_at


async def test_what_is_scheduled_or_for_many_keeps_each_persons_data(
    house: House, teams: TeamsStandIn, people: list[Person], clock: Clock
) -> None:
    await house.knows(people)
    recipients = [to(person, n=n) for n, person in enumerate(people[:3])] + [{"user": people[3].object_id}]
    await send(
        house, recipients, message="${n} at ${utcNow('HH:mm')}", data={"n": "none"}, sendAt="2000-01-01T00:00:00Z"
    )
    later = report.write_moment(clock() + 3600)
    await send(house, recipients, message="later ${n}", data={"n": "none"}, sendAt=later)
    await house.drain()
    await house.advance(3700)
    assert [[a["text"].split(" at")[0] for a in teams.delivered(p)] for p in people[:4]] == [
        ["0", "later 0"], ["1", "later 1"], ["2", "later 2"], ["none", "later none"],
    ]  # fmt: skip


# Verbs


async def test_a_retry_fills_each_persons_data_again(house: House, teams: TeamsStandIn, people: list[Person]) -> None:
    ada, bob = people[:2]
    await house.knows([ada])
    teams.fault(Fault(status=400, person=ada.object_id, operation="send"))
    recipients = [to(ada, name="Ada", id=1), {"user": "late@contoso.com", "data": {"name": "Bob", "id": 2}}]
    sent = await send(house, recipients, card=CARD, data=COMMON)
    await house.drain()
    assert await house.states(sent) == ["failed", "notInstalled"]
    teams.clear_faults()
    again = await verbs.retry(house.service, await house.kept(sent))
    await house.drain()
    assert (await results(house, again))[ada.object_id]["state"] == "delivered"
    assert card_of(teams, ada)["body"][0]["text"] == "Hi Ada, order 1 costs 5.00"
    assert teams.delivered(bob) == []


async def test_an_update_is_filled_with_its_own_data_and_each_persons(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada, bob = people[:2]
    await house.knows(people)
    sent = await send(house, [to(ada, id=1), to(bob, id=2)], message="Order ${id}", data={})
    await house.drain()
    body = {"message": "Order ${addOrdinal(id)} is ${state}", "data": {"state": "ready"}}
    await verbs.update(house.service, await house.kept(sent), body, key=None)
    await house.drain()
    assert [teams.delivered(person)[-1]["text"] for person in (ada, bob)] == [
        "Order 1st is ready",
        "Order 2nd is ready",
    ]
    plain = await verbs.update(house.service, await house.kept(sent), {"message": "${id}"}, key="plain")
    await house.drain()
    assert [teams.delivered(person)[-1]["text"] for person in (ada, bob)] == ["${id}", "${id}"]
    assert [
        chunk.people[0].data async for chunk in house.service.chunks.read(plain.id, (await house.kept(plain)).plan)
    ] == [None]


# Waiting


async def test_the_wording_and_data_of_a_filled_action_come_back(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada, bob = people[:2]
    await house.knows(people[:2], name="Known")
    recipients = [to(ada, choices=["tea", "cake"], optional=True), to(bob, choices=["soup"], optional=False)]
    sent = await send(house, recipients, card=ASKING, data={"question": "Lunch?"}, wait={"completeWhen": "all"})
    await house.drain()
    assert [a["title"] for a in card_of(teams, ada)["actions"]] == ["Take tea", "Take cake", "Nothing for Known"]
    assert [a["title"] for a in card_of(teams, bob)["actions"]] == ["Take soup"]

    async def press(person: Person, at: int) -> None:
        activity = teams.delivered(person)[0]
        answer = marks.read(activity["attachments"][0]["content"]["actions"][at]["data"])
        card = Card(teams.service_url, person.conversation_id, activity["id"])
        given = Given(house.bot, person.tenant_id, person.object_id, "Name", card, answer)
        assert (await respond(house.service, given)).instead == "answered"

    await press(ada, 1)
    await press(bob, 0)
    await house.drain()
    found = await results(house, sent)
    responses = [found[person.object_id]["response"] for person in (ada, bob)]
    assert [(r["submitActionId"], r["data"]) for r in responses] == [
        ("Take cake", {"choice": 1}),
        ("Take soup", {"choice": 0}),
    ]
    assert teams.delivered(ada)[-1]["text"] == "Thanks for your response!"


async def test_an_update_of_a_question_can_be_answered_as_well(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada = people[0]
    await house.knows([ada])
    data = {"question": "Lunch?", "choices": ["tea"], "optional": False}
    sent = await send(house, [to(ada, choices=["tea", "cake"])], card=ASKING, data=data, wait={})
    await house.drain()
    body = {"card": ASKING, "data": {**data, "question": "Still?"}}
    await verbs.update(house.service, await house.kept(sent), body, key=None)
    await house.drain()
    activity = teams.delivered(ada)[-1]
    card = activity["attachments"][0]["content"]
    assert card["body"][0]["text"] == "Still?"
    where = Card(teams.service_url, ada.conversation_id, teams.delivered(ada)[0]["id"])
    answer = marks.read(card["actions"][1]["data"])
    shown = await respond(house.service, Given(house.bot, ada.tenant_id, ada.object_id, "", where, answer))
    assert shown.instead == "answered"
    assert (await results(house, sent))[ada.object_id]["response"]["submitActionId"] == "Take cake"


# What is refused, and what would become of it


async def test_a_template_that_fits_nobody_is_refused_with_its_place_and_its_expression(house: House) -> None:
    data = {**COMMON, "name": "Ada", "id": 1, "price": "dear"}
    problem = await refused(house, card=CARD, data=data)
    assert problem.status == 400
    (error,) = problem.errors
    assert error.pointer == "/card/body/0/text"
    assert "${formatNumber(price, 2)}" in error.detail

    twice = [{"user": f"{n}@contoso.com", "data": {"price": "dear"}} for n in range(2)]
    assert (await refused(house, recipients=twice, card=CARD)).status == 400


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"card": {**CARD, "body": [{"type": "TextBlock", "text": "${a +}"}]}}, 400, "/card/body/0/text"),
        ({"card": {**CARD, "body": "${none}"}, "data": {"none": 5}}, 400, "/card/body"),
        ({"card": {**CARD, "body": ["${e}"]}, "data": {"e": {"text": "no type"}}}, 400, "/card/body/0/type"),
        ({"card": {**CARD, "$when": "${1 > 2}"}}, 400, "/card"),
        ({"card": {**CARD, "body": []}, "wait": {}}, 400, "/card"),
        ({"message": "${x}", "data": {"x": "x" * 60_000}}, 413, "/message"),
        ({"message": "${x}", "data": {"x": ""}}, 400, "/message"),
        ({"message": "${shout(1)}"}, 400, "/message"),
        ({"message": "a", "summary": "${1 +}"}, 400, "/summary"),
        ({"message": "a", "wait": None, "data": []}, 400, "/data"),
    ],
)
async def test_a_filled_message_is_checked_like_any_other(
    house: House, people: list[Person], body: dict[str, Any], status: int, pointer: str
) -> None:
    await house.knows(people[:1])
    problem = await refused(house, **{"data": {}, **body})
    assert problem.status == status
    assert pointer in [error.pointer for error in problem.errors]


async def test_what_is_not_known_yet_of_a_recipient_refuses_nobody(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    ada, bob = people[:2]
    await house.knows([ada], mail="ada@contoso.com")
    await house.knows([bob])
    text = "${substring(recipient.mail, 0, indexOf(recipient.mail, '@'))}"
    sent = await send(house, [ada.object_id, bob.object_id], message=text, data={})
    await house.drain()
    assert teams.delivered(ada)[0]["text"] == "ada"
    assert (await results(house, sent))[bob.object_id]["reason"] == "templateError"


async def test_a_dry_run_measures_what_is_filled_and_tells_whose_data_do_not_fit(
    house: House, people: list[Person]
) -> None:
    await house.knows(people)
    ada, bob = people[:2]
    recipients = [to(ada, name="Ada", id=1), to(bob, name="B" * 1000, id=2), to(people[2], price="dear")]
    body = {"recipients": recipients, "card": CARD, "data": COMMON, "dryRun": True}
    told = await preview(house.service, body, operator=False)
    assert told["counts"]["wouldSend"] == 2
    assert told["counts"]["failed"] == 1
    assert told["recipients"][2]["reason"] == "templateError"
    assert 2500 < told["message"]["bytes"] < 4000


async def test_a_card_without_expressions_keeps_no_data_and_is_encoded_once(
    house: House, teams: TeamsStandIn, people: list[Person]
) -> None:
    await house.knows(people[:2])
    card = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": r"\${plain}"}]}
    sent = await send(house, [to(people[0], a=1), people[1].object_id], card=card, data={"b": 2})
    kept = await house.kept(sent)
    assert kept.data is None
    chunk = await house.service.chunks.get(sent.id, kept.plan, 0)
    assert chunk
    assert [person.data for person in chunk.people] == [None, None]
    await house.drain()
    assert card_of(teams, people[0])["body"][0]["text"] == "${plain}"


async def test_the_same_key_with_other_data_is_another_content(house: House, people: list[Person]) -> None:
    await house.knows(people[:1])
    body = {"recipients": [people[0].object_id], "message": "${n}", "data": {"n": 1}}
    first = await accept(house.service, body, key="k")
    assert (await accept(house.service, body, key="k")).id == first.id
    with pytest.raises(ProblemError) as caught:
        await accept(house.service, {**body, "data": {"n": 2}}, key="k")
    assert caught.value.status == 422


async def test_a_transcript_shows_what_the_person_got(house: House, people: list[Person]) -> None:
    ada = people[0]
    await house.knows([ada], name="Ada")
    await send(house, [to(ada, n=7)], message="${n} for ${recipient.displayName}", data={})
    await house.drain()
    known = await house.service.conversations.get(house.bot, ada.tenant_id, ada.object_id)
    subject = transcript.subject_of(ada.object_id, known)
    page = await transcript.messages(house.service, house.bot, ada.tenant_id, subject, top=5, until=house.clock() + 1)
    assert page.messages[0]["message"]["text"] == "7 for Ada"
    assert json.dumps(page.messages)
