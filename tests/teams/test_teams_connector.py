import asyncio
import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from local.teams import BOT, Group, Person, TeamsStandIn
from local.teams.errors import ERRORS, refuse
from tests.teams.botside import ADA, ALAN, CARD, Bot, card, text


async def test_a_message_is_accepted_with_an_id_of_its_own_and_stands_in_the_chat(bot, teams):
    first, second = await bot.send(ADA, text("one")), await bot.send(ADA, card())
    assert (first.status, second.status) == (201, 201)
    assert first.body["id"] != second.body["id"]
    assert len(first.body["id"]) == 13
    assert first.body["id"].isdigit()
    assert teams.delivered(ADA) == [
        {**text("one"), "id": first.body["id"]},
        {**card(), "id": second.body["id"]},
    ]
    assert teams.delivered(ALAN) == []


async def test_a_reply_is_a_send(bot, teams):
    said = await bot.call("POST", f"/{ADA.conversation_id}/activities/1732271000000", text("re"))
    assert said.status == 201
    assert teams.delivered(ADA)[0]["id"] == said.body["id"] != "1732271000000"


async def test_update_replaces_in_place_and_delete_removes(bot, teams):
    ids = [(await bot.send(ADA, text(t))).body["id"] for t in ("one", "two", "three")]
    updated = await bot.call("PUT", f"/{ADA.conversation_id}/activities/{ids[0]}", text("changed"))
    deleted = await bot.call("DELETE", f"/{ADA.conversation_id}/activities/{ids[1]}")
    assert (updated.status, updated.body, deleted.status) == (200, {"id": ids[0]}, 200)
    assert [a["text"] for a in teams.delivered(ADA)] == ["changed", "three"]
    assert [r.operation for r in teams.received] == ["send", "send", "send", "update", "delete"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_an_activity_of_another_chat_cannot_be_changed(bot, teams, method):
    known = (await bot.send(ALAN)).body["id"]
    for activity_id in ("1", known):
        said = await bot.call(method, f"/{ADA.conversation_id}/activities/{activity_id}", text("x"))
        assert (said.status, said.code) == (404, "ActivityNotFoundInConversation")
    assert teams.delivered(ALAN)[0]["text"] == "hi"


async def test_url_encoded_ids_work(bot, teams):
    group = Group.of("Orders", "channel", ADA, ALAN)
    teams.enrol_group(group)
    for path in (quote(group.id, safe=""), group.id):
        assert (await bot.call("POST", f"/{path}/activities", text("x"))).status == 201
    assert len(teams.in_chat(group.id)) == 2
    member = await bot.call("GET", f"/{quote(group.id, safe='')}/members/{quote(ALAN.upn, safe='')}")
    assert member.body["name"] == "Alan Turing"


async def test_an_unknown_conversation_is_404(bot):
    for method, path in (("POST", "/a:1nothing/activities"), ("GET", "/a:1nothing/members")):
        said = await bot.call(method, path, text("x") if method == "POST" else None)
        assert (said.status, said.code) == (404, "ConversationNotFound")


async def test_a_lost_conversation_is_404_until_it_is_created_again(bot, teams):
    new_id = teams.renew_conversation(ADA)
    assert (await bot.send(ADA)).code == "ConversationNotFound"
    created = await bot.create(ADA)
    assert (created.status, created.body["id"]) == (201, new_id)
    assert (await bot.send(replace(ADA, conversation_id=new_id))).status == 201
    assert len(teams.delivered(ADA)) == 1
    assert teams.renew_conversation(ADA) not in (new_id, ADA.conversation_id)


async def test_without_the_bot_nothing_is_delivered(bot, teams):
    teams.uninstall(ADA)
    said, created = await bot.send(ADA), await bot.create(ADA)
    assert (said.status, said.code) == (403, "BotNotInConversationRoster")
    assert (created.status, created.code) == (403, "ForbiddenOperationException")
    teams.install(ADA)
    assert (await bot.send(ADA)).status == 201


@pytest.mark.parametrize("code", [code for code, (status, _) in ERRORS.items() if status == 403])
async def test_every_reason_for_403_can_be_had(bot, teams, code):
    teams.uninstall(ADA, code)
    said = await bot.send(ADA)
    assert (said.status, said.code) == (403, code)


def test_an_error_code_that_teams_does_not_have_is_refused():
    teams = TeamsStandIn([ADA])
    with pytest.raises(LookupError, match="NoSuchCode"):
        teams.uninstall(ADA, "NoSuchCode")


async def test_error_bodies_come_in_every_shape(bot, teams):
    said = {}
    for shape in ("error", "legacy", "text", "empty"):
        teams.uninstall(ADA, "MessageWritesBlocked", shape)
        said[shape] = await bot.send(ADA)
        assert said[shape].status == 403
    assert said["error"].body["error"].keys() == {"code", "message", "innerHttpError"}
    assert said["legacy"].body["errorCode"] == 209
    assert json.loads(said["legacy"].body["message"])["subCode"] == "MessageWritesBlocked"
    assert said["text"].body.startswith(b"MessageWritesBlocked")
    assert said["empty"].body == b""


async def test_a_bot_without_an_app_id_is_the_only_one_that_the_person_has(bot, teams):
    nameless = {"bot": {"id": "28:"}}
    assert (await bot.create(ADA, **nameless)).body["id"] == ADA.conversation_id
    assert (await bot.create(ADA, **nameless, members=[{"id": "nobody"}])).code == "ForbiddenOperationException"

    teams.install(replace(ADA, app_id="another", teams_id="29:1another", conversation_id="a:1another"))

    assert (await bot.create(ADA, **nameless)).code == "ForbiddenOperationException"


async def test_a_personal_conversation_is_created_from_the_object_id_and_is_always_the_same(bot):
    said = [await bot.create(ADA), await bot.create(ADA, members=[{"id": ADA.object_id.upper()}])]
    said.append(await bot.create(ADA, members=[{"id": ADA.teams_id}]))
    assert [s.status for s in said] == [201] * 3
    assert {s.body["id"] for s in said} == {ADA.conversation_id}


async def test_only_the_person_of_that_bot_and_tenant_is_meant(bot):
    for changes in (
        {"bot": {"id": "28:another"}},
        {"channelData": {"tenant": {"id": "another"}}},
        {"members": [{"id": "00000000-0000-0000-0000-000000000000"}]},
    ):
        assert (await bot.create(ADA, **changes)).code == "ForbiddenOperationException"


@pytest.mark.parametrize(
    "changes",
    [
        {"members": [{"id": ADA.mail}]},
        {"members": []},
        {"members": [{"id": ADA.object_id}, {"id": ALAN.object_id}]},
        {"bot": {}},
        {"isGroup": True},
        {"channelData": {}, "tenantId": None},
        {"activity": {"type": "message", "text": "x"}},
    ],
)
async def test_a_malformed_wish_for_a_conversation_is_400(bot, changes):
    said = await bot.create(ADA, **changes)
    assert (said.status, said.code) == (400, "BadArgument")


@pytest.mark.parametrize("name", [ADA.teams_id, ADA.object_id, ADA.upn])
async def test_the_roster_tells_who_somebody_is(bot, name):
    said = await bot.call("GET", f"/{ADA.conversation_id}/members/{quote(name, safe='')}")
    assert said.status == 200
    assert said.body == {
        "id": ADA.teams_id,
        "objectId": ADA.object_id,
        "givenName": "Ada",
        "surname": "Lovelace",
        "name": "Ada Lovelace",
        "email": "ada.lovelace@contoso.com",
        "userPrincipalName": "ada.lovelace@contoso.com",
        "tenantId": ADA.tenant_id,
        "userRole": "user",
    }
    everyone = await bot.call("GET", f"/{ADA.conversation_id}/members")
    assert everyone.body == [said.body]


async def test_the_roster_knows_only_who_is_in_the_chat(bot, teams):
    said = await bot.call("GET", f"/{ADA.conversation_id}/members/{ALAN.object_id}")
    assert (said.status, said.code) == (404, "MemberNotFoundInConversation")
    teams.uninstall(ADA)
    said = await bot.call("GET", f"/{ADA.conversation_id}/members/{ADA.object_id}")
    assert (said.status, said.code) == (403, "BotNotInConversationRoster")


async def test_the_roster_may_use_the_other_name_and_leave_out_what_is_not_there(session):
    guest = Person.named("Grace", mail="", upn="grace#ext#@contoso.com", role="guest")
    async with TeamsStandIn(roster_field="aadObjectId") as teams:
        teams.install(guest)
        said = await Bot(session, teams.service_url).call("GET", f"/{guest.conversation_id}/members")
    assert said.body[0].keys() == {
        "id",
        "aadObjectId",
        "givenName",
        "name",
        "userPrincipalName",
        "tenantId",
        "userRole",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff",
        b"[" * 20_000,
        {"text": "no type"},
        {"type": "message"},
        {"type": "message", "text": 5},
        {"type": "message", "text": "", "attachments": []},
        {"type": "message", "text": "x", "textFormat": "html"},
        {"type": "message", "text": "x", "channelData": "x"},
        {"type": "message", "attachments": {}},
        {"type": "message", "attachments": ["x"]},
        {"type": "message", "attachments": [{"content": CARD}]},
        {"type": "message", "attachments": [{"contentType": "image/png"}]},
        {**card(), "text": "both"},
        card(None),
        card(json.dumps(CARD)),
        card({"type": "AdaptiveCard"}),
        card({**CARD, "type": "Card"}),
    ],
)
async def test_what_is_not_well_formed_is_400(bot, teams, body):
    for method, path in (("POST", "activities"), ("PUT", "activities/1")):
        said = await bot.call(method, f"/{ADA.conversation_id}/{path}", body)
        assert (said.status, said.code) == (400, "BadArgument")
    assert teams.delivered(ADA) == []


