"""A send is accepted, or refused with everything that is wrong with it."""

import asyncio
import json
import re
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from local.teams import Fault
from tests.stack import CARDS, SENDS, card, ids

RESULT = {
    "recipient",
    "userId",
    "state",
    "statusCode",
    "succeeded",
    "reason",
    "messageId",
    "conversationId",
    "attempts",
    "deliveredAt",
    "response",
}


async def test_a_send_is_accepted_with_addresses_where_its_outcome_is_found(stack):
    (ada,) = await stack.join(1)

    reply = await stack.post({"recipients": [ada.object_id], "message": "Hello"})

    body = reply.ok(202)
    assert set(body) == {"id", "status", "statusUrl", "outcomeUrl"}
    assert body["status"] == "accepted"
    assert reply.headers["Location"] == body["outcomeUrl"]
    assert body["outcomeUrl"].startswith(f"{stack.url}/api/outcomes/{body['id']}/")
    assert body["statusUrl"] == f"{stack.url}{SENDS}/{body['id']}"
    assert int(reply.headers["Retry-After"]) > 0
    assert "Preference-Applied" not in reply.headers
    assert (await stack.outcome(body)).status == 200
    assert stack.texts(ada) == ["Hello"]


async def test_addresses_never_follow_the_host_header(stack):
    reply = await stack.request(
        "POST",
        SENDS,
        json_body={"recipients": [str(uuid.uuid4())], "message": "Hello"},
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
    )
    assert "evil" not in reply.text
    assert "evil" not in reply.headers["Location"]


async def test_a_preference_to_wait_is_answered_with_the_outcome(stack):
    (ada,) = await stack.join(1)
    start = time.monotonic()

    reply = await stack.post({"recipients": [ada.object_id], "message": "Hello"}, wait=30)

    outcome = reply.ok(200)
    assert time.monotonic() - start < 10
    assert reply.headers["Preference-Applied"] == "wait=30"
    (sent,) = stack.got(ada)
    assert outcome["outcome"] == "completed"
    assert outcome["statusCode"] == 200
    assert outcome["succeeded"] is True
    assert outcome["messageId"] == sent["id"]
    assert outcome["counts"]["total"] == outcome["counts"]["delivered"] == 1
    assert outcome["resultsUrl"].startswith(stack.url)
    (result,) = outcome["results"]
    assert set(result) == RESULT
    assert result["recipient"] == ada.object_id
    assert result["userId"] == ada.object_id
    assert (result["state"], result["statusCode"], result["succeeded"]) == ("delivered", 200, True)
    assert result["messageId"] == sent["id"]
    assert result["conversationId"] == ada.conversation_id
    assert result["attempts"] == 1
    assert datetime.fromisoformat(result["deliveredAt"]).tzinfo is not None
    assert result["reason"] is None
    assert result["response"] is None
    # the outcome address gives the very same
    status = await stack.status(outcome["id"])
    assert status["status"] == "completed"


async def test_a_held_answer_is_what_the_outcome_address_gives(stack):
    (ada,) = await stack.join(1)
    body = {"recipients": [ada.object_id], "message": "Hello"}
    key = str(uuid.uuid4())
    accepted = (await stack.post(body, key=key)).ok(202)

    held = await stack.post(body, key=key, wait=30)

    polled = await stack.outcome(accepted)
    assert held.status == polled.status == 200
    assert held.body == polled.body


async def test_a_held_answer_fails_where_the_run_is_to_fail(stack):
    (nobody,) = stack.strangers(1)
    reply = await stack.post({"recipients": [nobody.object_id], "message": "Hello"}, wait=30)
    outcome = reply.ok(424)
    assert reply.headers["Preference-Applied"] == "wait=30"
    assert (outcome["statusCode"], outcome["succeeded"]) == (100, False)


