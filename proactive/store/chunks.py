"""Chunks: some hundreds of recipients in one row, with what became of each.

A row is read in one call and progress is written in one call that adds only what is new, so that a message costs a
small fraction of a storage transaction:

    people0, people1, …   who they are, in the order in which they are sent to; never changes
    marked                how many of them, from the first on, may have been sent to
    r000, r001, …         results, a segment for each write; a later one beats an earlier one
    size, open, delivered, …   counts, to be read without the rest
    low, high, strangers  the least and greatest place of its people (see persons.py), and how many have none
    lease_until, owner    who works on it, and until when nobody else may

Between two writes a crash leaves in doubt just those before `marked` without a result, and those whose last result says
`sending` (a second attempt, for which `marked` is no help).
"""

from collections import Counter
from collections.abc import AsyncIterator, Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from proactive.model import DELIVERED, FINAL_STATES, OPEN_STATES, Recipient, Result, State
from proactive.store.account import Account, Row, quoted
from proactive.store.errors import InDoubt, Stale
from proactive.store.pack import compress, decompress, pack, unpack
from proactive.store.persons import span

FIRST_PLAN = "0"  # the name of a plan that was made when its send was accepted
SIZE = 500  # people in a chunk: their row stays far below 1 MiB even with long names and ids
DATA = 400_000  # bytes of its people's own data, which may be 64 KiB each
_TABLE = "sends"
_COUNTS = tuple(state.value for state in FINAL_STATES)
_SEGMENTS = 150  # a row holds 252 properties at most; past this many segments they are written as one


@dataclass(slots=True)
class Chunk:
    """A chunk in memory, as far as it is known here."""

    send: str
    plan: str
    number: int
    people: list[Recipient]
    results: dict[int, Result] = field(default_factory=dict)
    marked: int = 0
    segments: int = 0
    lease_until: float = 0.0
    owner: str = ""
    writes: int = 0
    etag: str = ""

    def open(self) -> list[int]:
        """Return who still waits for a final result, in order."""
        return [n for n in range(len(self.people)) if not (n in self.results and self.results[n].final)]

    def next_try(self) -> float | None:
        """Return when the next of those who are open is to be tried, or None when nobody is open."""
        return min((self.result(number).retry_at for number in self.open()), default=None)

    def in_doubt(self) -> list[int]:
        """Return who may or may not have been sent to when the last worker stopped."""
        return [
            n
            for n in range(len(self.people))
            if (n < self.marked if n not in self.results else self.results[n].state is State.SENDING)
        ]

    def result(self, number: int) -> Result:
        """Return how it stands with one recipient."""
        known = self.results.get(number)
        return known or Result(State.SENDING if number < self.marked else State.PENDING)

    def result_with(self, number: int, answer: dict[str, Any] | None) -> Result:
        """Return how it stands with somebody who may have answered, which shows the delivery."""
        result = self.result(number)
        return delivered_by(answer, result) if answer and result.state is not State.DELIVERED else result

    def all_answered(self, numbers: Container[int]) -> bool:
        """Whether `numbers` holds everybody whom the message has reached, and nobody else may still get it."""
        states = ((n, self.result(n).state) for n in range(len(self.people)))
        return all(n in numbers for n, state in states if state is State.DELIVERED or state in OPEN_STATES)

    def counts(self) -> dict[str, int]:
        """Return how many have ended in each final state, how many are open, and how many there are."""
        states = Counter(result.state.value for result in self.results.values() if result.final)
        counts = {name: states[name] for name in _COUNTS}
        return {"size": len(self.people), "open": len(self.people) - sum(counts.values()), **counts}


def delivered_by(answer: dict[str, Any], before: Result) -> Result:
    """Return the result of somebody who has answered: an answer that overtakes our record shows the delivery."""
    return before._replace(
        state=State.DELIVERED,
        code=DELIVERED,
        reason="",
        message_id=answer["messageId"],
        conversation_id=answer["conversationId"],
        attempts=max(1, before.attempts),
        at=answer["at"],
        retry_at=0.0,
    )


def chunk_key(plan: str, number: int) -> str:
    """Return the row key of a chunk: chunks of two plans of one send never meet."""
    return f"chunk-{plan}-{number:05}"


