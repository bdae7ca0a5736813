import re
import uuid
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from local.teams import BOT, CONTOSO, Crowd, Group, Person, people
from local.teams.cards import find_button, submission, titles, values
from local.teams.tokens import TokenIssuer
from tests.teams.botside import ADA, ALAN, CARD, card


@pytest.fixture
async def crowd(teams, endpoint):
    async with Crowd(teams, endpoint.url) as crowd:
        yield crowd


def test_a_numbered_person_is_always_the_same_and_nobody_else():
    crowd = people(2000)
    assert Person.numbered(7) == crowd[7]
    for field in ("object_id", "teams_id", "conversation_id", "mail", "upn"):
        assert len({getattr(p, field) for p in crowd}) == 2000
    ada = crowd[0]
    assert str(uuid.UUID(ada.object_id, version=4)) == ada.object_id
    assert re.fullmatch(r"29:1[\w-]{60,80}", ada.teams_id)
    assert re.fullmatch(r"a:1[\w-]{90,110}", ada.conversation_id)


def test_another_bot_sees_the_same_human_under_other_ids():
    here, there = Person.numbered(1), Person.numbered(1, app_id="another")
    assert here.object_id == there.object_id
    assert (here.teams_id, here.conversation_id) != (there.teams_id, there.conversation_id)
    assert Person.numbered(1, tenant_id="another").object_id != here.object_id


async def test_an_activity_is_complete(crowd, endpoint, teams):
    at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    posted = await crowd.write(ADA, "hello", at=at)
    (heard,) = endpoint.heard
    assert posted.status == 200
    assert heard == {
        "type": "message",
        "id": "1772366400123",
        "timestamp": "2026-03-01T12:00:00.123Z",
        "localTimestamp": "2026-03-01T13:00:00.123+01:00",
        "localTimezone": "Europe/Berlin",
        "channelId": "msteams",
        "serviceUrl": teams.service_url,
        "from": {"id": ADA.teams_id, "name": "Ada Lovelace", "aadObjectId": ADA.object_id},
        "conversation": {"conversationType": "personal", "tenantId": CONTOSO, "id": ADA.conversation_id},
        "recipient": {"id": f"28:{BOT}", "name": "Proactive"},
        "entities": [{"locale": "en-US", "country": "US", "platform": "Web", "type": "clientInfo"}],
        "channelData": {"tenant": {"id": CONTOSO}, "source": {"name": "message"}},
        "locale": "en-US",
        "text": "hello",
        "textFormat": "plain",
        "attachments": [{"contentType": "text/html", "content": "<p>hello</p>"}],
    }


@pytest.mark.parametrize(
    "events",
    [
        ("installationUpdate", "conversationUpdate"),
        ("conversationUpdate", "installationUpdate"),
        ("installationUpdate",),
        ("conversationUpdate",),
    ],
)
async def test_an_install_is_told_in_any_order_and_lets_the_bot_write(crowd, endpoint, bot, teams, events):
    teams.uninstall(ADA)
    await crowd.install(ADA, events=events)
    assert tuple(a["type"] for a in endpoint.heard) == events
    for activity in endpoint.heard:
        assert activity["from"] == {"id": ADA.teams_id, "aadObjectId": ADA.object_id}
        assert activity["channelData"]["tenant"]["id"] == CONTOSO
        if activity["type"] == "installationUpdate":
            assert activity["action"] == "add"
        else:
            assert {"id": f"28:{BOT}"} in activity["membersAdded"]
    assert len({a["id"] for a in endpoint.heard}) == len(events)
    assert (await bot.send(ADA)).status == 201


async def test_uninstall_and_upgrade(crowd, endpoint, bot):
    await crowd.upgrade(ADA)
    await crowd.upgrade(ADA, "remove-upgrade")
    assert (await bot.send(ADA)).status == 201
    await crowd.uninstall(ADA, "MessageWritesBlocked")
    assert [a["action"] for a in endpoint.heard] == ["add-upgrade", "remove-upgrade", "remove"]
    assert {a["type"] for a in endpoint.heard} == {"installationUpdate"}
    assert (await bot.send(ADA)).code == "MessageWritesBlocked"


