"""In front of a bot that already talks: it gets what is not ours, and whatever it does harms nothing of ours."""

import asyncio
import json

import pytest
from aiohttp import web

from tests.stack import REPLY, Stack, card, ids, until

EXECUTE = {
    "type": "AdaptiveCard",
    "version": "1.4",
    "body": [{"type": "TextBlock", "text": "Leave request"}],
    "actions": [{"type": "Action.Execute", "title": "Approve", "verb": "approve", "data": {"days": 3}}],
}


async def came(other, kind, person, count=1):
    async def there():
        found = other.of(kind, person)
        return found if len(found) >= count else None

    return await until(there)


async def test_a_message_goes_to_the_other_bot_as_it_came_and_ours_is_kept(front, other):
    (ada,) = await front.join(1)
    crowd = await front.crowd()
    activity = await crowd.activity(ada, "message", text="Grüße  \u2603", textFormat="plain")
    body = json.dumps(activity, indent=3, ensure_ascii=False).encode()
    headers = {"Authorization": "Bearer original.token", "Content-Type": "application/json; charset=utf-8"}

    reply = await front.request("POST", "/api/messages", data=body, headers=headers)

    assert reply.status == 200
    (message,) = [one for one in other.got if one[1] == body]
    assert message[0]["Authorization"] == "Bearer original.token"
    assert message[0]["Content-Type"] == "application/json; charset=utf-8"
    user = await front.user(ada.object_id)
    assert (user["installed"], user["chatActive"]) == (True, True)
    await asyncio.sleep(1)
    assert REPLY not in [one.get("text") for one in front.teams.delivered(ada)], "the other bot replies, not we"


async def test_installs_ends_and_what_we_have_no_use_for_go_there_too(front, other):
    (ada,) = await front.join(1, named=True)
    crowd = await front.crowd()
    await crowd.write(ada, "hello")
    await crowd.end_of_conversation(ada)
    for kind in ("typing", "messageReaction", "event"):
        assert (await crowd.post(await crowd.activity(ada, kind, name="x", value={}))).status == 200
    for kind in ("installationUpdate", "conversationUpdate", "endOfConversation", "typing", "messageReaction", "event"):
        assert len(await came(other, kind, ada)) == 1
    assert (await front.user(ada.object_id))["chatActive"] is False
    assert (await front.deliver([ada.mail])).status == 200


@pytest.mark.parametrize("name", ["task/fetch", "signin/verifyState", "adaptiveCard/action", "composeExtension/query"])
async def test_an_invoke_that_is_not_ours_is_answered_by_the_other_bot(front, other, name):
    (ada,) = await front.join(1)
    crowd = await front.crowd()
    value = {"action": {"type": "Action.Execute", "data": {"theirs": name}}}
    posted = await crowd.post(await crowd.activity(ada, "invoke", name=name, value=value))
    assert (posted.status, posted.body) == (200, {"echo": value})
    other.refused, other.answers = ada, [web.json_response({"no": "such thing"}, status=501)]
    posted = await crowd.post(await crowd.activity(ada, "invoke", name=name, value=value))
    assert (posted.status, posted.body) == (501, {"no": "such thing"})


async def test_answers_to_our_cards_stay_with_us_and_others_go_there(front, other):
    ada, alan = await front.join(2)
    crowd = await front.crowd()
    submitted = await front.accepted([ada.object_id], card=card("order-confirmation"), wait={})
    executed = await front.accepted([alan.object_id], card=EXECUTE, wait={})
    await front.teams.wait_delivered(ada)
    await front.teams.wait_delivered(alan)

    await crowd.press(ada, "Submit Order")
    pressed = await crowd.press(alan, "Approve")

    assert pressed.body["statusCode"] == 200
    assert (await front.outcome(submitted)).body["submitActionId"] == "Submit Order"
    assert (await front.outcome(executed)).body["submitActionId"] == "Approve"
    assert other.of("message", ada) == []
    assert other.of("invoke", alan) == []
    # AND a button of the other bot's card is the other bot's
    await crowd.post(await crowd.activity(ada, "message", value={"theirs": 1}, replyToId="1"))
    (theirs,) = await came(other, "message", ada)
    assert theirs["value"] == {"theirs": 1}
    assert (await front.user(ada.object_id))["chatActive"] is False


async def test_a_slow_bot_holds_up_nothing_of_ours(front, other):
    people = await front.join(20)
    crowd = await front.crowd()
    other.delay = 10
    posted = await crowd.each(lambda person: crowd.write(person, "hello"), people)
    assert {one.status for one in posted} == {200}
    # A second where the machine has nothing else to do; in any case it is not the other bot that is waited for.
    assert max(one.seconds for one in posted) < 5
    assert (await front.get("/api/health")).status == 200
    assert (await front.deliver(ids(people))).body["counts"]["delivered"] == 20
    for person in people:
        assert len(await came(other, "message", person)) == 1


async def test_an_invoke_of_a_bot_that_is_too_slow_ends_before_teams_gives_up(front, other):
    (ada,) = await front.join(1)
    crowd = await front.crowd()
    other.delay = 30
    posted = await crowd.post(await crowd.activity(ada, "invoke", name="task/fetch", value={}))
    assert posted.status == 504
    assert 8 < posted.seconds < 15