def row_of(chunk: Chunk) -> Row:
    """Return a chunk as a whole row."""
    results = [[number, *result] for number, result in sorted(chunk.results.items())]
    low, high = span(chunk.people)
    return {
        "PartitionKey": chunk.send,
        "RowKey": chunk_key(chunk.plan, chunk.number),
        **pack("people", [_person(recipient) for recipient in chunk.people]),
        **pack("r000_", results),
        **_progress(chunk),
        "segments": 1,
        "low": low,
        "high": high,
        "strangers": sum(person.user is None for person in chunk.people),
    }


def chunk_of(row: Row) -> Chunk:
    """Return the chunk in a whole row."""
    _, plan, number = row["RowKey"].split("-")
    results = {entry[0]: _result(entry) for entry in unpack("r000_", row)}
    for segment in range(1, row["segments"]):
        results |= {entry[0]: _result(entry) for entry in decompress(row[f"r{segment:03}"])}
    return Chunk(
        send=row["PartitionKey"],
        plan=plan,
        number=int(number),
        people=[_recipient(entry) for entry in unpack("people", row)],
        results=results,
        marked=row["marked"],
        segments=row["segments"],
        lease_until=row["lease_until"],
        owner=row["owner"],
        writes=row["writes"],
        etag=row["etag"],
    )


def progress_row(chunk: Chunk, new: Iterable[int]) -> Row:
    """Return what to merge into a chunk's row so that it holds the results of `new`, and count the segment."""
    row: Row = {"PartitionKey": chunk.send, "RowKey": chunk_key(chunk.plan, chunk.number)}
    entries = [[number, *chunk.results[number]] for number in new]
    if entries:
        row[f"r{chunk.segments:03}"] = compress(entries)
        chunk.segments += 1
    return {**row, **_progress(chunk)}


def _person(recipient: Recipient) -> Sequence[Any]:
    if recipient.data is not None:
        return recipient
    return recipient[:5] if any(recipient[2:]) else recipient[:2]


def _recipient(entry: Sequence[Any]) -> Recipient:
    name, user, *target = entry
    if not target:
        return Recipient(name, user)
    conversation, message, origin, *data = target
    place = (origin[0], origin[1]) if origin else None
    return Recipient(name, user, conversation, message, place, data[0] if data else None)


def _progress(chunk: Chunk) -> Row:
    return {
        "marked": chunk.marked,
        "segments": chunk.segments,
        "lease_until": chunk.lease_until,
        "owner": chunk.owner,
        "writes": chunk.writes,
        **chunk.counts(),
    }


def _result(entry: Sequence[Any]) -> Result:
    return Result(State(entry[1]), *entry[2:])


class Chunks:
    """The chunks in the table `sends`."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def get(self, send: str, plan: str, number: int) -> Chunk | None:
        """Return a chunk, or None."""
        row = await self._account.get(_TABLE, send, chunk_key(plan, number))
        return chunk_of(row) if row else None

    async def save(self, chunk: Chunk, new: Iterable[int] = ()) -> None:
        """Write a chunk's marks, lease and the results of `new`.

        Raises `Stale` when somebody else has taken the chunk over: whoever gets it stops sending.
        """
        chunk.writes += 1
        if chunk.segments >= _SEGMENTS:
            row, merge = row_of(chunk), False
            chunk.segments = 1
        else:
            row, merge = progress_row(chunk, new), True
        try:
            chunk.etag = await self._account.update(_TABLE, row, chunk.etag, merge=merge)
        except (Stale, InDoubt) as error:
            # A write that was repeated after a time-out finds its own first copy: that is no loss.
            now = await self._account.get(_TABLE, row["PartitionKey"], row["RowKey"], ("owner", "writes"))
            if not now or (now["owner"], now["writes"]) != (chunk.owner, chunk.writes):
                raise Stale from error
            chunk.etag = now["etag"]

    async def counts(self, send: str, plan: str) -> list[Row]:
        """Return the counts of every chunk, in order, reading nothing else."""
        columns = ("RowKey", "size", "open", "marked", "lease_until", *_COUNTS)
        return await self._account.rows(_TABLE, _all(send, plan), columns)

    async def read(self, send: str, plan: str, first: int = 0) -> AsyncIterator[Chunk]:
        """Yield the chunks of a send in order, from the one numbered `first`, few at a time."""
        async for rows, _ in self._account.pages(_TABLE, _all(send, plan, first), top=10):
            for row in rows:
                yield chunk_of(row)


def _all(send: str, plan: str, first: int = 0) -> str:
    keys = f"RowKey ge {quoted(chunk_key(plan, first))} and RowKey le {quoted(chunk_key(plan, 99_999))}"
    return f"PartitionKey eq {quoted(send)} and {keys}"
