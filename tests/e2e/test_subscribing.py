"""Subscribing: a flow names where it is called back, and unsubscribes by what it knows."""

import asyncio
import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from local.teams.people import CONTOSO
from tests.e2e.flow import FIRST_CALL, SIGNATURE, THANKS, plain, together, tries
from tests.stack import ids, until

pytest_plugins = ["tests.e2e.flow"]
pytestmark = pytest.mark.timeout(120)


# A subscription


@together
async def test_a_subscription_is_called_back_with_the_outcome_and_signed(asking):
    (ada,) = await asking.stack.join(1, named=True)
    run = asking.flows.run()
    reply = await asking.post([ada], run=run, updateMessage="Noted")
    send = reply.ok(201)
    assert set(send) == {"id", "status", "statusUrl", "outcomeUrl"}
    await asking.card(ada)
    await asking.stands(send, "waiting")
    assert (await asking.status(send))["callback"] == {"state": "pending", "attempts": []}
    await asking.press(ada, "Reject", {"note": "späť ✓"})

    told = await run.called_once()

    call = run.got[0]
    assert call.method == "POST"
    assert call.address == run.url, "the query is the flow's own, to the letter"
    assert call.headers["webhook-id"]
    assert abs(float(call.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert (told["id"], told["outcome"], told["statusCode"]) == (send["id"], "responded", 200)
    assert (told["submitActionId"], told["actionId"]) == ("Reject", "no")
    assert told["data"] == {"order": 4711, "why": ["a", None], "note": "späť ✓"}
    assert (told["responder"]["email"], told["responder"]["displayName"]) == (ada.mail, ada.name)
    assert plain(told) == plain(await asking.outcome(send))
    status = await asking.handed_over(send)
    assert (status["status"], tries(status)) == ("completed", [202])
    assert tries(await asking.outcome(send)) == [202]
    await asking.shows(ada, "Noted")


@together
async def test_a_send_without_a_question_calls_back_at_its_delivery(asking):
    people = await asking.stack.join(3)
    run = asking.flows.run()
    start = time.monotonic()
    body = {"tenant": CONTOSO, "recipients": ids(people), "message": "Hello", "callbackUrl": run.url}
    send = (await asking.stack.post(body)).ok(201)
    answered_at = time.monotonic()
    told = await run.called_once()
    assert run.got[0].at - answered_at >= FIRST_CALL
    assert run.got[0].at - start < 30  # before anything that mends a lost message could have made it
    assert (told["outcome"], told["statusCode"], told["counts"]["delivered"]) == ("completed", 200, 3)
    assert plain(told) == plain(await asking.outcome(send))
    assert "responses" not in told
    assert all(len(asking.stack.got(person)) == 1 for person in people)


@together
async def test_the_location_is_what_a_delete_unsubscribes(asking):
    people = await asking.stack.join(2)
    run = asking.flows.run()
    reply = await asking.post(people, run=run)
    send = reply.ok(201)
    cards = [await asking.card(person) for person in people]
    await asking.delivered(send)

    for _ in range(2):
        assert (await asking.stack.request("DELETE", reply.headers["Location"])).status == 204

    for person in people:
        await asking.shows(person, "withdrawn")
    outcome = await asking.outcome(send)
    assert outcome["outcome"] == "cancelled"
    assert (await asking.status(send))["status"] == "cancelled"
    await asking.press(people[0], message=cards[0])
    await asyncio.sleep(5)
    assert await asking.responses(send) == []
    assert run.got == [], "who has unsubscribed is not called"
    assert (await asking.stack.request("DELETE", reply.headers["Location"])).status == 204


@together
async def test_a_flow_is_told_of_what_an_operator_cancels(asking):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    send = await asking.ask([ada], run=run)
    assert (await asking.stack.request("DELETE", f"/api/ops/sends/{send['id']}")).status == 204
    assert (await run.called_once())["outcome"] == "cancelled"
    await asking.shows(ada, "withdrawn")


@pytest.mark.parametrize("key", [None, "given"])
@together
async def test_a_flow_that_knows_its_callback_url_alone_can_unsubscribe(asking, key):
    (ada,) = await asking.stack.join(1)
    run, other = asking.flows.run(), asking.flows.run()
    key = key and str(uuid.uuid4())
    send = (await asking.stack.post(asking.body([ada], run=run), key=key)).ok(201)
    await asking.card(ada)
    await asking.delivered(send)
    path = "/api/v1/unsubscribe"

    assert (await asking.stack.request("POST", path, json_body={"callbackUrl": other.url})).status in (204, 404)
    assert (await asking.status(send))["status"] == "waiting"
    for _ in range(2):
        assert (await asking.stack.request("POST", path, json_body={"callbackUrl": run.url})).status == 204

    await asking.shows(ada, "withdrawn")
    assert (await asking.status(send))["status"] == "cancelled"
    assert (await asking.outcome(send))["outcome"] == "cancelled"
    assert (run.got, other.got) == ([], [])


@together
async def test_unsubscribing_before_the_delivery_sends_nothing(asking):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    at = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    send = (await asking.stack.post({**asking.body([ada], run=run), "sendAt": at})).ok(201)
    unsubscribe = {"callbackUrl": run.url}
    assert (await asking.stack.request("POST", "/api/v1/unsubscribe", json_body=unsubscribe)).status == 204
    outcome = await asking.outcome(send)
    assert (outcome["outcome"], outcome["statusCode"]) == ("cancelled", 409)
    await asyncio.sleep(4)
    assert asking.stack.got(ada) == []


@together
async def test_unsubscribing_at_the_end_of_a_run_changes_nothing(asking):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    send = await asking.ask([ada], run=run)
    await asking.press(ada)
    await run.called()
    await asking.handed_over(send)

    reply = await asking.stack.request("POST", "/api/v1/unsubscribe", json_body={"callbackUrl": run.url})

    assert reply.status == 204
    outcome = await asking.outcome(send)
    assert (outcome["outcome"], outcome["submitActionId"]) == ("responded", "Approve")
    assert (await asking.status(send))["status"] == "completed"
    await asking.shows(ada, THANKS)
    await asyncio.sleep(4)
    assert len(run.got) == 1


# The same again


@together
async def test_the_callback_url_is_the_idempotency_key(asking):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    body = asking.body([ada], run=run)
    replies = await asyncio.gather(*(asking.stack.post(body) for _ in range(10)))
    sends = {reply.ok(201)["id"] for reply in replies}
    assert len(sends) == 1
    assert len({reply.headers["Location"] for reply in replies}) == 1
    await asking.card(ada)
    other = await asking.stack.post({**body, "summary": "Another content"})
    other.is_problem(422)
    await asking.press(ada)
    assert (await run.called_once())["id"] in sends
    assert len(asking.stack.got(ada)) == 1
    late = await asking.stack.post(body)
    assert late.ok(201)["id"] in sends
    await asyncio.sleep(4)
    assert len(run.got) == 1
    assert len(asking.stack.got(ada)) == 1


@together
async def test_runs_with_the_same_content_are_sends_of_their_own(asking):
    (ada,) = await asking.stack.join(1)
    runs = [asking.flows.run() for _ in range(3)]
    found = {(await asking.post([ada], run=run)).ok(201)["id"] for run in runs}
    assert len(found) == 3
    await asking.stack.teams.wait_delivered(ada, 3)


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://prod-01.westeurope.logic.azure.com/x?sig=1",
        "https://example.com/x",
        "https://logic.azure.com.evil.example/x",
        "https://evil-logic.azure.com/x",
        "https://prod-01.westeurope.logic.azure.com.evil.example/x",
        "https://contoso.azurewebsites.net/x",
        "https://me:pw@prod-01.westeurope.logic.azure.com/x",
        "https://prod-01.westeurope.logic.azure.com@evil.example/x",
        "https://evil.example\\@prod-01.westeurope.logic.azure.com/x",
        "https://evil.example#@prod-01.westeurope.logic.azure.com/x",
        "https://evil.example?.logic.azure.com",
        "https://20.50.2.3/x",
        "https://169.254.169.254/metadata/instance",
        "https://168.63.129.16/x",
        "https://10.0.0.1/x",
        "https://0x14.50.2.3/x",
        "https://335544323/x",
        "https://[2603:1020::1]/x",
        "http://[::ffff:7f00:1]/x",
        "http://0.0.0.0/x",
        "http://127.0.0.1.evil.example/x",
        "http://localhost.evil.example/x",
        "http://localhost@evil.example/x",
        "ftp://prod-01.westeurope.logic.azure.com/x",
        "//prod-01.westeurope.logic.azure.com/x",
        "prod-01.westeurope.logic.azure.com/x",
        "https://",
        "https:///x",
        "nonsense",
        " ",
        "",
        "https://prod-01.westeurope.logic.azure.com/x\r\nX-Header: 1",
        "https://prod-01.westeurope.logic.azure.com/ x",
        "https://prod-01.westeurope.logic.\u0430zure.com/x",
        5,
        ["https://prod-01.westeurope.logic.azure.com/x"],
        {},
        "https://prod-01.westeurope.logic.azure.com/" + "x" * 9000,
    ],
    ids=lambda url: str(url)[:60],
)
@together
async def test_a_callback_goes_to_allowed_hosts_only(asking, url):
    body = {"tenant": CONTOSO, "recipients": ["a@b.c"], "message": "Hello", "callbackUrl": url}
    reply = await asking.stack.post(body)
    assert reply.status == 400
    assert reply.pointers == ["/callbackUrl"]
    assert SIGNATURE not in reply.text


