"""What the connector's routes do is what the Swagger file says, whatever is asked of them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local import connector
from tests.e2e.flow import Flows
from tests.stack import Stack

SEED, EXAMPLES = "20261201", "15"
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance", "unsupported_method")  # fmt: skip


@pytest.fixture(scope="module")
async def fuzzed() -> AsyncIterator[Stack]:
    async with Stack.running(settings={"PROACTIVE_BOT_NAME": "fuzz"}) as stack:
        await stack.join(1)
        yield stack


def closed(node: Any) -> Any:
    """Return the document with no place for members that it does not name, so that none goes unnoticed."""
    if isinstance(node, list):
        return [closed(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    inside = {name: closed(inner) for name, inner in node.items()}
    return {"additionalProperties": False, **inside} if isinstance(node.get("properties"), dict) else inside


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
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "schemathesis.cli", "run", str(file), "--url", fuzzed.url, "--no-color",
            "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES,
            "--seed", SEED, "--generation-deterministic", "--no-shrink", "--header", "Prefer: wait=1",
            "--suppress-health-check", "all", "--warnings", "off", "--request-timeout", "30", "--continue-on-failure",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, said.decode()