async def test_a_held_answer_is_the_202_when_it_takes_too_long(stack):
    (ada,) = await stack.join(1)
    stack.teams.fault(Fault(person=ada.object_id, operation="send", delay=4, times=1))
    start = time.monotonic()

    reply = await stack.post({"recipients": [ada.object_id], "message": "Hello"}, wait=1)

    assert 0.9 < time.monotonic() - start < 3.9
    body = reply.ok(202)
    assert reply.headers["Location"] == body["outcomeUrl"]
    assert (await stack.outcome(body)).ok()["succeeded"] is True


@pytest.mark.parametrize("prefer", ["wait=5000", "respond-async, wait=20", "wait=20; foo", "Wait=20", 'wait="20"'])
async def test_a_preference_is_read_however_it_is_written(stack, prefer):
    (ada,) = await stack.join(1)
    body = {"recipients": [ada.object_id], "message": "Hello"}
    reply = await stack.request("POST", SENDS, json_body=body, headers={"Prefer": prefer})
    assert reply.status == 200


@pytest.mark.parametrize("prefer", ["wait=0", "wait=-5", "wait=soon", "return=minimal", "wait"])
async def test_a_preference_that_makes_no_sense_is_ignored(stack, prefer):
    body = {"recipients": [str(uuid.uuid4())], "message": "Hello"}
    reply = await stack.request("POST", SENDS, json_body=body, headers={"Prefer": prefer})
    assert reply.status == 202


async def test_a_message_arrives_at_once(stack):
    people = await stack.join(5)
    took = []
    for person in people:
        start = time.monotonic()
        await stack.post({"recipients": [person.object_id], "message": "Hello"})
        await stack.teams.wait_delivered(person)
        took.append(time.monotonic() - start)
    assert sorted(took)[2] < 3, "a busy machine may hold up one, no poll may hold up most"


# Content


async def test_text_is_markdown_unless_said_otherwise(stack):
    (ada,) = await stack.join(1)
    await stack.deliver([ada.object_id], message="Your order *4711* is ready")
    await stack.deliver([ada.object_id], message={"text": "a *b*"})
    await stack.deliver([ada.object_id], message={"text": "a *b*", "format": "plain"})
    await stack.deliver([ada.object_id], message={"text": "<b>b</b>", "format": "xml"})
    sent = [(activity["text"], activity.get("textFormat", "markdown")) for activity in stack.got(ada)]
    assert sent == [
        ("Your order *4711* is ready", "markdown"),
        ("a *b*", "markdown"),
        ("a *b*", "plain"),
        ("<b>b</b>", "xml"),
    ]


async def test_text_of_any_language_arrives_as_it_was_written(stack):
    (ada,) = await stack.join(1)
    text = 'Grüße, 注文 🥩 "quoted" \\ \u2028 \u0001 \x7f עברית\nline\ttab'
    await stack.deliver([ada.object_id], message=text)
    assert stack.texts(ada) == [text]


@pytest.mark.parametrize("name", ["order-summary", "order-confirmation", "leave-request", "canteen-menu"])
@pytest.mark.parametrize("form", ["object", "text"])
async def test_a_card_arrives_as_its_author_wrote_it(stack, name, form):
    (ada,) = await stack.join(1)
    written = card(name)

    await stack.deliver([ada.object_id], card=written if form == "object" else json.dumps(written, indent=2))

    (sent,) = stack.got(ada)
    (attachment,) = sent["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"] == written
    assert not sent.get("text")


async def test_a_summary_goes_with_a_card(stack):
    (ada,) = await stack.join(1)
    await stack.deliver([ada.object_id], card=card("order-summary"), summary="Order 4711 is ready")
    assert stack.got(ada)[0]["summary"] == "Order 4711 is ready"


async def test_a_message_is_labelled_as_a_notification_only_where_asked_for(stack):
    (ada,) = await stack.join(1)
    await stack.deliver([ada.object_id])
    await stack.deliver([ada.object_id], options={"labelAsNotification": True})
    plain, labelled = stack.got(ada)
    assert "notification" not in plain.get("channelData", {})
    assert labelled["channelData"]["notification"] == {"alert": True}
    (behalf,) = labelled["channelData"]["onBehalfOf"]
    assert behalf["itemid"] == 0
    assert behalf["mentionType"] == "person"
    assert behalf["displayName"]
    assert behalf["mri"].startswith("28:")


