"""Event sources drop sends on the queue `sends`."""

import base64
import json
import uuid

import pytest

from tests.stack import until


def plain(text: str) -> str:
    return text


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def send_to(person, **more):
    return {"recipients": [person.object_id], "message": f"Hello {uuid.uuid4()}", **more}


def bare(send):
    return send


def bare_with_id(send):
    return {"id": str(uuid.uuid4()), **send}


def cloud_event(send):
    return {
        "specversion": "1.0",
        "type": "com.contoso.order.ready",
        "source": "/orders",
        "id": str(uuid.uuid4()),
        "time": "2026-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "data": send,
    }


def cloud_event_with_text(send):
    return {**cloud_event(send), "data": json.dumps(send)}


def cloud_event_with_base64(send):
    event = cloud_event(send)
    del event["data"]
    return {**event, "data_base64": encoded(json.dumps(send))}


def grid_event(send):
    return {
        "id": str(uuid.uuid4()),
        "topic": "/subscriptions/x/resourceGroups/y",
        "subject": "orders/4711",
        "eventType": "OrderReady",
        "eventTime": "2026-01-01T00:00:00Z",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "data": send,
    }


def grid_event_with_text(send):
    return {**grid_event(send), "data": json.dumps(send)}


def grid_events(send):
    return [grid_event(send)]


@pytest.mark.parametrize("encoding", [plain, encoded])
@pytest.mark.parametrize(
    "form",
    [bare, bare_with_id, cloud_event, cloud_event_with_text, cloud_event_with_base64, grid_event,
     grid_event_with_text, grid_events],
)  # fmt: skip
async def test_a_message_on_the_queue_is_a_send(stack, form, encoding):
    (ada,) = await stack.join(1)
    send = send_to(ada)
    await stack.put(encoding(json.dumps(form(send))))
    await stack.teams.wait_delivered(ada)
    assert stack.texts(ada) == [send["message"]]


@pytest.mark.parametrize("text", ["\ufeff{}", " \n{}\n ", "{}"])
async def test_white_space_and_a_mark_around_a_message_do_no_harm(stack, text):
    (ada,) = await stack.join(1)
    await stack.put(text.replace("{}", json.dumps(send_to(ada))))
    await stack.teams.wait_delivered(ada)


@pytest.mark.parametrize("form", [bare_with_id, cloud_event, grid_event])
async def test_the_same_event_twice_is_one_message(stack, form):
    ada, alan = await stack.join(2)
    event = json.dumps(form(send_to(ada)))
    for _ in range(3):
        await stack.put(event)
    await stack.put(json.dumps(send_to(alan)))
    await stack.teams.wait_delivered(alan)
    await stack.teams.wait_delivered(ada)

    async def taken():
        return not await stack.peek("sends")

    await until(taken)
    assert len(stack.got(ada)) == 1


async def test_the_id_of_the_message_beats_the_events(stack):
    (ada,) = await stack.join(1)
    send = {"id": str(uuid.uuid4()), **send_to(ada)}
    for _ in range(2):
        await stack.put(json.dumps(cloud_event(send)))
    (alan,) = await stack.join(1)
    await stack.put(json.dumps(send_to(alan)))
    await stack.teams.wait_delivered(alan)
    await stack.teams.wait_delivered(ada)
    assert len(stack.got(ada)) == 1


async def test_the_same_id_from_two_sources_is_two_sends(stack):
    (ada,) = await stack.join(1)
    event = cloud_event(send_to(ada))
    await stack.put(json.dumps(event))
    await stack.put(json.dumps({**event, "source": "/invoices"}))
    await stack.teams.wait_delivered(ada, 2)


async def test_an_id_is_the_idempotency_key_that_http_has(stack):
    (ada,) = await stack.join(1)
    key, send = str(uuid.uuid4()), send_to(ada)
    (await stack.post(send, key=key, wait=30)).ok(200)
    await stack.put(json.dumps({"id": key, **send}))

    async def taken():
        return not await stack.peek("sends")

    await until(taken)
    assert len(stack.got(ada)) == 1


INVALID = {
    "no json": "nonsense",
    "cut short": '{"recipients": ["a@b.c"], "message": "x"',
    "no send": '{"hello": "world"}',
    "a typo": '{"recipients": ["a@b.c"], "mesage": "x"}',
    "a list": "[1, 2]",
    "a number": "5",
    "null": "null",
    "bytes": base64.b64encode(b"\xff\xfe\x00").decode(),
    "base64 of nothing useful": encoded("nonsense"),
    "an event without data": json.dumps({k: v for k, v in cloud_event({}).items() if k != "data"}),
    "an event with broken data": json.dumps({**cloud_event({}), "data": "{"}),
    "everyone": '{"recipients": [{"everyone": true}], "message": "x"}',
    "too large": json.dumps({"recipients": ["a@b.c"], "message": "x" * 52_000}),
    "a wrong id": '{"id": 5, "recipients": ["a@b.c"], "message": "x"}',
    "template": json.dumps({"recipients": ["a@b.c"], "card": {"type": "AdaptiveCard", "version": "1.5", "x": "${y}"}}),
}


@pytest.mark.parametrize("name", INVALID)
async def test_what_is_no_send_waits_for_a_person_and_says_why(stack, name):
    message_id = await stack.put(INVALID[name])

    async def listed():
        rejected = (await stack.get("/api/ops/rejected?top=50")).ok()["rejected"]
        return next((entry for entry in rejected if entry["messageId"] == message_id), None)

    entry = await until(listed)

    assert entry["reason"]
    assert entry["rejectedAt"]
    poisoned = await stack.peek("sends-poison")
    assert any(text in (INVALID[name], encoded(INVALID[name])) for text in poisoned) or len(poisoned) == 32


async def test_rejected_messages_are_listed_newest_first_in_pages(stack):
    sent = [await stack.put(f'{{"n": {n}}}') for n in range(3)]

    async def all_there():
        page = (await stack.get("/api/ops/rejected?top=100")).ok()
        return page if set(sent) <= {entry["messageId"] for entry in page["rejected"]} else None

    everything = (await until(all_there))["rejected"]
    times = [entry["rejectedAt"] for entry in everything]
    assert times == sorted(times, reverse=True)
    first = (await stack.get("/api/ops/rejected?top=2")).ok()
    second = (await stack.get(f"/api/ops/rejected?top=2&continuation={first['continuation']}")).ok()
    listed = [entry["messageId"] for entry in first["rejected"] + second["rejected"]]
    assert listed == [entry["messageId"] for entry in everything][:4]


async def test_the_same_key_with_other_content_is_not_lost_either(stack):
    (ada,) = await stack.join(1)
    key = str(uuid.uuid4())
    await stack.put(json.dumps({"id": key, **send_to(ada)}))
    await stack.teams.wait_delivered(ada)
    message_id = await stack.put(json.dumps({"id": key, **send_to(ada)}))

    async def listed():
        rejected = (await stack.get("/api/ops/rejected?top=50")).ok()["rejected"]
        return message_id in {entry["messageId"] for entry in rejected}

    await until(listed)
    assert len(stack.got(ada)) == 1
