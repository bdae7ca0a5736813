"""What operators see of the service at work: spans and counts, by OpenTelemetry.

All spans of a send are in one trace. Days and processes may lie between its POST and its callback, so the trace is kept
with the send (`Send.trace`, a W3C traceparent) instead of being handed on by messages; each span is linked to the
invocation in which it was made:

    request of a flow ─▶ accept ─┬─▶ plan ─▶ deliver ─▶ teams, teams, …
                                 ├─▶ answer ─▶ end
                                 └─▶ callback

Nothing leaves the process until proactive.insights has been told where to. No attribute holds anything of a message or
a person: they are ids of sends, words of our own, codes and counts. docs/telemetry.md lists every name.
"""

import contextlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar

from opentelemetry import metrics, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from proactive.model import Result, Send

_SEND = "proactive.send"
_SAMPLE = 10  # messages a turn
_WORD = re.compile(r"(HTTP )?[A-Za-z0-9_.-]{1,64}")
_tracer = trace.get_tracer("proactive")
_meter = metrics.get_meter("proactive")
_w3c = TraceContextTextMapPropagator()
_function: ContextVar[str] = ContextVar("function", default="")

_accepted = _meter.create_counter("proactive.sends.accepted", "{send}", "Sends that were accepted.")
_deliveries = _meter.create_counter("proactive.deliveries", "{recipient}", "Recipients whose result became final.")
_in_doubt = _meter.create_counter("proactive.in_doubt", "{recipient}", "Messages that may or may not have arrived.")
_retries = _meter.create_counter("proactive.retries", "{attempt}", "Attempts that were put off to a later one.")
_requests = _meter.create_counter("proactive.teams.requests", "{request}", "Requests to Teams.")
_seconds = _meter.create_counter("proactive.teams.seconds", "s", "Time that Teams took to answer them, in all.")
_ceiling = _meter.create_gauge("proactive.ceiling", "{request}/s", "Requests a second allowed for a bot in a tenant.")
_waited = _meter.create_histogram("proactive.queue.wait", "s", "How long after its time a message was taken.")
_age = _meter.create_gauge("proactive.queue.age", "s", "How old the oldest visible message is.")
_length = _meter.create_gauge("proactive.queue.length", "{message}", "How many messages there are, about.")
_callbacks = _meter.create_counter("proactive.callbacks", "{attempt}", "Attempts to hand an outcome to a flow.")
_answers = _meter.create_counter("proactive.answers", "{answer}", "Answers to cards.")
_tokens = _meter.create_counter("proactive.tokens.failed", "{token}", "Tokens that could not be had.")
_asked: defaultdict[tuple[int, str, str], list[float]] = defaultdict(lambda: [0, 0.0])


@contextlib.contextmanager
def invoked(function: str, traceparent: str | None) -> Iterator[None]:
    """Mark what is done in here as part of an invocation of a function, whose span the host has begun."""
    named = _function.set(function)
    entered = attach(_w3c.extract({"traceparent": traceparent})) if traceparent else None
    try:
        yield
    finally:
        _count_requests()
        if entered is not None:
            detach(entered)
        _function.reset(named)


def step(name: str, send: Send, **attributes: str | int) -> contextlib.AbstractContextManager[Span]:
    """Tell of a step of a send by a span of its trace, which the send's first step begins.

    Of an error that ends it the span has the type alone: what an error says may hold what a person wrote.
    """
    return _spanned(name, send, SpanKind.INTERNAL, attributes)


def call(name: str, send: Send, **attributes: str | int) -> contextlib.AbstractContextManager[Span]:
    """Tell of a call to somebody else that a send asks for, as `step` does."""
    return _spanned(name, send, SpanKind.CLIENT, attributes)


