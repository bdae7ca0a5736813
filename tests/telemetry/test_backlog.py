"""Since when the oldest message of a queue could have been taken."""

import json

import pytest

from proactive.backlog import _due


def test_a_message_could_be_taken_since_it_was_put() -> None:
    assert _due("lanes", 1000.0, json.dumps({"at": 5000.0})) == 1000.0


def test_a_timer_since_it_was_due_however_long_ago_it_was_set() -> None:
    assert _due("timers", 1000.0, json.dumps({"to": "waits", "at": 5000.0, "body": {}})) == 5000.0


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"at": null}', '{"at": "soon"}'])
def test_a_timer_that_nobody_can_read_since_it_was_put(text: str) -> None:
    assert _due("timers", 1000.0, text) == 1000.0
