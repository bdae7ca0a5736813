"""Operators repeat, correct and take back what was sent, hold a bot, and ask what a send would do."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from local.teams import Fault
from tests.stack import SENDS, Stack, ids, until


async def verb(stack, send, name, body=..., wait=30, key=None):
    headers = {"Prefer": f"wait={wait}"} if wait else {}
    if key:
        headers["Idempotency-Key"] = key
    return await stack.request("POST", f"/api/ops/sends/{send}/{name}", json_body=body, headers=headers)


async def partly_failed(stack, people, failing):
    for person in people[:failing]:
        stack.teams.fault(Fault(status=400, person=person.object_id, operation="send"))
    outcome = (await stack.deliver(ids(people))).body
    stack.teams.clear_faults()
    assert outcome["counts"]["failed"] == failing
    return outcome["id"]


async def test_a_retry_reaches_only_those_it_failed_for_and_twice_is_once(stack):
    people = await stack.join(6)
    send = await partly_failed(stack, people, 3)

    first, second = await asyncio.gather(*(verb(stack, send, "retry") for _ in range(2)))

    assert first.ok(200)["id"] == second.ok(200)["id"] != send
    assert first.body["counts"]["delivered"] == first.body["counts"]["total"] == 3
    assert [stack.texts(person) for person in people] == [["Hello"]] * 6
    status = await stack.status(first.body["id"])
    assert (status["verb"], status["of"], status["status"]) == ("retry", send, "completed")
    listed = (await stack.get("/api/ops/sends?top=50")).ok()["sends"]
    assert first.body["id"] in {one["id"] for one in listed}
    (await verb(stack, first.body["id"], "retry")).is_problem(409)


async def test_an_update_changes_the_text_and_a_recall_takes_it_away(stack):
    people = await stack.join(4)
    send = await partly_failed(stack, people, 1)

    accepted = await verb(stack, send, "update", {"message": "Corrected"}, wait=0, key=f"correct-{send}")
    body = accepted.ok(202)
    assert accepted.headers["Location"] == body["outcomeUrl"]
    assert accepted.headers["Retry-After"]
    repeated = await verb(stack, send, "update", {"message": "Corrected"}, key=f"correct-{send}")
    assert repeated.ok(200)["id"] == body["id"]
    assert [stack.texts(person) for person in people] == [[]] + [["Corrected"]] * 3
    (await verb(stack, send, "update", {"message": "Other"}, key=f"correct-{send}")).is_problem(422)

    recalled = (await verb(stack, send, "recall")).ok(200)
    assert recalled["counts"]["delivered"] == 3
    assert [stack.texts(person) for person in people] == [[]] * 4
    assert (await verb(stack, send, "recall", {})).ok(200)["id"] == recalled["id"]
    late = await verb(stack, send, "update", {"message": "Too late"})
    assert {row["reason"] for row in late.ok(424)["results"]} == {"ActivityNotFoundInConversation"}


async def test_an_answer_to_an_updated_card_reaches_the_question(stack):
    (ada,) = await stack.join(1)
    card = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Lunch?"}]}

    def asking(title):
        return {**card, "actions": [{"type": "Action.Submit", "title": title}]}

    question = await stack.accepted([ada.object_id], card=asking("Yes"), wait={})

    async def waiting():
        return (await stack.status(question["id"]))["status"] == "waiting"

    await until(waiting)
    (await verb(stack, question["id"], "update", {"card": asking("Yes, please")})).ok(200)
    await (await stack.crowd()).press(ada, "Yes, please")

    outcome = (await stack.outcome(question)).ok(200)
    assert (outcome["outcome"], outcome["submitActionId"]) == ("responded", "Yes, please")


async def test_the_verbs_are_for_operators_and_say_what_is_wrong(stack):
    (ada,) = await stack.join(1)
    sent = (await stack.deliver([ada.object_id])).ok()["id"]
    for name in ("retry", "update", "recall"):
        (await stack.request("POST", f"{SENDS}/{sent}/{name}", json_body={"message": "x"})).is_problem(404)
        for unknown in ("a" * 26, "x"):
            (await verb(stack, unknown, name, {"message": "x"} if name == "update" else ...)).is_problem(404)
        (await stack.get(f"/api/ops/sends/{sent}/{name}")).is_problem(405)
    for name in ("pause", "resume"):
        (await stack.request("POST", f"/api/v1/{name}", json_body={})).is_problem(404)
    assert "Nobody" in (await verb(stack, sent, "retry")).is_problem(409)["detail"]
    (await verb(stack, sent, "retry", {"all": True})).is_problem(400)
    (await verb(stack, sent, "recall", [])).is_problem(400)
    assert (await verb(stack, sent, "update", {"mesage": "x"})).pointers == ["/message", "/mesage"]
    (await verb(stack, sent, "update", {"message": "x" * 60_000})).is_problem(413)
    assert stack.texts(ada) == ["Hello"]


@pytest.fixture(scope="module")
async def pair() -> AsyncIterator[Stack]:
    settings = {"PROACTIVE_BOT_NAME": "pair", "PROACTIVE_REQUESTS_PER_SECOND": "40"}
    async with Stack.running(settings=settings, hosts=2) as stack:
        yield stack


@pytest.mark.timeout(100)
async def test_a_pause_holds_a_broadcast_on_all_instances_and_resuming_sends_the_rest_once(pair):
    people = await pair.join(200)

    async def quiet():
        return pair.teams.stats().operations.get("member", 0) >= len(people)

    await until(quiet)
    pair.teams.clear()
    sends = [await pair.accepted(ids(people[:100])), await pair.accepted(ids(people[100:]))]

    async def begun():
        return pair.teams.stats().accepted >= 20

    await until(begun)
    held = (await pair.request("POST", "/api/ops/pause", json_body={"bot": "pair"}, host=1)).ok()
    assert (held["bot"], held["paused"], held["tenants"]) == ("pair", True, [people[0].tenant_id])
    await asyncio.sleep(2)
    sent = pair.teams.stats().accepted
    assert sent < 160
    sends.append(await pair.accepted(ids(people[:1]), message="later"))
    await asyncio.sleep(2)
    assert pair.teams.stats().accepted == sent
    assert (await pair.get("/api/ops/bots")).ok()["bots"][0]["paused"] == held["tenants"]
    assert "paused" not in (await pair.get("/api/v1/bots")).ok()["bots"][0]

    tenant = {"tenant": people[0].tenant_id.upper()}
    gone_on = (await pair.request("POST", "/api/ops/resume", json_body=tenant)).ok()
    assert gone_on == {**held, "paused": False}
    for send in sends:
        assert (await pair.outcome(send, 40)).ok(200)["succeeded"] is True
    assert [len(pair.got(person)) for person in people] == [2] + [1] * 199
    assert (await pair.get("/api/ops/bots")).ok()["bots"][0]["paused"] == []


@pytest.mark.parametrize("name", ["pause", "resume"])
async def test_what_to_hold_must_be_there(pair, name):
    path = f"/api/ops/{name}"
    assert (await pair.request("POST", path, json_body={"bot": "nobody"})).pointers == ["/bot"]
    assert (await pair.request("POST", path, json_body={"tenant": "elsewhere"})).pointers == ["/tenant"]
    assert (await pair.request("POST", path, json_body={"bot": 5, "x": 1})).pointers == ["/bot", "/x"]
    (await pair.request("POST", path, json_body=[])).is_problem(400)


@pytest.mark.parametrize("door", ["v1", "ops"])
async def test_a_dry_run_tells_all_and_does_nothing(stack, door):
    people = await stack.join(2)
    (nobody,) = stack.strangers(1)
    before = (await stack.get("/api/ops/sends?top=1000")).ok()["sends"]
    body = {"recipients": ids([*people, nobody]), "message": "Hello", "dryRun": True}

    told = (await stack.post(body, door=door, wait=5, key="dry")).ok(200)

    assert (told["dryRun"], told["counts"]["wouldSend"], told["counts"]["notInstalled"]) == (True, 2, 1)
    assert [row["state"] for row in told["recipients"]] == ["wouldSend", "wouldSend", "notInstalled"]
    assert (await stack.get("/api/ops/sends?top=1000")).ok()["sends"] == before
    assert [stack.got(person) for person in people] == [[], []]
    assert (await stack.post({**body, "message": ""}, door=door)).pointers == ["/message"]
    (await stack.post({**body, "dryRun": 1}, door=door)).is_problem(400)
    if door == "v1":
        (await stack.post({**body, "recipients": [{"everyone": True}]})).is_problem(403)
