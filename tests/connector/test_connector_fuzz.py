"""What the connector's routes do is what the Swagger file says, whatever is asked of them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local import connector
from tests.e2e.flow import Flows
from tests.fuzz.documented import ask_whatever, closed
from tests.stack import Stack


@pytest.fixture(scope="module")
async def fuzzed() -> AsyncIterator[Stack]:
    async with Stack.running(settings={"PROACTIVE_BOT_NAME": "fuzz"}) as stack:
        await stack.join(1)
        yield stack


def reachable(document: Any, send: str, person: str, url: str) -> Any:
    """Return the document with examples that lead to what is there."""
    for path in document["paths"].values():
        for method, operation in path.items():
            if method.startswith("x-"):
                continue
            for parameter in operation["parameters"]:
                if parameter["name"] == "send":
                    parameter["x-example"] = send
    for name in ("PostMessageRequest", "PostCardRequest"):
        document["definitions"][name]["example"]["recipient"] = person
    question = document["definitions"]["PostCardAndWaitRequest"]["example"]
    question["notificationUrl"], question["body"]["recipient"] = url, person
    return document


@pytest.mark.timeout(120)
async def test_whatever_is_asked_the_answer_is_documented(fuzzed, tmp_path):
    (ada,) = await fuzzed.join(1)
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    send = (await fuzzed.accepted([ada.object_id], sendAt=later))["id"]
    async with Flows().open() as flows:
        document = reachable(closed(connector.document()), send, ada.object_id, flows.run().url)
        document["schemes"] = ["http"]
        file = tmp_path / "apiDefinition.swagger.json"
        file.write_text(json.dumps(document))
        await ask_whatever(
            file, fuzzed.url, "--header", "Prefer: wait=1", phases="examples,coverage,fuzzing", examples=15
        )
