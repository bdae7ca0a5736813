"""What the doors do is what their OpenAPI document says, whatever is asked of them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs
import pytest

from local import openapi
from tests.fuzz.documented import ask_whatever, closed
from tests.stack import SENDS, Reply, Stack, ids, until

BOT = "fuzz"
DOCUMENT = openapi.document()


@pytest.fixture(scope="module")
async def fuzzed() -> AsyncIterator[Stack]:
    async with Stack.running(settings={"PROACTIVE_BOT_NAME": BOT}) as stack:
        await stack.join(1, named=True)
        yield stack


def conforms(reply: Reply, method: str, path: str) -> int:
    """Fail where an answer is not as documented; return its status."""
    answers = DOCUMENT["paths"][path][method]["responses"]
    assert str(reply.status) in answers, (reply.status, reply.text)
    answer = answers[str(reply.status)]
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    kind = reply.headers.get("Content-Type", "").partition(";")[0]
    if "content" not in answer:
        assert reply.text == ""
    elif kind.endswith("json"):
        schema = {**answer["content"][kind]["schema"], "components": DOCUMENT["components"]}
        validator = jsonschema_rs.Draft202012Validator(closed(schema), validate_formats=True)
        assert [str(error) for error in validator.iter_errors(reply.body)] == []
    else:
        assert kind in answer["content"]
    for name, header in answer.get("headers", {}).items():
        assert not header.get("required") or name in reply.headers
    return reply.status


async def test_answers_are_as_documented(fuzzed):
    (ada,) = await fuzzed.join(1)
    (nobody,) = fuzzed.strangers(1)
    scheduled = await fuzzed.accepted(
        [ada.object_id], sendAt=(datetime.now(UTC) + timedelta(days=1)).isoformat(), options={"parallelism": 3}
    )
    outcome = "/api/outcomes/{id}/{secret}"
    one = "/api/v1/sends/{send}"
    path = f"{SENDS}/{scheduled['id']}"
    hello = {"recipients": [ada.object_id], "message": "Hello"}

    async def asked(status, method, template, address, **more) -> Reply:
        reply = await fuzzed.request(method, address, **more)
        assert conforms(reply, method.lower(), template) == status
        return reply

    assert conforms(await fuzzed.post(hello), "post", SENDS) == 202
    assert conforms(await fuzzed.post(hello, wait=30), "post", SENDS) == 200
    failed = await fuzzed.post({**hello, "recipients": ids([nobody, ada])}, wait=30)
    assert conforms(failed, "post", SENDS) == 424
    assert conforms(await fuzzed.post({"bot": 5}), "post", SENDS) == 400
    assert conforms(await fuzzed.post({**hello, "recipients": [{"everyone": True}]}), "post", SENDS) == 403
    assert conforms(await fuzzed.post({**hello, "message": "x" * 60_000}), "post", SENDS) == 413
    await asked(415, "POST", SENDS, SENDS, data="x", headers={"Content-Type": "text/plain"})
    for message, status in (("a", 202), ("b", 422)):
        reply = await fuzzed.post({**hello, "message": message}, key="once")
        assert conforms(reply, "post", SENDS) == status

    await asked(202, "GET", outcome, scheduled["outcomeUrl"])
    await asked(404, "GET", outcome, scheduled["outcomeUrl"] + "x")
    await asked(200, "GET", one, path)
    await asked(204, "DELETE", one, path)
    await fuzzed.outcome(scheduled)
    await asked(200, "GET", outcome, scheduled["outcomeUrl"])
    cancelled = (await asked(200, "GET", one, path)).body
    assert {"sendAt", "cancelledAt", "completedAt"} <= set(cancelled)
    sent = f"{SENDS}/{failed.body['id']}/recipients"
    await asked(200, "GET", one + "/recipients", sent)
    await asked(200, "GET", one + "/recipients", sent, headers={"Accept": "text/csv"})
    await asked(400, "GET", one + "/recipients", f"{sent}?top=0")
    await asked(404, "GET", one, f"{SENDS}/x")

    verb, of = "/api/ops/sends/{send}/", f"/api/ops/sends/{failed.body['id']}/"
    await asked(409, "POST", verb + "retry", of + "retry")
    await asked(200, "POST", verb + "update", of + "update", json_body={"message": "x"}, headers={"Prefer": "wait=20"})
    recalled = await asked(202, "POST", verb + "recall", of + "recall")
    await fuzzed.outcome(recalled.body)
    await asked(200, "GET", one, f"{SENDS}/{recalled.body['id']}")
    assert conforms(await fuzzed.post({**hello, "dryRun": True}), "post", SENDS) == 200
    for name in ("pause", "resume"):
        await asked(200, "POST", f"/api/ops/{name}", f"/api/ops/{name}", json_body={})
    await asked(200, "GET", "/api/ops/bots", "/api/ops/bots")

    await asked(200, "GET", "/api/v1/bots", "/api/v1/bots")
    for person in (ada, nobody):
        await asked(200, "GET", "/api/v1/bots/{bot}/users/{user}", f"/api/v1/bots/{BOT}/users/{person.object_id}")
        status = 204 if person is ada else 404
        address = f"/api/ops/bots/{BOT}/users/{person.object_id}/idle"
        await asked(status, "POST", "/api/ops/bots/{bot}/users/{user}/idle", address)
    await asked(200, "GET", "/api/ops/sends", "/api/ops/sends?top=3")
    content = "/api/ops/sends/{send}/content"
    for send in (failed.body, recalled.body):  # the second one has none
        await asked(200, "GET", content, content.replace("{send}", send["id"]))
    await fuzzed.put("no send")

    async def rejected() -> bool:
        return bool((await fuzzed.get("/api/ops/rejected")).body["rejected"])

    await until(rejected)
    await asked(200, "GET", "/api/ops/rejected", "/api/ops/rejected")
    await asked(200, "GET", "/api/health", "/api/health")
    await asked(200, "GET", "/api/ui", "/api/ui")


def reachable(document: Any, known: dict[str, str]) -> Any:
    """Return the document with examples for what its paths name, and with answers held for a second at most."""
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path":
                    parameter["example"] = known[parameter["name"]]
                elif parameter["name"] == "Prefer":
                    parameter["schema"] = {"enum": ["wait=0", "wait=1"]}
    return document


@pytest.mark.timeout(120)
async def test_whatever_is_asked_the_answer_is_documented(fuzzed, tmp_path):
    (ada,) = await fuzzed.join(1)
    accepted = await fuzzed.accepted([ada.object_id], sendAt=(datetime.now(UTC) + timedelta(days=2)).isoformat())
    send, _, secret = accepted["outcomeUrl"].partition("/outcomes/")[2].partition("/")
    known = {"send": send, "bot": BOT, "user": ada.object_id, "id": send, "secret": secret}
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(reachable(closed(DOCUMENT), known)))
    await ask_whatever(document, fuzzed.url, phases="examples,coverage,fuzzing,stateful", examples=10)
