"""What a span tells of a step: which send it is of, which trace it is in, how it ended; and nothing else."""

import re
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, get_current_span

from proactive import telemetry
from proactive.model import Options, Send
from tests.telemetry.names import documented_metrics

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = int(CALLER.split("-")[1], 16)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    provider, kept = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("tests"))
    return kept


def a_send(trace: str = "") -> Send:
    return Send("send1", "s", "h", "bot", "tenant", 0.0, None, Options(), {}, 1, trace=trace)


def test_the_first_step_begins_the_trace_of_a_send_within_that_of_its_caller(spans: InMemorySpanExporter) -> None:
    send = a_send()

    with telemetry.invoked("v1", CALLER), telemetry.step("accept", send):
        pass

    (span,) = spans.get_finished_spans()
    assert span.context.trace_id == TRACE
    assert send.trace == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"


def test_without_a_caller_it_begins_a_trace_of_its_own(spans: InMemorySpanExporter) -> None:
    first, second = a_send(), a_send()

    for send in (first, second):
        with telemetry.invoked("sends", None), telemetry.step("accept", send):
            pass

    assert first.trace.split("-")[1] != second.trace.split("-")[1]
    assert [span.parent for span in spans.get_finished_spans()] == [None, None]


def test_a_later_step_is_in_the_trace_of_the_send_wherever_it_is_made_and_leads_there(
    spans: InMemorySpanExporter,
) -> None:
    elsewhere = "00-11111111111111111111111111111111-2222222222222222-01"

    with telemetry.invoked("lanes", elsewhere), telemetry.step("deliver", a_send(CALLER), verb="send"):
        pass

    (span,) = spans.get_finished_spans()
    assert (span.context.trace_id, span.parent and span.parent.span_id) == (TRACE, int(CALLER.split("-")[2], 16))
    assert [f"{link.context.trace_id:x}" for link in span.links] == ["1" * 32]
    assert dict(span.attributes or {}) == {"proactive.send": "send1", "proactive.verb": "send"}


def test_an_invocation_in_the_same_trace_needs_no_link(spans: InMemorySpanExporter) -> None:
    with telemetry.invoked("v1", CALLER), telemetry.step("end", a_send(CALLER)):
        pass

    assert spans.get_finished_spans()[0].links == ()


def test_an_error_is_told_by_its_type_alone(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Ada"), telemetry.step("plan", a_send()):
        raise ValueError("what Ada wrote")

    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
    assert span.events == ()
    assert "Ada" not in span.to_json()


@pytest.mark.parametrize("traceparent", ["", None, "nonsense", "00-0-0-00", "ff" * 200])
def test_a_caller_who_names_no_trace_does_no_harm(spans: InMemorySpanExporter, traceparent: str | None) -> None:
    with telemetry.invoked("v1", traceparent), telemetry.step("accept", a_send()):
        pass

    assert spans.get_finished_spans()[0].parent is None


def test_what_was_entered_is_left_again(spans: InMemorySpanExporter) -> None:
    with pytest.raises(KeyError), telemetry.invoked("v1", CALLER):
        raise KeyError

    assert not get_current_span().get_span_context().is_valid
    with telemetry.step("accept", a_send()):
        pass
    assert spans.get_finished_spans()[0].parent is None


def test_of_a_turn_some_that_arrived_are_told_and_some_that_did_not(spans: InMemorySpanExporter) -> None:
    sample = telemetry.Sample()

    for number in range(100):
        sample.tell(1_000 + number, "Throttled" if number % 2 else "", arrived=number % 2 == 0)

    told = [span.status.status_code for span in spans.get_finished_spans()]
    assert (told.count(StatusCode.OK), told.count(StatusCode.ERROR)) == (10, 10)
    assert spans.get_finished_spans()[0].start_time == 1_000


def test_a_send_that_was_kept_before_there_were_traces_gets_one(spans: InMemorySpanExporter) -> None:
    with telemetry.step("deliver", a_send("")):
        pass

    assert spans.get_finished_spans()[0].parent is None


def test_every_metric_is_documented() -> None:
    source = Path(telemetry.__file__).read_text(encoding="utf-8")

    assert set(re.findall(r'create_\w+\("([^"]+)"', source)) == set(documented_metrics())


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("", ""),
        ("notInstalled", "notInstalled"),
        ("HTTP 503", "HTTP 503"),
        ("ConversationNotFound", "ConversationNotFound"),
        ("ambiguousRecipient: Ada Lovelace <ada@contoso.com>", "ambiguousRecipient"),
        ("unreadable roster", "other"),
        ("ada@contoso.com", "other"),
        ("Ada Lovelace", "other"),
        ("x" * 65, "other"),
    ],
)
def test_a_reason_is_told_as_a_word_and_not_what_stands_behind_it(reason: str, told: str) -> None:
    assert telemetry.word(reason) == told