async def test_a_conversation_belongs_to_one_bot(bot):
    said = await bot.send(ADA, {**text("x"), "from": {"id": "28:another"}})
    assert (said.status, said.code) == (400, "BadArgument")
    assert said.body["error"]["message"] == "Failed to decrypt conversation id"
    assert (await bot.send(ADA, {**text("x"), "from": {"id": f"28:{BOT}"}})).status == 201


def payload_of(size, letter):
    """A message whose whole payload takes so many bytes in UTF-16."""
    empty = json.dumps(text(""), ensure_ascii=False)
    unit = len(letter.encode("utf-16-le"))
    letters, odd = divmod(size - 2 * len(empty), unit)
    return json.dumps(text(letter * letters + "x" * (odd // 2)), ensure_ascii=False).encode()


@pytest.mark.parametrize("letter", ["x", "ä", "語", "😀"])
async def test_the_size_limit_is_100_kb_of_utf16_over_the_whole_payload(bot, letter):
    largest, too_large = payload_of(102_400, letter), payload_of(102_402, letter)
    assert len(largest.decode().encode("utf-16-le")) == 102_400
    assert (await bot.send(ADA, largest)).status == 201
    said = await bot.send(ADA, too_large)
    assert (said.status, said.code) == (413, "MessageSizeTooBig")


async def test_a_conversation_takes_seven_sends_a_second_and_says_when_to_come_back(bot, teams, clock):
    said = [await bot.send(ADA) for _ in range(8)]
    assert [s.status for s in said] == [201] * 7 + [429]
    assert (said[-1].code, said[-1].headers["Retry-After"]) == ("Throttled", "1")
    assert (await bot.send(ALAN)).status == 201
    clock.now += 1
    assert [(await bot.send(ADA)).status for _ in range(2)] == [201, 429]
    assert teams.stats().throttled == {"conversation": 2}


async def test_updates_and_deletes_count_as_sends(bot, teams):
    ids = [(await bot.send(ADA)).body["id"] for _ in range(5)]
    path = f"/{ADA.conversation_id}/activities"
    assert (await bot.call("PUT", f"{path}/{ids[0]}", text("x"))).status == 200
    assert (await bot.call("DELETE", f"{path}/{ids[1]}")).status == 200
    assert (await bot.call("PUT", f"{path}/{ids[0]}", text("y"))).status == 429
    assert (await bot.call("DELETE", f"{path}/{ids[2]}")).status == 429
    assert [a["text"] for a in teams.delivered(ADA)] == ["x", "hi", "hi", "hi"]


async def test_creating_and_reading_the_roster_have_limits_of_their_own(session, clock):
    async with TeamsStandIn(clock=clock, rate=None) as teams:
        teams.install(ADA)
        bot = Bot(session, teams.service_url)
        assert [(await bot.create(ADA)).status for _ in range(8)] == [201] * 7 + [429]
        roster = f"/{ADA.conversation_id}/members"
        assert [(await bot.call("GET", roster)).status for _ in range(15)] == [200] * 14 + [429]
        assert (await bot.send(ADA)).status == 201


async def test_a_bot_has_one_ceiling_in_a_tenant_for_all_it_asks(session, clock):
    crowd = [Person.named(f"Person {i}") for i in range(12)]
    elsewhere = Person.named("Else Where", tenant_id="another-tenant")
    async with TeamsStandIn(clock=clock) as teams:
        teams.enrol([*crowd, elsewhere], installed=True)
        bot = Bot(session, teams.service_url)
        for person in crowd[:4]:
            await bot.send(person)
            await bot.create(person)
            await bot.call("GET", f"/{person.conversation_id}/members")
        said = await bot.send(crowd[5])
        assert (said.status, said.code, said.headers["Retry-After"]) == (429, "Throttled", "1")
        assert (await bot.send(elsewhere)).status == 201
        clock.now += 0.02
        assert [(await bot.send(p)).status for p in crowd[6:8]] == [201, 429]
        stats = teams.stats()
    assert stats.throttled == {"ceiling": 4}
    assert stats.ever_429


async def test_the_ceiling_can_be_set(session, clock):
    crowd = [Person.named(f"Person {i}") for i in range(40)]
    async with TeamsStandIn(clock=clock, rate=200, burst=30) as teams:
        teams.enrol(crowd, installed=True)
        said = [await Bot(session, teams.service_url).send(p) for p in crowd]
    assert [s.status for s in said] == [201] * 30 + [429] * 10


async def test_tokens_are_recorded_and_can_be_required(session, bot, teams):
    await bot.send(ADA, headers={"Authorization": "Bearer any"})
    assert list(teams.tokens_seen) == ["Bearer any"]
    for required in ({"good"}, lambda token: token == "good"):
        async with TeamsStandIn(require_token=required) as strict:
            strict.install(ADA)
            bot = Bot(session, strict.service_url)
            said = [await bot.send(ADA), await bot.send(ADA, headers={"Authorization": "Bearer bad"})]
            assert [(s.status, s.code) for s in said] == [(401, "BotNotRegistered")] * 2
            assert (await bot.send(ADA, headers={"Authorization": "Bearer good"})).status == 201


async def test_figures_tell_what_happened(bot, teams, clock):
    await bot.send(ADA)
    await bot.send(ADA)
    clock.now += 2.5
    await bot.send(ALAN)
    await bot.call("POST", "/nowhere/activities", text("x"))
    stats = teams.stats()
    assert stats.statuses == {201: 3, 404: 1}
    assert stats.per_second == {0: 2, 2: 2}
    assert stats.busiest_second == 2
    assert stats.copies == {2: 1, 1: 1}
    assert (stats.requests, stats.accepted, stats.in_flight, stats.ever_429) == (4, 3, 0, False)
    assert [r.at - 1000 for r in teams.received] == [0, 0, 2.5]
    teams.clear()
    assert (teams.stats().requests, teams.received, teams.delivered(ADA)) == (0, [], [])
    assert (await bot.send(ADA)).status == 201


async def test_latency_delays_answers_and_the_most_at_once_is_kept(session):
    async with TeamsStandIn(latency=0.2) as teams:
        teams.enrol([ADA, ALAN], installed=True)
        bot = Bot(session, teams.service_url)
        start = asyncio.get_running_loop().time()
        under_way = [asyncio.create_task(bot.send(p)) for p in (ADA, ALAN)]
        await teams.wait_delivered(ADA, timeout=5)
        assert not under_way[0].done()
        await asyncio.gather(*under_way)
        assert asyncio.get_running_loop().time() - start >= 0.2
        assert teams.stats().peak == 2


async def test_bodies_need_not_be_kept(session):
    async with TeamsStandIn([ADA], keep_bodies=False) as teams:
        teams.install(ADA)
        bot = Bot(session, teams.service_url)
        sent = await bot.send(ADA)
        assert teams.received[0].activity == {}
        assert teams.received[0].activity_id == sent.body["id"]
        updated = await bot.call("PUT", f"/{ADA.conversation_id}/activities/{sent.body['id']}", text("x"))
        assert updated.status == 200


async def test_waiting_for_a_delivery_gives_up(teams):
    with pytest.raises(TimeoutError):
        await teams.wait_delivered(ADA, timeout=0.05)


def test_a_stranger_is_a_lookup_error():
    teams = TeamsStandIn([ADA])
    with pytest.raises(LookupError):
        teams.delivered("nobody@contoso.com")
    assert teams.delivered(ADA.mail.upper()) == teams.delivered(ADA.object_id) == []


def test_every_code_is_answered_with_its_status():
    assert all(refuse(code).status == status for code, (status, _) in ERRORS.items())