# The seed's card that is no JSON


def _line_of_the_comma(text: str) -> int:
    return text[: re.search(r",\s*\}", text).start()].count("\n") + 1


async def test_the_card_as_printed_is_refused_as_text_with_line_and_column(stack):
    printed = (CARDS / "order-confirmation.as-printed.json").read_text()

    reply = await stack.post({"recipients": ["ada@contoso.com"], "card": printed})

    assert reply.status == 400
    assert reply.pointers == ["/card"]
    (error,) = reply.body["errors"]
    line, column = map(int, re.search(r"line (\d+),? column (\d+)", error["detail"]).groups())
    assert line - _line_of_the_comma(printed) in (0, 1)
    assert column > 0


async def test_the_card_as_printed_is_refused_as_an_object_with_line_and_column(stack):
    printed = (CARDS / "order-confirmation.as-printed.json").read_text()
    body = f'{{\n"recipients": ["ada@contoso.com"],\n"card": {printed}\n}}'

    reply = await stack.request("POST", SENDS, data=body, headers={"Content-Type": "application/json"})

    assert reply.status == 400
    problem = reply.is_problem()
    said = problem["detail"] + " ".join(error["detail"] for error in problem["errors"])
    line, column = map(int, re.search(r"line (\d+),? column (\d+)", said).groups())
    assert line - _line_of_the_comma(body) in (0, 1)
    assert column > 0


# What is refused


async def test_all_errors_are_named_at_once(stack):
    reply = await stack.post(
        {
            "recipients": ["ada@contoso.com", {"usr": "x"}, 5],
            "card": {"type": "AdaptiveCard", "version": "1.5", "actions": [{}, {"type": "Submit"}], "body": "text"},
            "summry": "typo",
            "sendAt": "tomorrow",
            "options": {"parallelism": 51, "ifChatIsActive": "sendd", "paralelism": 1, "deliverWithin": "P8D"},
        }
    )
    assert reply.status == 400
    assert {
        "/recipients/1",
        "/recipients/2",
        "/card/actions/0/type",
        "/card/actions/1/type",
        "/card/body",
        "/summry",
        "/sendAt",
        "/options/parallelism",
        "/options/ifChatIsActive",
        "/options/paralelism",
        "/options/deliverWithin",
    } <= {re.sub(r"^(/recipients/\d+)/.*", r"\1", pointer) for pointer in reply.pointers}