@pytest.mark.parametrize("status", [400, 401, 500, 502])
async def test_a_bot_that_fails_does_not_make_us_fail(front, other, status):
    (ada,) = front.strangers(1)
    crowd = await front.crowd()
    other.refused, other.answers = ada, [status] * 3
    other.kinds = ("installationUpdate", "conversationUpdate", "message")
    posted = [*await crowd.install(ada), await crowd.write(ada, "hello")]
    assert {one.status for one in posted} == {200}
    assert (await front.user(ada.object_id))["installed"] is True
    assert len(other.of("message", ada)) == 1, "it may have acted on it: it is not asked twice"


async def test_what_a_busy_bot_did_not_take_is_tried_again(front, other):
    (ada,) = await front.join(1)
    other.refused, other.answers = ada, [503, 429]
    assert (await (await front.crowd()).write(ada, "hello")).status == 200
    await came(other, "message", ada, 3)


async def test_a_bot_that_is_not_there_for_a_moment_still_gets_it(front, other):
    (ada,) = await front.join(1)
    crowd = await front.crowd()
    await other.stop()
    try:
        posted = await crowd.write(ada, "are you there?")
        invoked = await crowd.post(await crowd.activity(ada, "invoke", name="task/fetch", value={}))
    finally:
        await other.start()
    assert (posted.status, posted.seconds < 5) == (200, True)
    assert invoked.status == 502
    (message,) = await came(other, "message", ada)
    assert message["text"] == "are you there?"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_redirect_is_followed(front, other, status):
    (ada,) = await front.join(1)
    crowd = await front.crowd()
    headers = {"Location": f"http://127.0.0.1:{other.port}/elsewhere"}
    other.refused, other.answers = (
        ada,
        [web.Response(status=status, headers=headers), web.Response(status=status, headers=headers)],
    )
    assert (await crowd.post(await crowd.activity(ada, "invoke", name="task/fetch", value={}))).status == 502
    assert (await crowd.write(ada, "hello")).status == 200
    assert len(await came(other, "message", ada)) == 1
    assert len(other.of("invoke", ada)) == 1


@pytest.mark.parametrize(("size", "status"), [(500_000, 200), (1_200_000, 502)])
async def test_an_answer_is_handed_on_whole_or_not_at_all(front, other, size, status):
    (ada,) = await front.join(1)
    crowd = await front.crowd()
    other.refused, other.answers = ada, [web.json_response({"x": "x" * size})]
    posted = await crowd.post(await crowd.activity(ada, "invoke", name="task/fetch", value={}))
    assert posted.status == status
    if status == 200:
        assert posted.body == {"x": "x" * size}


async def test_what_comes_back_is_not_passed_on_again(front, other):
    (ada,) = await front.join(1)
    activity = await (await front.crowd()).activity(ada, "message", text="round and round", textFormat="plain")
    headers = {"X-Proactive-Forwarded": "1"}
    assert (await front.request("POST", "/api/messages", json_body=activity, headers=headers)).status == 200
    await asyncio.sleep(0.5)
    assert other.of("message", ada) == []


@pytest.mark.parametrize("header", ["Bearer \u00fc", "Bearer a\tb", ""])
async def test_odd_headers_are_no_server_error(front, other, header):
    (ada,) = await front.join(1)
    crowd = await front.crowd()
    for kind in ("message", "invoke"):
        activity = await crowd.activity(ada, kind, text="odd", name="task/fetch", value={"a": 1})
        headers = {"Authorization": header, "Content-Type": "application/json"}
        reply = await front.request("POST", "/api/messages", json_body=activity, headers=headers)
        assert reply.status == 200


async def test_activities_that_we_cannot_read_are_the_other_bots_to_judge(front, other):
    (ada,) = await front.join(1)
    crowd = await front.crowd()
    whole = await crowd.activity(ada, "message", text="odd", textFormat="plain")
    for name, value in (("membersAdded", 5), ("timestamp", "soon"), ("channelData", "x")):
        assert (await crowd.post({**whole, "id": f"odd-{name}", name: value})).status == 200
    assert len(await came(other, "message", ada, 3)) == 3
    assert (await crowd.post({**whole, "channelId": "webchat"})).status == 400


async def test_what_nobody_has_signed_reaches_neither_of_us(other):
    settings = {"PROACTIVE_UPSTREAM_BOT": other.url, "MicrosoftAppId": "11111111-2222-3333-4444-555555555555"}
    async with Stack.running(settings=settings) as stack:
        (ada,) = stack.strangers(1)
        crowd = await stack.crowd()
        for kind in ("message", "invoke"):
            activity = await crowd.activity(ada, kind, text="hello", name="task/fetch", value={"a": 1})
            assert [(await crowd.post(activity, token=token)).status for token in (None, "a.b.c")] == [401, 401]
        await asyncio.sleep(0.3)
        assert [other.of(kind, ada) for kind in ("message", "invoke")] == [[], []]
