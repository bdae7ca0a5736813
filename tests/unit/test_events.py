"""Sends from event sources: what a message on the queue `sends` holds, and which key makes it unique."""

import base64
import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proactive.accept import idempotency_key
from proactive.events import read, take
from proactive.problems import ProblemError
from proactive.service import Service
from proactive.settings import Bot, Settings, StorageAccount
from proactive.store.account import QueueReceipt

SEND: dict[str, Any] = {"recipients": ["ada@contoso.com"], "message": "Grüße 😀"}


def cloud_event(**changes: Any) -> dict[str, Any]:
    event = {"specversion": "1.0", "id": "e1", "source": "/orders", "type": "order.ready", "data": SEND, **changes}
    return {name: value for name, value in event.items() if value is not None}


def grid_event(**changes: Any) -> dict[str, Any]:
    return {
        "id": "e1",
        "topic": "/subscriptions/s/topics/orders",
        "subject": "4711",
        "eventType": "order.ready",
        "eventTime": "2026-09-21T12:00:00Z",
        "dataVersion": "1",
        "metadataVersion": "1",
        "data": SEND,
        **changes,
    }


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def as_base64(value: Any) -> str:
    return base64.b64encode(as_json(value)).decode()


def problem(message: bytes) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        read(message, "m1")
    assert caught.value.status == 400
    assert caught.value.errors
    return caught.value


WRAPPED = {
    "bare": SEND,
    "CloudEvents, data as an object": cloud_event(),
    "CloudEvents, data as a text": cloud_event(data=json.dumps(SEND)),
    "CloudEvents, data as base64": cloud_event(data=None, data_base64=as_base64(SEND)),
    "CloudEvents with extensions": cloud_event(traceparent="00-1", datacontenttype="application/json", subject="4711"),
    "Event Grid": grid_event(),
    "Event Grid, data as a text": grid_event(data=json.dumps(SEND)),
    "Event Grid in an array": [grid_event()],
    "CloudEvents in an array": [cloud_event()],
}
ENCODED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda text: text,
    "base64": base64.b64encode,
    "plain with white space around": lambda text: b"\n " + text + b"\r\n",
    "base64 with white space around": lambda text: b" " + base64.b64encode(text) + b"\n",
    "plain with a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "base64 in lines": base64.encodebytes,
    "base64 with a byte order mark": lambda text: base64.b64encode(b"\xef\xbb\xbf" + text),
}


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("wrapping", WRAPPED)
def test_a_send_is_found_in_every_wrapping(wrapping: str, encoding: str) -> None:
    for text in (as_json(WRAPPED[wrapping]), json.dumps(WRAPPED[wrapping], ensure_ascii=False, indent=1).encode()):
        body, _ = read(ENCODED[encoding](text), "m1")
        assert body == SEND


# --- keys


def key(value: Any, message_id: str = "m1") -> str:
    return read(as_json(value), message_id)[1]


def test_the_field_id_is_the_key_and_is_no_field_of_the_send() -> None:
    assert read(as_json({**SEND, "id": "order-4711"}), "m1") == (SEND, key({**SEND, "id": "order-4711"}, "m2"))


def test_the_field_id_is_the_same_key_as_the_header_of_a_request() -> None:
    for given_id in ("order-4711", " order-4711 ", "x" * 256):
        assert key({**SEND, "id": given_id}) == idempotency_key({"idempotency-key": given_id})


def test_an_id_that_is_null_is_as_good_as_left_out() -> None:
    assert read(as_json({**SEND, "id": None}), "m1") == (SEND, "message:m1")
    assert read(as_json(cloud_event(data={**SEND, "id": None})), "m1") == read(as_json(cloud_event()), "m1")


@pytest.mark.parametrize("wrap", [cloud_event, grid_event])
def test_the_messages_own_id_comes_before_the_events(wrap: Any) -> None:
    inner = {**SEND, "id": "order-4711"}
    body, found = read(as_json(wrap(data=inner)), "m1")
    assert body == SEND
    assert found == key(inner)
    assert key(wrap(data=inner, id="e2")) == found


@pytest.mark.parametrize(
    "repeated", [cloud_event(), grid_event(), [grid_event()], cloud_event(data=None, data_base64=as_base64(SEND))]
)
def test_an_event_that_is_delivered_again_has_the_same_key(repeated: Any) -> None:
    assert key(repeated, "m1") == key(repeated, "m2")


def test_events_are_told_apart_by_source_and_id() -> None:
    events = [
        cloud_event(),
        cloud_event(id="e2"),
        cloud_event(source="/returns"),
        cloud_event(source=None),
        grid_event(),
        grid_event(id="e2"),
        grid_event(topic="/other"),
        cloud_event(source="/orders/e", id="1"),
        {**SEND, "id": "e1"},
        SEND,
    ]
    keys = [key(event) for event in events]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("event", [SEND, cloud_event(id=None), cloud_event(id=""), grid_event(id="")])
def test_without_an_id_of_its_own_a_message_is_unique_by_storages_id(event: Any) -> None:
    assert key(event, "m1") == key(event, "m1")
    assert key(event, "m1") != key(event, "m2")


def test_no_event_can_take_the_key_of_a_request_or_of_another_message() -> None:
    crafted = [cloud_event(source="key:", id="order-4711"), cloud_event(source=None, id="key:order-4711")]
    assert key({**SEND, "id": "order-4711"}) not in [key(event) for event in crafted]
    assert key(SEND, "m1") not in [key(cloud_event(source="message:", id="m1")), key({**SEND, "id": "message:m1"})]