@pytest.mark.parametrize(
    "host",
    [
        "prod-01.westeurope.logic.azure.com",
        "prod-01.westeurope.logic.azure.com:443",
        "0123456789abcdef.01.environment.api.powerplatform.com",
        "prod-01.usgovvirginia.logic.azure.us",
        "prod-01.chinaeast2.logic.azure.cn",
        "x.api.gov.powerplatform.microsoft.us",
        "x.api.high.powerplatform.microsoft.us",
        "x.api.appsplatform.us",
        "PROD-01.westeurope.LOGIC.azure.com",
    ],
)
@together
async def test_the_flows_of_all_clouds_are_allowed(asking, host):
    at = (datetime.now(UTC) + timedelta(days=7)).isoformat()  # long after this test
    url = f"https://{host}/workflows/{uuid.uuid4()}/run?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sig=a-b_c"
    body = {"tenant": CONTOSO, "recipients": ["a@b.c"], "message": "Hello", "callbackUrl": url, "sendAt": at}
    reply = await asking.stack.post(body)
    reply.ok(201)


@together
async def test_a_wrong_callback_url_is_told_with_all_other_errors(asking):
    body = {"recipients": [], "mesage": "Hello", "callbackUrl": "https://example.com/", "bot": "nobody"}
    reply = await asking.stack.post(body)
    assert reply.status == 400
    assert {"/recipients", "/mesage", "/callbackUrl"} <= set(reply.pointers)