@pytest.mark.parametrize("where", [["unknown"], ["options", "unknown"], ["message", "unknown"], ["a/b~c"]])
async def test_unknown_fields_are_refused(stack, where):
    body = {"recipients": ["ada@contoso.com"], "message": {"text": "Hello"}, "options": {}}
    (body[where[0]] if len(where) > 1 else body)[where[-1]] = 1
    reply = await stack.post(body)
    assert reply.status == 400
    assert reply.pointers == ["/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in where)]


async def test_without_graph_a_group_is_refused_with_the_setting_that_is_missing(stack):
    recipients = ["ada@contoso.com", {"group": str(uuid.uuid4())}, {"team": "Orders"}]

    reply = await stack.post({"recipients": recipients, "message": "Hello"})
    with_another_error = await stack.post({"recipients": recipients, "mesage": "Hello"})

    assert reply.status == 400
    assert reply.pointers == ["/recipients/1", "/recipients/2"]
    assert all("PROACTIVE_GRAPH_CLIENT_ID" in error["detail"] for error in reply.body["errors"])
    assert {"/mesage", "/recipients/1", "/recipients/2"} <= set(with_another_error.pointers)


WRONG = {
    "bot": [5, True, [], {}, ["default"]],
    "tenant": [5, False, [], {}],
    "recipients": [None, 5, True, {}, [], "", " ; ;", [None], [5], [[]], [True], [{}], [""], ["  "], [{"user": 5}],
                   [{"user": ""}], [{"user": "a", "group": "b"}], [{"everyone": False}], [{"everyone": "true"}],
                   {"user": "ada@contoso.com"}],
    "message": [5, True, [], {}, "", "  ", {"text": 5}, {"text": ""}, {"text": None}, {"text": "a", "format": "html"},
                {"format": "plain"}, {"text": "a", "format": None}],
    "card": [5, True, [], "", "text", "[]", "5", "null", {}, {"type": "AdaptiveCard"}, {"version": "1.5"},
             {"type": "adaptivecard", "version": "1.5"}, {"type": "AdaptiveCard", "version": 1.5}],
    "summary": [5, True, [], {}],
    "sendAt": [5, True, [], {}, "", "tomorrow", "2026-13-01T00:00:00Z", "2026-12-01", "2026-12-01T08:00:00", "08:00Z"],
    "options": [5, True, [], "send", [{}]],
    "options/labelAsNotification": [1, "true", []],
    "options/ifChatIsActive": [1, "Send", "", []],
    "options/ifBotNotInstalled": [1, "Fail", ""],
    "options/ifOutcomeUnknown": [1, "", "drop"],
    "options/parallelism": [0, 51, -1, 1.5, "20", True, 10**30],
    "options/deliverWithin": [5, "", "P", "PT", "PT0S", "PT59S", "P7DT1S", "P1M", "P1Y", "-PT1H", "24h", []],
    "wait": [5, "yes", []],
    "callbackUrl": [5, [], {}],
}  # fmt: skip


@pytest.mark.parametrize("field", WRONG)
async def test_a_field_of_a_wrong_kind_is_refused_by_name(stack, field):
    async def refused(value):
        body = {"recipients": ["ada@contoso.com"], "message": "Hello"}
        if field == "card":
            del body["message"]
        first, _, second = field.partition("/")
        body[first] = {second: value} if second else value
        reply = await stack.post(body)
        assert reply.status == 400, (value, reply.status, reply.text)
        named = [pointer for pointer in reply.pointers if pointer == f"/{field}" or pointer.startswith(f"/{field}/")]
        assert named, (value, reply.text)

    await asyncio.gather(*(refused(value) for value in WRONG[field]))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"recipients": ["a@b.c"]}, "/message"),
        ({"recipients": ["a@b.c"], "message": None, "card": None}, "/message"),
        ({"message": "Hello"}, "/recipients"),
        ({"recipients": ["a@b.c"], "message": "Hello", "bot": "nobody"}, "/bot"),
        ({"recipients": ["a@b.c"], "message": "Hello", "tenant": str(uuid.uuid4())}, "/tenant"),
        ({"recipients": ["a@b.c"], "message": "Hello", "wait": {}}, "/wait"),
    ],
)
async def test_a_send_that_lacks_something_is_refused_by_the_field(stack, body, pointer):
    await stack.join(1)
    reply = await stack.post(body)
    assert reply.status == 400
    assert reply.pointers == [pointer]


async def test_null_is_as_good_as_left_out(stack):
    nothing = dict.fromkeys(("bot", "tenant", "card", "summary", "wait", "callbackUrl", "sendAt"))
    options = dict.fromkeys(
        ("labelAsNotification", "ifChatIsActive", "ifBotNotInstalled", "parallelism", "deliverWithin")
    )
    for more in (nothing, {"options": None}, {"options": options}):
        (await stack.post({"recipients": ["a@b.c"], "message": "Hello", **more})).ok(202)


async def test_message_and_card_together_are_refused(stack):
    reply = await stack.post({"recipients": ["a@b.c"], "message": "Hello", "card": card("order-summary")})
    assert reply.status == 400
    assert set(reply.pointers) <= {"", "/card", "/message"}


