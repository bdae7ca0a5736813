"""What the service learns from Teams, in whatever order and however often it comes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local.teams import Fault, Group
from tests.stack import REPLY, until

NOW = timedelta(0)
DEAD = "http://127.0.0.1:9/teams/"


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def reached(stack, person) -> int:
    """Send and return the status code."""
    return (await stack.deliver([person.object_id])).body["statusCode"]


@pytest.mark.parametrize("event", ["installationUpdate", "conversationUpdate"])
async def test_either_event_of_an_install_is_enough(stack, event):
    (ada,) = stack.strangers(1)
    await (await stack.crowd()).install(ada, events=[event])
    assert await reached(stack, ada) == 200
    await stack.learnt(ada)
    assert (await stack.deliver([ada.mail])).status == 200


async def test_uninstalling_and_reinstalling_is_followed(stack):
    (ada,) = await stack.join(1, named=True)
    crowd = await stack.crowd()
    assert await reached(stack, ada) == 200

    await crowd.uninstall(ada)
    assert (await stack.user(ada.object_id))["installed"] is False
    assert await reached(stack, ada) == 100
    assert (await stack.deliver([ada.mail])).body["statusCode"] == 100

    await crowd.install(ada)
    assert (await stack.user(ada.object_id))["installed"] is True
    assert await reached(stack, ada) == 200
    assert len(stack.got(ada)) == 2


async def test_an_older_removal_that_comes_late_changes_nothing(stack):
    (ada,) = stack.strangers(1)
    crowd = await stack.crowd()
    await crowd.install(ada)
    await crowd.post(await crowd.activity(ada, "installationUpdate", at=ago(60), action="remove"))
    assert (await stack.user(ada.object_id))["installed"] is True
    assert await reached(stack, ada) == 200


async def test_an_older_install_that_comes_late_changes_nothing(stack):
    (ada,) = stack.strangers(1)
    crowd = await stack.crowd()
    stack.teams.install(ada)
    await crowd.uninstall(ada)
    await crowd.post(await crowd.activity(ada, "installationUpdate", at=ago(60), action="add"))
    assert (await stack.user(ada.object_id))["installed"] is False
    assert await reached(stack, ada) == 100


async def test_an_older_message_that_comes_late_does_not_bring_a_removed_bot_back(stack):
    (ada,) = await stack.join(1)
    crowd = await stack.crowd()
    await crowd.uninstall(ada)
    await crowd.write(ada, "before I left", at=ago(60))
    assert (await stack.user(ada.object_id))["installed"] is False


@pytest.mark.parametrize(("action", "installed"), [("remove-upgrade", True), ("add-upgrade", True), ("remove", False)])
async def test_an_upgrade_keeps_the_install(stack, action, installed):
    (ada,) = await stack.join(1)
    crowd = await stack.crowd()
    assert (await crowd.post(await crowd.activity(ada, "installationUpdate", action=action))).status == 200
    assert (await stack.user(ada.object_id))["installed"] is installed


async def test_an_upgrade_of_the_bot_makes_it_known(stack):
    (ada,) = stack.strangers(1)
    stack.teams.install(ada)
    await (await stack.crowd()).upgrade(ada)
    assert await reached(stack, ada) == 200


async def test_a_message_refreshes_a_service_url_that_has_changed(stack):
    (ada,) = stack.strangers(1)
    crowd = await stack.crowd()
    stack.teams.install(ada)
    first = await crowd.activity(ada, "installationUpdate", at=ago(60), action="add")
    await crowd.post({**first, "serviceUrl": DEAD})
    await crowd.write(ada, "I am here now")
    assert await reached(stack, ada) == 200


async def test_an_older_activity_does_not_bring_an_old_address_back(stack):
    (ada,) = await stack.join(1)
    crowd = await stack.crowd()
    for kind, fields in (
        ("message", {"text": "late", "textFormat": "plain"}),
        ("installationUpdate", {"action": "add"}),
        ("conversationUpdate", {"membersAdded": [{"id": f"28:{ada.app_id}"}]}),
    ):
        old = await crowd.activity(ada, kind, at=ago(3600), **fields)
        old["conversation"]["id"] = "a:old"
        assert (await crowd.post({**old, "serviceUrl": DEAD})).status == 200
    assert await reached(stack, ada) == 200


async def test_an_older_message_does_not_make_a_chat_less_active(stack):
    (ada,) = await stack.join(1)
    crowd = await stack.crowd()
    await crowd.write(ada, "now")
    await crowd.write(ada, "an hour ago", at=ago(3600))
    user = await stack.user(ada.object_id)
    assert user["chatActive"] is True
    last = datetime.fromisoformat(user["lastActivityAt"])
    assert abs(last - datetime.now(UTC)) < timedelta(seconds=30)


async def test_an_older_end_does_not_end_a_newer_chat(stack):
    (ada,) = await stack.join(1)
    crowd = await stack.crowd()
    await crowd.write(ada, "now")
    await crowd.end_of_conversation(ada, at=ago(60))
    assert (await stack.user(ada.object_id))["chatActive"] is True


async def test_the_same_activity_twice_counts_once(stack):
    (ada,) = await stack.join(1)
    crowd = await stack.crowd()
    said = await crowd.write(ada, "hello")
    again = [await crowd.repeat(said) for _ in range(3)]
    assert {posted.status for posted in again} == {200}
    await crowd.write(ada, "another")

    async def replied():
        return len(stack.teams.delivered(ada)) >= 2

    await until(replied)
    await asyncio.sleep(0.7)
    assert [activity["text"] for activity in stack.teams.delivered(ada)] == [REPLY, REPLY]


async def test_a_group_or_a_channel_overwrites_nothing_of_a_person(stack):
    (ada,) = await stack.join(1)
    crowd = await stack.crowd()
    for kind in ("groupChat", "channel"):
        group = Group.of(f"Friends of {ada.name}", kind, ada)
        assert {posted.status for posted in await crowd.install(ada, group=group)} == {200}
        assert (await crowd.write(ada, "hello bot", group=group)).status == 200
        assert await reached(stack, ada) == 200
        assert [a for a in stack.teams.in_chat(group.id) if a.get("text") == "Hello"] == []
    assert len(stack.got(ada)) == 2
    assert (await stack.user(ada.object_id))["chatActive"] is False


async def test_who_is_met_only_in_a_group_does_not_have_the_bot(stack):
    (ada,) = stack.strangers(1)
    crowd = await stack.crowd()
    await crowd.install(ada, group=Group.of(f"Team of {ada.name}", "channel", ada))
    assert await reached(stack, ada) == 100


async def test_a_message_alone_makes_a_person_known(stack):
    (ada,) = stack.strangers(1)
    stack.teams.install(ada)
    await (await stack.crowd()).write(ada, "hello")
    assert await reached(stack, ada) == 200
    assert (await stack.deliver([ada.name])).status == 200


async def test_names_are_learnt_anew_when_the_bot_is_installed_again(stack):
    (ada,) = await stack.join(1, named=True)
    married = replace(ada, name=f"{ada.name} Lovelace", mail=f"new.{ada.mail}")
    stack.teams.rename(married)
    crowd = await stack.crowd()
    await crowd.uninstall(married)
    await crowd.install(married)
    await stack.learnt(married)
    assert (await stack.deliver([married.name])).body["statusCode"] == 200
    assert (await stack.deliver([ada.mail])).body["statusCode"] == 100


async def test_the_endpoint_answers_without_waiting_for_teams(stack):
    (ada,) = stack.strangers(1)
    crowd = await stack.crowd()
    stack.teams.fault(Fault(person=ada.object_id, delay=5, times=4))
    posted = [*await crowd.install(ada), await crowd.write(ada, "hello")]
    assert {one.status for one in posted} == {200}
    assert max(one.seconds for one in posted) < 4
    stack.teams.clear_faults()


async def test_names_are_learnt_even_if_the_roster_fails_at_first(stack):
    (ada,) = stack.strangers(1)
    stack.teams.fault(Fault(person=ada.object_id, operation="member", status=503, times=1))
    await (await stack.crowd()).install(ada, events=["installationUpdate"])

    async def known():
        return (await stack.user(ada.mail))["installed"]

    await until(known)


@pytest.mark.parametrize(
    "service_url",
    ["https://evil.example/teams/", "https://smba.trafficmanager.net.evil.example/teams/", "", None, 5,
     "http://smba.trafficmanager.net/teams/", "https://evil@evil.example/", "http://169.254.169.254/",
     "https://smba.trafficmanager.net@evil.example/teams/", "https://smba.trafficmanager.net:8443/teams/"],
)  # fmt: skip
async def test_a_service_url_that_is_not_teams_is_refused_and_not_kept(stack, service_url):
    (ada,) = await stack.join(1)
    crowd = await stack.crowd()
    activity = await crowd.activity(ada, "message", text="hello", textFormat="plain")
    posted = await crowd.post({**activity, "serviceUrl": service_url})
    assert 400 <= posted.status < 500
    assert await reached(stack, ada) == 200


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{}", b'{"type": "message"}', b"nonsense", b"\xff", b'{"type": 5}', b'"x"']
)
async def test_what_is_no_activity_is_refused(stack, body):
    reply = await stack.request("POST", "/api/messages", data=body, headers={"Content-Type": "application/json"})
    assert 400 <= reply.status < 500
    reply.is_problem()


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"type": 5}, "It should have a type."),
        ({"from": {"id": "29:1", "aadObjectId": "a" * 3000}}, "at most 512 characters"),
        ({"channelData": "x"}, "an object"),
        ({"timestamp": "yesterday"}, "no activity as Teams sends them"),
    ],
)
async def test_what_is_wrong_with_an_activity_is_said_in_words(stack, odd, why):
    (ada,) = await stack.join(1)
    activity = await (await stack.crowd()).activity(ada, "message", text="hello", textFormat="plain")
    reply = await stack.request("POST", "/api/messages", json_body=activity | odd)
    (error,) = reply.is_problem(400)["errors"]
    assert why in error["detail"]


async def test_odd_activities_are_no_server_error(stack):
    (ada,) = await stack.join(1)
    crowd = await stack.crowd()
    whole = await crowd.activity(ada, "message", text="hello", textFormat="plain")
    odd = [None, 5, "x", [], {}, [None], True, {"id": 5}, {"id": None}, {"id": "x" * 5000}, "x" * 5000, "\ud800"]
    changed = {
        f"{field} {str(value)[:20]}": {"id": f"odd-{field}-{n}", **whole, field: value}
        for field in [*whole, "value", "replyToId", "membersAdded", "membersRemoved", "action"]
        for n, value in enumerate(odd)
    }
    for kind in ("installationUpdate", "conversationUpdate", "endOfConversation", "invoke"):
        for field in (
            "from",
            "recipient",
            "conversation",
            "channelData",
            "timestamp",
            "membersAdded",
            "action",
            "value",
        ):
            for _n, value in enumerate(odd):
                activity = await crowd.activity(ada, kind, action="add", name="adaptiveCard/action")
                changed[f"{kind} {field} {str(value)[:20]}"] = {**activity, field: value}
    changed |= {f"no {field}": {k: v for k, v in whole.items() if k != field} for field in whole}
    kinds = ("typing", "event", "invoke", "messageReaction", "messageUpdate", "messageDelete", "trace", "handoff",
             "contactRelationUpdate", "deleteUserData", "suggestion", "command", "unheard-of")  # fmt: skip
    changed |= {kind: await crowd.activity(ada, kind, name="unheard/of", value={"a": 1}) for kind in kinds}

    room = asyncio.Semaphore(16)

    async def status(activity):
        async with room:
            return (await crowd.post(activity)).status

    statuses = dict(zip(changed, await asyncio.gather(*map(status, changed.values())), strict=True))

    # 501 is how an invoke that a bot does not know is answered
    assert {
        name: status for name, status in statuses.items() if status >= 500 and (name, status) != ("invoke", 501)
    } == {}
    assert await reached(stack, ada) == 200


async def test_an_invoke_that_asks_for_nothing_we_have_sends_nothing_whatever_is_in_it(stack):
    (ada,) = await stack.join(1, named=True)
    crowd = await stack.crowd()
    names = ("adaptiveCard/action", "task/fetch", "composeExtension/query", "fileConsent/invoke", "unheard/of", None, 5)
    values = (None, 5, "x", [], {}, {"action": None}, {"action": []}, {"action": "x"}, {"action": {"data": []}})
    stack.teams.clear()

    for name in names:
        for value in values:
            posted = await crowd.post(await crowd.activity(ada, "invoke", name=name, value=value))
            assert posted.status < 500 or posted.status == 501, (name, value)

    assert await reached(stack, ada) == 200
    await asyncio.sleep(0.5)
    assert stack.teams.stats().operations == {"send": 1}, "an invoke is answered in line, never by a message"