# Event sources


@pytest.mark.parametrize("form", ["bare", "event"])
@together
async def test_an_event_can_be_called_back(asking, form):
    (ada,) = await asking.stack.join(1)
    run = asking.flows.run()
    body = asking.body([ada], run=run)
    event = {"id": str(uuid.uuid4()), "topic": "orders", "eventType": "x", "data": body}
    await asking.stack.put(json.dumps(body if form == "bare" else event))
    await asking.card(ada)
    await asking.press(ada)
    told = await run.called_once()
    assert (told["outcome"], told["submitActionId"]) == ("responded", "Approve")
    assert (await asking.status(told))["status"] == "completed"
    unsubscribe = {"callbackUrl": run.url}
    assert (await asking.stack.request("POST", "/api/v1/unsubscribe", json_body=unsubscribe)).status == 204


@together
async def test_the_callback_url_is_the_idempotency_key_of_a_message_that_has_no_other(asking):
    ada, alan = await asking.stack.join(2)
    run = asking.flows.run()
    message = json.dumps(asking.body([ada], run=run))
    for _ in range(2):
        await asking.stack.put(message)
    await asking.card(ada)
    await asking.stack.put(json.dumps(asking.body([alan])))
    await asking.card(alan)
    await asyncio.sleep(2)
    assert len(asking.stack.got(ada)) == 1


@together
async def test_a_message_with_a_refused_callback_url_is_rejected(asking):
    (ada,) = await asking.stack.join(1)
    url = f"https://evil.example/x?sig={SIGNATURE}"
    message = await asking.stack.put(json.dumps({**asking.body([ada]), "callbackUrl": url}))

    async def listed():
        rejected = (await asking.stack.get("/api/ops/rejected?top=100")).ok()["rejected"]
        return next((entry for entry in rejected if entry["messageId"] == message), None)

    assert "/callbackUrl" in json.dumps(await until(listed))
    assert asking.stack.got(ada) == []