@pytest.mark.parametrize("form", ["object", "text"])
async def test_the_template_language_is_refused_and_named(stack, form):
    templated = card("order-summary")
    templated["body"][0]["text"] = "Order of ${customer.name}"
    templated["body"].append({"type": "TextBlock", "text": "fine", "$when": "${x}"})
    reply = await stack.post(
        {"recipients": ["a@b.c"], "card": templated if form == "object" else json.dumps(templated)}
    )
    assert reply.status == 400
    assert {"/card/body/0/text", "/card/body/3/$when"} == set(reply.pointers)
    assert "templat" in reply.text
    assert "${" in reply.text


@pytest.mark.parametrize(
    "body", [b"", b" ", b"{", b"nonsense", b'{"a": 1,}', b"\xff\xfe{\x00}\x00", b'{"a": NaN}', b"{'a': 1}"]
)
async def test_malformed_json_is_refused(stack, body):
    reply = await stack.request("POST", SENDS, data=body, headers={"Content-Type": "application/json"})
    reply.is_problem(400)


async def test_malformed_json_is_refused_with_line_and_column(stack):
    body = '{\n  "recipients": ["a@b.c"],\n  "message": "Hello" "card"\n}'
    reply = await stack.request("POST", SENDS, data=body, headers={"Content-Type": "application/json"})
    assert re.search(r"line 3,? column 22", json.dumps(reply.is_problem(400)))


@pytest.mark.parametrize("body", [None, [], "x", 5, True])
async def test_a_body_that_is_no_object_is_refused(stack, body):
    (await stack.post(body)).is_problem(400)


async def test_json_is_what_is_asked_for(stack):
    body = '{"recipients": ["a@b.c"], "message": "Hello"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "text/xml"):
        (await stack.request("POST", SENDS, data=body, headers={"Content-Type": kind})).is_problem(415)
    for kind in ("application/json", "application/json; charset=utf-8", "application/cloudevents+json"):
        reply = await stack.request("POST", SENDS, data=body, headers={"Content-Type": kind})
        assert reply.status == 202, kind


# Sizes: Teams counts the whole activity as UTF-16, 102,400 bytes.


async def test_a_message_of_nearly_the_size_that_teams_takes_is_delivered(stack):
    (ada,) = await stack.join(1)
    text = "€" * 50_000
    (await stack.deliver([ada.object_id], message=text)).ok(200)
    assert stack.texts(ada) == [text]


@pytest.mark.parametrize(
    "content",
    [
        {"message": "x" * 51_300},
        {"message": "🥩" * 25_700},
        {"card": {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "x" * 51_300}]}},
    ],
    ids=["text", "astral", "card"],
)
async def test_a_message_that_teams_would_find_too_large_is_413(stack, content):
    (await stack.post({"recipients": ["a@b.c"], **content})).is_problem(413)


async def test_a_body_over_16_megabytes_is_413(stack):
    body = b'{"recipients": ["a@b.c"], "message": "' + b"x" * (16 * 1024 * 1024) + b'"}'
    reply = await stack.request("POST", SENDS, data=body, headers={"Content-Type": "application/json"})
    reply.is_problem(413)


async def test_more_than_100_000_recipients_are_refused(stack):
    reply = await stack.post({"recipients": ["a@b.c"] * 100_001, "message": "Hello"})
    assert reply.status in (400, 413)
    assert reply.pointers == ["/recipients"]


@pytest.mark.timeout(60)
async def test_100_000_recipients_are_accepted(stack):
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    recipients = [f"{n:08}-0000-4000-8000-000000000000" for n in range(100_000)]
    start = time.monotonic()
    accepted = await stack.accepted(recipients, sendAt=later)
    assert time.monotonic() - start < 10
    status = await stack.status(accepted["id"])
    assert status["counts"]["total"] == status["counts"]["pending"] == 100_000
    assert (await stack.request("DELETE", f"{SENDS}/{accepted['id']}")).status == 204


# Idempotency