async def test_a_stranger_can_be_installed(crowd, bot):
    grace = Person.named("Grace Hopper")
    await crowd.install(grace)
    assert (await bot.send(grace)).status == 201


async def test_the_new_conversation_is_used_after_the_old_one_was_lost(crowd, endpoint, teams):
    new_id = teams.renew_conversation(ADA)
    await crowd.write(ADA, "hello")
    assert endpoint.heard[0]["conversation"]["id"] == new_id


async def test_end_of_conversation_repeats_and_late_activities(crowd, endpoint):
    now = datetime.now(UTC)
    posted = await crowd.write(ADA, "now", at=now)
    await crowd.repeat(posted)
    await crowd.write(ADA, "late", at=now - timedelta(minutes=5))
    await crowd.end_of_conversation(ADA)
    first, again, late, end = endpoint.heard
    assert first == again
    assert late["timestamp"] < first["timestamp"]
    assert end["type"] == "endOfConversation"


async def test_ids_are_unique_in_a_chat_and_only_there(crowd, endpoint):
    at = datetime.now(UTC)
    for person in (ADA, ADA, ALAN):
        await crowd.write(person, "x", at=at)
    ids = [a["id"] for a in endpoint.heard]
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize("kind", ["groupChat", "channel"])
async def test_people_also_write_in_groups_and_channels(crowd, endpoint, teams, bot, kind):
    group = Group.of("Orders", kind, ADA, ALAN)
    await crowd.install(ADA, group=group, events=("conversationUpdate",))
    await crowd.write(ALAN, "hello", group=group)
    heard = endpoint.heard[-1]
    assert heard["conversation"]["conversationType"] == kind
    assert heard["conversation"]["isGroup"]
    assert heard["text"] == "<at>Proactive</at> hello"
    assert heard["entities"][0]["mentioned"]["id"] == f"28:{BOT}"
    assert ("team" in heard["channelData"]) == (kind == "channel")
    assert (await bot.call("POST", f"/{group.id}/activities", {"type": "message", "text": "x"})).status == 201
    assert len(teams.in_chat(group.id)) == 1


def button(title, kind="Submit", **more):
    return {"type": f"Action.{kind}", "title": title, **more}


NESTED = {
    **CARD,
    "body": [
        {"type": "Input.Text", "id": "name", "value": "Ada"},
        {"type": "Input.Toggle", "id": "sure", "title": "Sure?"},
        {
            "type": "Container",
            "selectAction": button("Container"),
            "items": [{"type": "ActionSet", "actions": [button("Set")]}],
        },
        {"type": "Table", "rows": [{"cells": [{"type": "TableCell", "selectAction": button("Cell")}]}]},
        {"type": "Unknown", "fallback": {"type": "ActionSet", "actions": [button("Fallback")]}},
        {"type": "Input.Text", "id": "inline", "inlineAction": button("Inline", id="x")},
    ],
    "actions": [
        button("Data", data={"type": "Action.Submit", "title": "Not a button"}),
        {
            "type": "Action.ShowCard",
            "title": "More",
            "card": {
                "type": "AdaptiveCard",
                "body": [{"type": "Input.Number", "id": "count", "isRequired": True}],
                "actions": [
                    button("Inner", data={"name": "theirs", "kept": 1}),
                    button("Quick", associatedInputs="none"),
                ],
            },
        },
        button("Go", "Execute", verb="go", id="go-1", data={"a": 1}),
        {"type": "Action.Submit", "id": "no-title"},
        {"type": "Action.OpenUrl", "title": "Web", "url": "https://contoso.com"},
    ],
}


def test_a_button_is_found_however_deep_it_is():
    assert titles(NESTED) == ["Container", "Set", "Cell", "Inline", "Data", "Inner", "Quick", "Go", "no-title"]
    assert all(find_button(NESTED, title) for title in [*titles(NESTED), "Fallback"])
    assert find_button(NESTED, "Web") is find_button(NESTED, "Not a button") is None


def test_inputs_of_the_card_and_of_the_cards_around_it_go_along():
    outer = values(find_button(NESTED, "Set"))
    assert outer == {"name": "Ada", "sure": "false", "inline": ""}
    inner = find_button(NESTED, "Inner")
    assert values(inner, {"count": "3", "sure": "true"}) == {"name": "Ada", "sure": "true", "inline": "", "count": "3"}
    assert values(find_button(NESTED, "Quick")) == {}
    with pytest.raises(ValueError, match="count"):
        values(inner)
    with pytest.raises(ValueError, match="nothing"):
        values(inner, {"count": "1", "nothing": "x"})


