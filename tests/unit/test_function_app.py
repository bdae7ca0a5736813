"""The map of the app, as Microsoft's worker library indexes it: doors with their keys, queues with their functions."""

import json
from typing import Any

import pytest

from local.host import host_json
from proactive.deliver import _TURN
from proactive.store.account import QUEUES, SENDS
from tests.unit.fresh import ROOT, attempt, run

SCRIPT = """
import asyncio, json
from pathlib import Path
from local.host import worker
functions = asyncio.run(worker.load(Path.cwd()))
worker.close()
print(json.dumps({function.name: function.trigger for function in functions}))
"""

DOORS = {
    "v1": ("v1/{*path}", "FUNCTION"),
    "ops": ("ops/{*path}", "FUNCTION"),
    "outcomes": ("outcomes/{id}/{secret}", "ANONYMOUS"),
    "messages": ("messages", "ANONYMOUS"),
    "health": ("health", "ANONYMOUS"),
    "ui": ("ui/{*path}", "ANONYMOUS"),
}


@pytest.fixture(scope="module")
def triggers() -> dict[str, dict[str, Any]]:
    """Index the app in a process of its own, since the library keeps what it has loaded in its globals."""
    said = run(SCRIPT, PROACTIVE_LOCAL="true", AzureWebJobsStorage="UseDevelopmentStorage=true")
    found: dict[str, dict[str, Any]] = json.loads(said.splitlines()[-1])
    return found


def of_kind(triggers: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {name: trigger for name, trigger in triggers.items() if trigger["type"] == kind}


def test_every_door_is_one_function_with_its_own_key_or_none(triggers: dict[str, dict[str, Any]]) -> None:
    doors = of_kind(triggers, "httpTrigger")
    assert {name: (door["route"], door["authLevel"]) for name, door in doors.items()} == DOORS


def test_a_door_answers_every_method_itself_so_that_405_can_say_why(triggers: dict[str, dict[str, Any]]) -> None:
    for door in of_kind(triggers, "httpTrigger").values():
        assert set(door["methods"]) == {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}


def test_every_queue_has_one_function_and_so_has_what_went_wrong_on_it(triggers: dict[str, dict[str, Any]]) -> None:
    # What is no send waits on `sends-poison` for a person: a function there would take it away.
    waiting_for_a_person = f"{SENDS}-poison"
    expected = {*QUEUES, *(f"{queue}-poison" for queue in QUEUES)} - {waiting_for_a_person}
    queues = [trigger["queueName"] for trigger in of_kind(triggers, "queueTrigger").values()]
    assert sorted(queues) == sorted(expected)


def test_a_function_is_called_as_its_queue(triggers: dict[str, dict[str, Any]]) -> None:
    # Operators read the names of functions in Azure's pages and look for the queue.
    for name, trigger in of_kind(triggers, "queueTrigger").items():
        assert name.replace("_", "-") == trigger["queueName"]


def test_every_queue_is_on_the_storage_account_of_the_settings(triggers: dict[str, dict[str, Any]]) -> None:
    connections = {trigger["connection"] for trigger in of_kind(triggers, "queueTrigger").values()}
    assert connections == {"AzureWebJobsStorage"}


def test_nothing_else_starts_a_function(triggers: dict[str, dict[str, Any]]) -> None:
    # Time is a message on `timers`: a second scheduler would be a second truth.
    assert {trigger["type"] for trigger in triggers.values()} == {"httpTrigger", "queueTrigger"}


def test_a_missing_setting_stops_the_app_with_its_sentence() -> None:
    finished = attempt(SCRIPT)
    assert finished.returncode != 0
    assert finished.stderr.splitlines()[-1].endswith(
        "AzureWebJobsStorage is missing: set it to a connection string, or set AzureWebJobsStorage__accountName."
    )


def test_host_json_is_what_the_host_understands_and_what_the_service_relies_on() -> None:
    host = host_json.read(ROOT)
    assert host.route_prefix == "api"
    assert host.queues.base64 is False  # messages are plain JSON; a sender's base64 is undone by events.read
    assert host.queues.max_polling_interval <= 1  # seconds: a queue that fell asleep wakes soon
    assert host.queues.max_dequeue_count == 5
    assert host.queues.visibility_timeout <= 30  # seconds until a message that failed cleanly is tried again
    assert 1 <= host.queues.batch_size <= 32
    assert host.function_timeout is not None
    assert host.function_timeout <= 600  # seconds: what any plan allows


def test_host_json_has_nothing_that_azure_does_not_know() -> None:
    document = json.loads((ROOT / "host.json").read_text())
    assert document["version"] == "2.0"
    assert document["telemetryMode"] == "OpenTelemetry"
    assert set(document) <= {
        "version",
        "functionTimeout",
        "extensionBundle",
        "extensions",
        "logging",
        "concurrency",
        "retry",
        "telemetryMode",
    }
    assert set(document["extensions"]) <= {"http", "queues"}
    assert set(document["extensions"]["queues"]) <= {
        "maxPollingInterval",
        "visibilityTimeout",
        "batchSize",
        "newBatchThreshold",
        "maxDequeueCount",
        "messageEncoding",
    }
    assert document["extensionBundle"]["id"] == "Microsoft.Azure.Functions.ExtensionBundle"


def test_a_lane_hands_itself_on_before_the_host_would_stop_it() -> None:
    timeout = host_json.read(ROOT).function_timeout
    assert timeout is not None
    assert timeout / 2 > _TURN