@contextlib.contextmanager
def _spanned(name: str, send: Send, kind: SpanKind, attributes: Mapping[str, str | int]) -> Iterator[Span]:
    here = trace.get_current_span().get_span_context()
    context, links = None, []
    if send.trace:
        context = _w3c.extract({"traceparent": send.trace}, Context())
        if here.is_valid and here.trace_id != trace.get_current_span(context).get_span_context().trace_id:
            links = [Link(here)]
    with _tracer.start_as_current_span(
        name,
        context,
        kind,
        {_SEND: send.id, **{f"proactive.{key}": value for key, value in attributes.items()}},
        links,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        if not send.trace:
            send.trace = _traceparent()
        try:
            yield span
        except Exception as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def _traceparent() -> str:
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier.get("traceparent", "")


def answered(span: Span, reason: str, *, well: bool) -> None:
    """Tell by the span of a call how it was answered."""
    span.set_attribute("proactive.reason", word(reason))
    span.set_status(StatusCode.OK if well else StatusCode.ERROR)


class Sample:
    """Tells of a few of the many messages of a turn by a span each, of those that arrived and of those that did not."""

    def __init__(self) -> None:
        self._left = {True: _SAMPLE, False: _SAMPLE}

    def tell(self, began: int, reason: str, *, arrived: bool) -> None:
        """Tell of a message of which Teams has been asked since `began`, in nanoseconds since 1970."""
        if not self._left[arrived]:
            return
        self._left[arrived] -= 1
        span = _tracer.start_span("teams", kind=SpanKind.CLIENT, start_time=began)
        answered(span, reason, well=arrived)
        span.end()


def accepted() -> None:
    """Count a send that is new; the function that took it is its door."""
    _accepted.add(1, {"door": _function.get()})


def delivered(results: Iterable[Result]) -> None:
    """Count the results among these that are final, once they are in storage."""
    found = Counter((result.code, result.state, result.reason) for result in results if result.final)
    for (code, state, reason), count in found.items():
        _deliveries.add(count, {"code": str(code), "state": state.value, "reason": word(reason)})
    _count_requests()


def in_doubt(reason: str, count: int = 1) -> None:
    """Count messages of which nobody knows whether they arrived."""
    if count:
        _in_doubt.add(count, {"reason": word(reason)})


def retried(reason: str) -> None:
    """Count an attempt that another one is to follow."""
    _retries.add(1, {"reason": word(reason)})


def asked_teams(seconds: float, status: int, bot: str, tenant: str) -> None:
    """Note a request to Teams with the status of its answer, 0 for none."""
    noted = _asked[status, bot, tenant]
    noted[0] += 1
    noted[1] += seconds


def _count_requests() -> None:
    """Count what was noted: for each request by itself this would cost a tenth of what a message does."""
    while _asked:
        (status, bot, tenant), (count, seconds) = _asked.popitem()
        whose = {"status": str(status), "bot": bot, "tenant": tenant}
        _requests.add(int(count), whose)
        _seconds.add(seconds, whose)


def ceiling(per_second: float) -> None:
    """Tell how many requests a second are allowed for one bot in one tenant."""
    _ceiling.set(per_second)


def taken(queue: str, seconds: float) -> None:
    """Count a message that was taken so many seconds after its time."""
    _waited.record(max(0.0, seconds), {"queue": queue})


def queue(name: str, length: int, age: float) -> None:
    """Tell how many messages are on a queue, and the age in seconds of the oldest one that somebody could take."""
    _length.set(length, {"queue": name})
    _age.set(max(0.0, age), {"queue": name})


def called_back(outcome: str, status: int | None) -> None:
    """Count an attempt at a callback, which was `accepted`, is to be made `again`, or was the last one: `givenUp`."""
    _callbacks.add(1, {"outcome": outcome, "status": str(status or 0)})


def card_answered(outcome: str) -> None:
    """Count an answer to a card: `kept`, `late`, or `refused`."""
    _answers.add(1, {"outcome": outcome})


def no_token(whose: str) -> None:
    """Count a sign-in that failed: of a `bot`, for `graph` or for `storage`."""
    _tokens.add(1, {"of": whose})


def word(text: str) -> str:
    """Return a reason as it may stand in telemetry: a word such as Teams' codes, and nothing that somebody wrote."""
    if not text:
        return ""
    # Behind a colon stand details for whoever asked, such as the names that a recipient may mean.
    head = text.partition(":")[0]
    return head if _WORD.fullmatch(head) else "other"