@pytest.mark.parametrize(
    ("action", "text", "value"),
    [
        ({}, None, {"i": "1"}),
        ({"data": {"a": 1, "i": "mine"}}, None, {"a": 1, "i": "1"}),
        ({"data": "a string"}, None, {"i": "1"}),
        ({"data": {"msteams": {"type": "imBack", "value": "said"}}}, "said", None),
        (
            {"data": {"msteams": {"type": "messageBack", "text": "t", "value": '{"v": 1}'}}},
            "t",
            {"v": 1, "i": "1"},
        ),
        (
            {"data": {"msteams": {"feedback": {"hide": True}}}},
            None,
            {"msteams": {"feedback": {"hide": True}}, "i": "1"},
        ),
    ],
)
def test_what_a_submit_sends(action, text, value):
    assert submission(action, {"i": "1"}) == (text, value)


async def test_pressing_submits_on_the_newest_card_that_has_the_button(crowd, endpoint, bot):
    old, new = (await bot.send(ADA, card(NESTED))).body["id"], (await bot.send(ADA, card(NESTED))).body["id"]
    await bot.send(ADA, card())
    await crowd.press(ADA, "Inner", {"count": "2"})
    heard = endpoint.heard[0]
    assert old != new == heard["replyToId"]
    assert heard["type"] == "message"
    assert heard["id"].startswith("f:")
    assert "text" not in heard
    assert heard["value"] == {"name": "Ada", "kept": 1, "sure": "false", "inline": "", "count": "2"}
    with pytest.raises(LookupError):
        await crowd.press(ADA, "No such button")
    with pytest.raises(LookupError):
        await crowd.press(ALAN, "Inner")


async def test_pressing_executes_and_hears_the_answer(crowd, endpoint, bot):
    sent = (await bot.send(ADA, card(NESTED))).body["id"]
    posted = await crowd.press(ADA, "Go")
    heard = endpoint.heard[0]
    assert (heard["type"], heard["name"], heard["replyToId"]) == ("invoke", "adaptiveCard/action", sent)
    assert heard["value"]["action"] == {
        "type": "Action.Execute",
        "title": "Go",
        "id": "go-1",
        "verb": "go",
        "data": {"a": 1, "name": "Ada", "sure": "false", "inline": ""},
    }
    assert posted.body == {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "Thanks"}


async def test_a_card_that_is_gone_can_still_be_answered(crowd, endpoint, bot, teams):
    sent = (await bot.send(ADA, card(NESTED))).body["id"]
    seen = teams.delivered(ADA)[0]
    await bot.call("PUT", f"/{ADA.conversation_id}/activities/{sent}", card())
    with pytest.raises(LookupError):
        await crowd.press(ADA, "Go")
    await crowd.press(ADA, "Go", message=seen)
    await crowd.submit(ADA, seen, NESTED["actions"][0])
    assert [a["replyToId"] for a in endpoint.heard] == [sent, sent]


async def test_activities_are_signed_when_there_is_an_issuer(teams, endpoint):
    issuer = TokenIssuer()
    async with Crowd(teams, endpoint.url, tokens=issuer) as crowd:
        await crowd.write(ADA, "x")
        await crowd.post(await crowd.activity(ADA, "typing"), token="mine")
        issuer.roll_over()
        await crowd.write(ADA, "y")
    claims = jwt.decode(endpoint.tokens[0].removeprefix("Bearer "), options={"verify_signature": False})
    assert (claims["aud"], claims["serviceurl"]) == (BOT, teams.service_url)
    assert endpoint.tokens[1] == "Bearer mine"
    assert jwt.get_unverified_header(endpoint.tokens[2].removeprefix("Bearer "))["kid"] == issuer.keys[-1].kid


async def test_many_act_at_once(crowd, endpoint):
    posted = await crowd.each(crowd.install, people(40), at_once=8)
    assert [p[0].status for p in posted] == [200] * 40
    assert len(endpoint.heard) == 80
