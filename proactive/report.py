"""What became of a send: its status, its recipients' results, its outcome."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from proactive.model import (
    FINAL_STATES,
    OPEN_STATES,
    Recipient,
    Result,
    Send,
    SendStatus,
    State,
)
from proactive.service import Service
from proactive.store.account import Row
from proactive.store.answers import (
    AFTER_DELIVERY,
    CANCELLED,
    NOT_DELIVERED,
    RESPONDED,
    TIMED_OUT,
    End,
    place_of,
)
from proactive.store.callbacks import COMPLETED, GIVEN_UP, PENDING, Callback
from proactive.times import write_moment

_FIRST_RESULTS = 100
RESPONSE_COLUMNS = ("submitActionId", "actionId", "data", "responder", "responseTime", "messageId", "messageLink")
RESULT_COLUMNS = ("recipient", "userId", "state", "statusCode", "succeeded", "reason", "messageId", "conversationId",
            "attempts", "deliveredAt", "response")  # fmt: skip
_ALL_GOOD = 200
_MIXED = 207


class Outcome(NamedTuple):
    """The end of a send as its sender sees it; `failed` when the flow's run is to be marked as failed."""

    body: dict[str, Any]
    failed: bool


def status_url(service: Service, send: Send) -> str:
    """Return the address of a send for those who hold a key."""
    return f"{service.settings.public_url}/api/v1/sends/{send.id}"


def outcome_url(service: Service, send: Send) -> str:
    """Return the address of a send's outcome, which opens itself."""
    return f"{service.settings.public_url}/api/outcomes/{send.id}/{send.secret}"


def verb_of(send: Send) -> str:
    """Return what a send that is of another one does with it: retry, update or recall."""
    return "retry" if send.whom == "failed" else send.verb


async def status(service: Service, send: Send) -> dict[str, Any]:
    """Return where a send stands: status, counts, times and options."""
    rows = await service.chunks.counts(send.id, send.plan) if send.plan else []
    ended = await service.answers.ended(send.id) if send.wait else None
    body: dict[str, Any] = {
        "id": send.id,
        "status": _status(send, rows, ended, service.clock()).value,
        "bot": send.bot,
        "tenant": send.tenant,
        "verb": verb_of(send) if send.of else None,
        "of": send.of or None,
        "counts": await _counts(service, send, rows),
        "createdAt": write_moment(send.created_at),
        "sendAt": write_moment(send.send_at),
        "cancelledAt": write_moment(send.cancelled_at),
        "completedAt": write_moment((ended.at if ended else None) if send.wait else send.completed_at),
        "deliverUntil": write_moment(send.deadline),
        "waitUntil": write_moment(send.closes_at) if send.wait else None,
        "options": send.options.as_json(),
        "statusUrl": status_url(service, send),
        "resultsUrl": f"{status_url(service, send)}/recipients",
        **await _told(service, send),
    }
    return {name: value for name, value in body.items() if value is not None}


def _status(send: Send, rows: Sequence[Row], ended: End | None, now: float) -> SendStatus:
    if send.cancelled_at or (ended and ended.kind == CANCELLED):
        return SendStatus.CANCELLED
    if ended and ended.kind == TIMED_OUT and not send.completed_at:
        ended = None  # who was not sent to yet is being settled
    if ended or (send.completed_at and not send.wait):
        return SendStatus.COMPLETED
    if send.completed_at:
        return SendStatus.WAITING
    if not send.plan:
        return SendStatus.SCHEDULED if send.begins_at > now else SendStatus.ACCEPTED
    begun = any(row["marked"] or row["open"] < row["size"] for row in rows)
    return SendStatus.DELIVERING if begun else SendStatus.ACCEPTED


async def _counts(service: Service, send: Send, rows: Sequence[Row]) -> dict[str, int]:
    """Return the counts, which sum to `total`; before the plan is made all that were named are pending."""
    responded = sum(count for count, _ in (await service.answers.counts(send.id)).values()) if send.wait else 0
    if not send.plan:
        rows = [{"size": send.entries, "open": send.entries, **{state.value: 0 for state in FINAL_STATES}}]
    ended = {state.value: sum(row[state.value] for row in rows) for state in FINAL_STATES}
    return {
        "total": sum(row["size"] for row in rows),
        "pending": sum(row["open"] for row in rows),
        **ended,
        "responded": responded,
    }


async def results(
    service: Service, send: Send, *, states: Sequence[State] = (), top: int = 100, start: tuple[int, int] = (0, 0)
) -> tuple[list[dict[str, Any]], tuple[int, int] | None]:
    """Return a page of results and where the next page begins: a chunk's number and a place in it."""
    found: list[dict[str, Any]] = []
    if not send.plan:
        return found, None
    first, place = start
    async for chunk in service.chunks.read(send.id, send.plan, first):
        answers = await service.answers.of_chunk(send.id, chunk.number) if send.wait else {}
        for number in range(place if chunk.number == first else 0, len(chunk.people)):
            answer = answers.get(number)
            result = chunk.result_with(number, answer)
            if states and result.state not in states:
                continue
            if len(found) == top:
                return found, (chunk.number, number)
            found.append(result_body(chunk.people[number], result, answer))
    return found, None


def result_body(recipient: Recipient, result: Result, answer: dict[str, Any] | None) -> dict[str, Any]:
    """Return what became of one recipient as senders read it."""
    return {
        "recipient": recipient.name,
        "userId": recipient.user,
        "state": result.state.value,
        "statusCode": result.code if result.final else None,
        "succeeded": None if result.state in OPEN_STATES else result.state is State.DELIVERED,
        "reason": result.reason or None,
        "messageId": result.message_id or None,
        "conversationId": result.conversation_id or None,
        "attempts": result.attempts,
        "deliveredAt": write_moment(result.at) if result.state is State.DELIVERED else None,
        "response": response(answer) if answer else None,
    }


