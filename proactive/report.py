"""What became of a send: its status, its recipients' results, its outcome."""

import csv
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

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
from proactive.times import write_moment

_FIRST_RESULTS = 100
_COLUMNS = ("recipient", "userId", "state", "statusCode", "succeeded", "reason", "messageId", "conversationId",
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


async def status(service: Service, send: Send) -> dict[str, Any]:
    """Return where a send stands: status, counts, times and options."""
    rows = await service.chunks.counts(send.id, send.plan) if send.plan else []
    body: dict[str, Any] = {
        "id": send.id,
        "status": _status(send, rows, service.clock()).value,
        "bot": send.bot,
        "tenant": send.tenant,
        "counts": _counts(send, rows),
        "createdAt": write_moment(send.created_at),
        "sendAt": write_moment(send.send_at),
        "cancelledAt": write_moment(send.cancelled_at),
        "completedAt": write_moment(send.completed_at),
        "deliverUntil": write_moment(send.deadline),
        "options": send.options.as_json(),
        "statusUrl": status_url(service, send),
        "resultsUrl": f"{status_url(service, send)}/recipients",
    }
    return {name: value for name, value in body.items() if value is not None}


def _status(send: Send, rows: Sequence[Row], now: float) -> SendStatus:
    if send.cancelled_at:
        return SendStatus.CANCELLED
    if send.completed_at:
        return SendStatus.COMPLETED
    if not send.plan:
        return SendStatus.SCHEDULED if send.begins_at > now else SendStatus.ACCEPTED
    begun = any(row["marked"] or row["open"] < row["size"] for row in rows)
    return SendStatus.DELIVERING if begun else SendStatus.ACCEPTED


def _counts(send: Send, rows: Sequence[Row]) -> dict[str, int]:
    """Return the counts, which sum to `total`; before the plan is made all that were named are pending."""
    if not send.plan:
        rows = [{"size": send.entries, "open": send.entries, **{state.value: 0 for state in FINAL_STATES}}]
    ended = {state.value: sum(row[state.value] for row in rows) for state in FINAL_STATES}
    return {
        "total": sum(row["size"] for row in rows),
        "pending": sum(row["open"] for row in rows),
        **ended,
        "responded": 0,
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
        for number in range(place if chunk.number == first else 0, len(chunk.people)):
            result = chunk.result(number)
            if states and result.state not in states:
                continue
            if len(found) == top:
                return found, (chunk.number, number)
            found.append(_result_body(chunk.people[number], result))
    return found, None


def _result_body(recipient: Recipient, result: Result) -> dict[str, Any]:
    return {
        "recipient": recipient.name,
        "userId": recipient.user,
        "state": result.state.value,
        "statusCode": result.code,
        "succeeded": None if result.state in OPEN_STATES else result.state is State.DELIVERED,
        "reason": result.reason or None,
        "messageId": result.message_id or None,
        "conversationId": result.conversation_id or None,
        "attempts": result.attempts,
        "deliveredAt": write_moment(result.at) if result.state is State.DELIVERED else None,
        "response": None,
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return results as CSV (RFC 4180). What a spreadsheet would run as a formula is made plain text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in _COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return "'" + value if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


async def outcome(service: Service, send: Send) -> Outcome | None:
    """Return how a send ended, or None while it goes on."""
    if not send.completed_at:
        return None
    counts = _counts(send, await service.chunks.counts(send.id, send.plan))
    first, _ = await results(service, send, top=_FIRST_RESULTS)
    only = first[0] if counts["total"] == 1 else None
    delivered_all = counts["delivered"] == counts["total"]
    body = {
        "id": send.id,
        "outcome": "cancelled" if send.cancelled_at else "completed",
        "statusCode": only["statusCode"] if only else _ALL_GOOD if delivered_all else _MIXED,
        "succeeded": delivered_all,
        "messageId": only["messageId"] if only else None,
        "counts": counts,
        "results": first,
        "resultsUrl": f"{status_url(service, send)}/recipients",
    }
    return Outcome({name: value for name, value in body.items() if value is not None}, _fails(send, counts))


def _fails(send: Send, counts: dict[str, int]) -> bool:
    """Whether the flow's run fails; every `failed` recipient ended in 404, 413 or 502."""
    return bool(
        counts["failed"]
        or (counts["notInstalled"] and send.options.if_bot_not_installed != "succeedWithStatusCode")
        or (counts["chatActive"] and send.options.if_chat_is_active == "dontSendAndFail")
    )