async def test_the_same_key_and_content_is_one_send_however_often_and_at_once(stack):
    (ada,) = await stack.join(1)
    key = str(uuid.uuid4())
    body = {"recipients": [ada.object_id], "message": "Once"}

    replies = await asyncio.gather(*(stack.post(body, key=key) for _ in range(20)))

    assert {reply.status for reply in replies} == {202}
    assert len({reply.body["id"] for reply in replies}) == 1
    assert len({reply.headers["Location"] for reply in replies}) == 1
    await stack.outcome(replies[0].body)
    turned = await stack.post(dict(reversed(body.items())), key=key)
    assert turned.ok(202)["id"] == replies[0].body["id"]
    await asyncio.sleep(1)
    assert stack.texts(ada) == ["Once"]
    assert len(await stack.results(replies[0].body["id"])) == 1


async def test_the_same_key_with_other_content_is_422(stack):
    (ada,) = await stack.join(1)
    key = str(uuid.uuid4())
    first = await stack.post({"recipients": [ada.object_id], "message": "One"}, key=key)
    other = await stack.post({"recipients": [ada.object_id], "message": "Two"}, key=key)
    other.is_problem(422)
    await stack.outcome(first.ok(202))
    assert stack.texts(ada) == ["One"]


async def test_without_a_key_two_sends_are_two_messages(stack):
    (ada,) = await stack.join(1)
    first, second = [await stack.deliver([ada.object_id]) for _ in range(2)]
    assert first.body["id"] != second.body["id"]
    assert len(stack.got(ada)) == 2


@pytest.mark.parametrize("key", ["a", "x" * 255, "run/1?a=b#c\\d", "Schlüssel", "'; drop table"])
async def test_a_key_may_hold_any_characters(stack, key):
    body = {"recipients": [str(uuid.uuid4())], "message": "Hello"}
    key = f"{uuid.uuid4().hex[:8]}{key}"[:255]
    first, again = [await stack.post(body, key=key) for _ in range(2)]
    assert first.ok(202)["id"] == again.ok(202)["id"]


# Later


async def test_send_at_is_not_before_its_time(stack):
    (ada,) = await stack.join(1)
    at = datetime.now(UTC) + timedelta(seconds=3)
    accepted = await stack.accepted([ada.object_id], sendAt=at.isoformat())

    status = await stack.status(accepted["id"])
    assert status["status"] == "scheduled"
    assert datetime.fromisoformat(status["sendAt"]) - at < timedelta(milliseconds=1)
    assert status["counts"]["pending"] == status["counts"]["total"] == 1
    waiting = await stack.get(accepted["outcomeUrl"])
    assert waiting.status == 202
    assert int(waiting.headers["Retry-After"]) >= 3

    outcome = (await stack.outcome(accepted)).ok()
    delivered = datetime.fromisoformat(outcome["results"][0]["deliveredAt"])
    assert timedelta(seconds=-0.1) < delivered - at < timedelta(seconds=4)
    assert len(stack.got(ada)) == 1


@pytest.mark.parametrize(
    ("days", "status"), [(30.5, 400), (29.9, 202), (-1, 202)], ids=["too far", "far", "in the past"]
)
async def test_send_at_lies_at_most_30_days_ahead(stack, days, status):
    at = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    reply = await stack.post({"recipients": [str(uuid.uuid4())], "message": "Hello", "sendAt": at})
    assert reply.status == status
    if status == 400:
        assert reply.pointers == ["/sendAt"]


async def test_options_that_were_left_out_are_the_contracts(stack):
    accepted = await stack.accepted([str(uuid.uuid4())])
    status = await stack.status(accepted["id"])
    assert status["options"] == {
        "labelAsNotification": False,
        "ifChatIsActive": "send",
        "ifBotNotInstalled": "fail",
        "ifOutcomeUnknown": "resend",
        "parallelism": 20,
        "deliverWithin": "PT24H",
    }


async def test_everyone_is_for_operators(stack):
    reply = await stack.post({"recipients": [{"everyone": True}], "message": "Hello"})
    reply.is_problem(403)
    mixed = await stack.post({"recipients": [*ids(stack.strangers(1)), {"everyone": True}], "message": "Hello"})
    mixed.is_problem(403)