def response(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as senders read it."""
    conversation, message = quote(answer["conversationId"], safe=""), quote(answer["messageId"], safe="")
    return {
        "submitActionId": answer["submitActionId"],
        "actionId": answer["actionId"],
        "data": answer["data"],
        "responder": answer["responder"],
        "responseTime": write_moment(answer["at"]),
        "messageId": answer["messageId"],
        "messageLink": f"https://teams.microsoft.com/l/message/{conversation}/{message}?context=%7B%22contextType%22%3A%22chat%22%7D",
    }


async def responses(
    service: Service, send: Send, *, top: int = 100, after: str = ""
) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of the answers to a send, and the key behind which the next page begins."""
    rows, more = await service.answers.page(send.id, after, top)
    return [response(answer) for _, answer in rows], rows[-1][0] if more and rows else None


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str] = RESULT_COLUMNS) -> str:
    """Return results as CSV (RFC 4180). What a spreadsheet would run as a formula is made plain text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "'" + value if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


async def outcome(service: Service, send: Send) -> Outcome | None:
    """Return how a send ended, or None while it goes on."""
    if not send.wait:
        if not send.completed_at:
            return None
        return await _outcome(service, send, CANCELLED if send.cancelled_at else "completed")
    ended = await service.answers.ended(send.id)
    if ended is None or (ended.kind in AFTER_DELIVERY and not send.completed_at):
        return None
    return await _outcome(service, send, ended.kind)


async def delivery(service: Service, send: Send) -> Outcome | None:
    """Return how the delivery of a send ended, whatever it waits for; None while it goes on."""
    ended = await outcome(service, send)
    if ended or not send.completed_at:
        return ended
    so_far = await _outcome(service, send, "completed")
    # Where a question reached nobody its end is being written: it tells so.
    return so_far if _reached(so_far.body["counts"]) else None


async def callback_body(service: Service, send: Send, event: str) -> dict[str, Any] | None:
    """Return what a callback brings: the outcome, or one answer with how it stands; None while there is none."""
    each = send.wait is not None and send.wait.complete_when == "each"
    if event == COMPLETED:
        ended = await outcome(service, send)
        return _untold(ended.body) | ({"event": COMPLETED} if each else {}) if ended else None
    answer = await service.answers.get(send.id, place_of(event))
    if answer is None:
        return None
    so_far = await _outcome(service, send, RESPONDED)
    given = response(answer)
    return {**_untold(so_far.body), **given, "responses": [given], "event": "response"}


def _untold(body: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome without what is known of telling it."""
    return {name: value for name, value in body.items() if name not in ("callback", "callbacks")}


async def _outcome(service: Service, send: Send, kind: str) -> Outcome:
    rows = await service.chunks.counts(send.id, send.plan)
    counts = await _counts(service, send, rows)
    first, _ = await results(service, send, top=_FIRST_RESULTS)
    if counts["total"] == len(first):
        states = Counter(row["state"] for row in first)  # what answers tell is in the results already
        counts |= {state.value: states[state.value] for state in FINAL_STATES}
        counts["pending"] = sum(states[state.value] for state in OPEN_STATES)
    only = first[0] if counts["total"] == 1 else None
    delivered_all = counts["delivered"] == counts["total"]
    if kind == TIMED_OUT and not _reached(counts):
        kind = NOT_DELIVERED
    body: dict[str, Any] = {
        "id": send.id,
        "outcome": kind,
        "statusCode": only["statusCode"] if only else _ALL_GOOD if delivered_all else _MIXED,
        "succeeded": delivered_all,
        "messageId": only["messageId"] if only else None,
        "counts": counts,
        "results": first,
        "resultsUrl": f"{status_url(service, send)}/recipients",
        **await _told(service, send),
    }
    body = {name: value for name, value in body.items() if value is not None}
    if send.wait:
        body["responses"], _ = await responses(service, send, top=_FIRST_RESULTS)
        if send.wait.complete_when == "first" and kind == RESPONDED and body["responses"]:
            body |= body["responses"][0]
    return Outcome(body, _fails(send, counts))


def _reached(counts: dict[str, int]) -> int:
    """Return how many got the message, or may have got it."""
    return counts["delivered"] + counts["unknown"]


async def _told(service: Service, send: Send) -> dict[str, Any]:
    """Return how far the flow has been told: what could not be handed over stays readable, with the attempts.

    `callback` is the outcome's; with `each`, `callbacks` has the first ones of answers as well.
    """
    if not send.callback_url:
        return {}
    told = {"callback": _attempts(send, await service.callbacks.get(send.id, COMPLETED))}
    if send.wait and send.wait.complete_when == "each":
        all_of_it = await service.callbacks.all(send.id, _FIRST_RESULTS)
        return {**told, "callbacks": [{"event": callback.event, **_attempts(send, callback)} for callback in all_of_it]}
    return told


def _attempts(send: Send, callback: Callback) -> dict[str, Any]:
    unsubscribed = bool(send.silent_at) and callback.state == PENDING
    return {
        "state": GIVEN_UP if unsubscribed else callback.state,
        "attempts": [
            {"at": write_moment(at), "statusCode": status, "error": error or None}
            for at, status, error in callback.attempts
        ],
    }


def _fails(send: Send, counts: dict[str, int]) -> bool:
    """Whether the flow's run fails; every `failed` recipient ended in 404, 413 or 502."""
    return bool(
        counts["failed"]
        or (counts["notInstalled"] and send.options.if_bot_not_installed == "fail")
        or (counts["chatActive"] and send.options.if_chat_is_active == "dontSendAndFail")
    )
