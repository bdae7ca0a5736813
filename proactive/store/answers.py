"""Answers to a card that waits, and the end of the wait: rows in the partition of the send.

    open              there as long as the wait is: an answer touches it, the end removes it
    answer-00000-000  one answer, of the recipient at this place of this chunk
    answered-00000    who of a chunk has answered, packed, so that nobody has to count answers
    end               how and when the wait ended

An answer and what follows from it are one transaction, so that the first of a person counts, and none after the end:

    answer  ─▶ insert answer · touch open ──────────── · write answered      (`all`, `each`)
    answer  ─▶ insert answer · remove open · insert end · write answered      (`first`, or the last one of all)
    time-out, cancel ─▶        remove open · insert end
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from proactive.store.account import Account, Change, Row, quoted
from proactive.store.errors import Conflict, InDoubt, Stale
from proactive.store.pack import compress, decompress, pack, unpack

_TABLE = "sends"
_OPEN, _END = "open", "end"
RESPONDED, TIMED_OUT, NOT_DELIVERED, CANCELLED = "responded", "timedOut", "notDelivered", "cancelled"
AFTER_DELIVERY = frozenset({TIMED_OUT, CANCELLED})
"""Ends that are told once everybody has a final state, since what still goes out stops with them."""


class Place(NamedTuple):
    """Where a recipient stands in a plan."""

    chunk: int
    number: int


class End(NamedTuple):
    """How a wait ended (`RESPONDED`, `TIMED_OUT`, …) and when, in seconds since the epoch."""

    kind: str
    at: float


@dataclass(slots=True)
class Answered:
    """Who of a chunk has answered; `complete` when nobody of it is waited for any more."""

    chunk: int
    numbers: set[int] = field(default_factory=set)
    complete: bool = False
    etag: str = ""


class Answers:
    """The answers in the table `sends`."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._turns: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()

    def turn(self, send: str, chunk: int) -> asyncio.Lock:
        """Return the lock under which this process writes answers of a chunk."""
        turn = self._turns.get((send, chunk))
        if turn is None:
            turn = self._turns[send, chunk] = asyncio.Lock()
        return turn

    def opening(self, send: str) -> Row:
        """Return the row that is kept with a new send that waits."""
        return {"PartitionKey": send, "RowKey": _OPEN}

    async def add(
        self, send: str, place: Place, answer: dict[str, Any], answered: Answered, end: End | None = None
    ) -> None:
        """Keep an answer, and with it `answered` and the `end` that it brings.

        Raises `Conflict` when the person has answered before, `Stale` when the wait is over or `answered` was changed
        by somebody else in between.
        """
        row = {"PartitionKey": send, "RowKey": _answer_key(place), **pack("answer", answer)}
        numbers = _answered_row(send, answered)
        counted: Change = ("update", numbers, answered.etag) if answered.etag else ("insert", numbers)
        await self._account.transaction(
            _TABLE,
            [
                ("insert", row),
                counted,
                *(_ending(send, end) if end else [("touch", self.opening(send))]),
            ],
        )

    async def end(self, send: str, end: End) -> bool:
        """End a wait; return whether this is what ended it."""
        try:
            await self._account.transaction(_TABLE, _ending(send, end))
        except (Conflict, Stale, InDoubt):
            return False
        return True

    async def ended(self, send: str) -> End | None:
        """Return how a wait ended, or None."""
        row = await self._account.get(_TABLE, send, _END)
        return End(row["kind"], row["at"]) if row else None

    async def get(self, send: str, place: Place) -> dict[str, Any] | None:
        """Return the answer of one recipient, or None."""
        row = await self._account.get(_TABLE, send, _answer_key(place))
        return unpack("answer", row) if row else None

    async def remove(self, send: str, place: Place) -> None:
        """Remove the answer of one recipient; who has answered stays counted."""
        await self._account.delete(_TABLE, send, _answer_key(place))

    async def page(self, send: str, after: str, top: int) -> tuple[list[tuple[str, dict[str, Any]]], bool]:
        """Return up to `top` answers with their keys, from behind the key `after`, and whether there are more."""
        rows, more = await anext(self._account.pages(_TABLE, _between(send, after or "answer-", "answer."), top=top))
        return [(row["RowKey"], unpack("answer", row)) for row in rows], more is not None

    async def of_chunk(self, send: str, chunk: int) -> dict[int, dict[str, Any]]:
        """Return the answers of a chunk by the places of those who gave them."""
        first = f"answer-{chunk:05}-"
        rows = await self._account.rows(_TABLE, _between(send, first, f"{first}~"))
        return {int(row["RowKey"].rpartition("-")[2]): unpack("answer", row) for row in rows}

    async def answered(self, send: str, chunk: int) -> Answered:
        """Return who of a chunk has answered so far."""
        row = await self._account.get(_TABLE, send, f"answered-{chunk:05}")
        if row is None:
            return Answered(chunk)
        return Answered(chunk, set(decompress(row["numbers"])), row["complete"], row["etag"])

    async def counts(self, send: str) -> dict[int, tuple[int, bool]]:
        """Return for each chunk how many have answered, and whether nobody of it is waited for any more."""
        rows = await self._account.rows(
            _TABLE, _between(send, "answered-", "answered."), ("RowKey", "count", "complete")
        )
        return {int(row["RowKey"].rpartition("-")[2]): (row["count"], row["complete"]) for row in rows}


def response_event(place: Place) -> str:
    """Return the event under which a flow is told of one answer."""
    return f"response-{place.chunk:05}-{place.number:03}"


def place_of(key: str) -> Place:
    """Return whose answer stands under a key, or is told under an event."""
    _, chunk, number = key.split("-")
    return Place(int(chunk), int(number))


def _answer_key(place: Place) -> str:
    return f"answer-{place.chunk:05}-{place.number:03}"


def _answered_row(send: str, answered: Answered) -> Row:
    return {
        "PartitionKey": send,
        "RowKey": f"answered-{answered.chunk:05}",
        "numbers": compress(sorted(answered.numbers)),
        "count": len(answered.numbers),
        "complete": answered.complete,
    }


def _ending(send: str, end: End) -> Sequence[Change]:
    row = {"PartitionKey": send, "RowKey": _END, "kind": end.kind, "at": end.at}
    return [("delete", {"PartitionKey": send, "RowKey": _OPEN}), ("insert", row)]


def _between(send: str, first: str, last: str) -> str:
    return f"PartitionKey eq {quoted(send)} and RowKey gt {quoted(first)} and RowKey lt {quoted(last)}"