@given(st.tuples(st.text(max_size=3), st.text(min_size=1, max_size=3)), st.tuples(st.text(), st.text(min_size=1)))
@example(("ab", "c"), ("a", "bc"))
@example(("a", 'b", "c'), ('a", "b', "c"))
def test_two_events_share_a_key_only_when_source_and_id_agree(one: tuple[str, str], other: tuple[str, str]) -> None:
    keys = [key(cloud_event(source=source, id=event_id)) for source, event_id in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


# --- what is no send


@pytest.mark.parametrize("given_id", ["", "  ", "x" * 257, 7, [], {"a": 1}, True])
def test_an_id_that_cannot_be_a_key_is_refused(given_id: object) -> None:
    for message in ({**SEND, "id": given_id}, cloud_event(data={**SEND, "id": given_id})):
        assert [error.pointer for error in problem(as_json(message)).errors] == ["/id"]


@pytest.mark.parametrize(
    ("message", "pointer", "said"),
    [
        (b"", "", "line 1"),
        (b"Hello", "", "line 1"),
        (b"{", "", "line 1"),
        (b'{"recipients": ["ada"],\n "message": "Hi",}', "", "line 2"),
        (base64.b64encode(b'{"a": 1,\n}'), "", "line 1"),
        (b"\xff\xfe{", "", "UTF-8"),
        (base64.b64encode(b"\xff\xfe\xfd"), "", "UTF-8"),
        (as_json(cloud_event(data="Hello")), "/data", "line 1"),
        (as_json(cloud_event(data="")), "/data", "line 1"),
        (as_json(cloud_event(data=None, data_base64="***")), "/data_base64", "base64"),
        (as_json(cloud_event(data=None, data_base64="YQ")), "/data_base64", "base64"),
        (as_json(cloud_event(data=None, data_base64="Grüße")), "/data_base64", "base64"),
        (as_json(cloud_event(data=None, data_base64="SGVsbG8=")), "/data_base64", "line 1"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_place_at_fault(message: bytes, pointer: str, said: str) -> None:
    (error,) = problem(message).errors
    assert error.pointer == pointer
    assert said in error.detail


def test_a_batch_is_not_taken_for_a_send() -> None:
    # Event Grid delivers one event a message; two sends in one message could not be kept or refused on their own.
    batch = [grid_event(), grid_event(id="e2")]
    assert read(as_json(batch), "m1")[0] == batch  # no object: refused like any other body that is none


def test_an_event_without_data_holds_no_send() -> None:
    assert read(as_json(cloud_event(data=None)), "m1")[0] is None


# --- what becomes of it


class Storage:
    """What taking a message needs of a service when the message is no send."""

    def __init__(self) -> None:
        self.settings = Settings(storage=StorageAccount(), bots=(Bot("default"),))
        self.conversations = self
        self.account = self.rejected = self
        self.put_away: list[tuple[str, str]] = []
        self.reasons: list[tuple[float, str, str]] = []

    def clock(self) -> float:
        return 1_790_000_000.0

    async def tenants(self, _: str, _wanted: str = "") -> set[str]:
        return {"contoso"}

    async def put(self, queue: str, message: str) -> QueueReceipt:
        self.put_away.append((queue, message))
        return QueueReceipt(queue, "p1", "receipt")

    async def add(self, at: float, message_id: str, problem: dict[str, Any], reason: str, poison_id: str) -> None:
        assert problem["status"] == 400
        assert poison_id == "p1"
        self.reasons.append((at, message_id, reason))


@pytest.mark.parametrize(
    "message",
    [
        '{"recipients": ["ada@contoso.com"], "message": "Ada earns 900", "Ada earns\\n900": 1}',
        '{"recipients": [{"Ada earns 900": 1}], "message": "Ada earns 900"}',
        "Ada earns 900",
        base64.b64encode(b"Ada earns 900").decode(),
    ],
)
async def test_what_is_no_send_waits_for_a_person_and_the_log_holds_nothing_of_it(
    message: str, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN a message that is no send, WHEN it is taken
    storage = Storage()
    await take(cast("Service", storage), message.encode(), "m1")
    # THEN it stands on the poison queue as it came, and its reason is listed for operators
    assert storage.put_away == [("sends-poison", message)]
    assert [entry[:2] for entry in storage.reasons] == [(storage.clock(), "m1")]
    # AND the log tells that there was one, in one line without a word of the sender's
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "\n" not in record.getMessage()
    assert not [word for word in ("Ada", "earns", "contoso", "900") if word in record.getMessage()]


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["e30=", "{}", "Grüße"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["specversion", "eventType", "id", "source", "topic", "data", "data_base64", "recipients"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=10,
)


def key_or_problem(message: bytes, message_id: str) -> str | ProblemError:
    try:
        return read(message, message_id)[1]
    except ProblemError as refused:
        return refused


@given(
    st.binary(max_size=40) | nested.map(as_json) | nested.map(as_json).map(base64.b64encode),
    st.text(min_size=1, max_size=5),
)
def test_whatever_lies_on_the_queue_is_a_body_with_a_key_or_a_problem(message: bytes, message_id: str) -> None:
    found = key_or_problem(message, message_id)
    if isinstance(found, ProblemError):
        assert found.status == 400
        assert found.sentence
    else:
        assert found.startswith(("key:", "event:", "message:"))
        assert found not in ("key:", "event:")
