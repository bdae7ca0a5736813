"""The traces of one person in a send: the chunks that hold the person, and the inputs that name the person."""

from typing import NamedTuple

from proactive.model import Entry
from proactive.store.account import Account, quoted
from proactive.store.chunks import Chunk, chunk_of, row_of
from proactive.store.persons import Subject, place_of_person
from proactive.store.sends import pack_entries, unpack_entries

_TABLE = "sends"


class Inputs(NamedTuple):
    """Recipients of a send as its sender named them: one row of them."""

    key: str
    entries: list[Entry]
    etag: str


class Traces:
    """The rows of a send in which a person may stand, in the table `sends`."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def chunks(
        self, send: str, subject: Subject, plan: str = "", *, mentions: bool = False
    ) -> list[tuple[Chunk, list[int]]]:
        """Return the chunks that hold a person, each with the person's places in it: of one plan, or of all.

        With `mentions` also the places of those in whose reasons the person stands, as one of several of a name.
        Storage tells the chunks that may, so that a send to many costs one call.
        """
        first, last = (f"chunk-{plan}-", f"chunk-{plan}.") if plan else ("chunk-", "chunk.")
        tests = []
        if subject.user:
            place = quoted(place_of_person(subject.user))
            tests.append(f"(low le {place} and high ge {place})")
        if subject.aliases:
            tests.append("strangers gt 0")
        query = (
            f"PartitionKey eq {quoted(send)} and RowKey ge {quoted(first)} and RowKey lt {quoted(last)}"
            f" and ({' or '.join(tests)})"
        )
        found = []
        async for rows, _ in self._account.pages(_TABLE, query, top=10):
            for row in rows:
                chunk = chunk_of(row)
                places = [n for n, person in enumerate(chunk.people) if subject.is_recipient(person)]
                if mentions:
                    places += [n for n, result in chunk.results.items() if subject.is_mentioned(result.reason)]
                if places:
                    found.append((chunk, places))
        return found

    async def replace(self, chunk: Chunk) -> None:
        """Write a chunk whose people or results were changed, all of it, so that nothing of what was there stays.

        Raises `Stale` when it was changed in between: then the change has to be made again.
        """
        chunk.etag = await self._account.update(_TABLE, row_of(chunk), chunk.etag)
        chunk.segments = 1

    async def inputs(self, send: str, subject: Subject) -> list[Inputs]:
        """Return the rows that name a person."""
        query = f"PartitionKey eq {quoted(send)} and RowKey ge 'in-' and RowKey lt 'in.'"
        found = []
        async for rows, _ in self._account.pages(_TABLE, query, top=10):
            for row in rows:
                entries = unpack_entries(row)
                if any(subject.is_named(entry) for entry in entries):
                    found.append(Inputs(row["RowKey"], entries, row["etag"]))
        return found

    async def forget_inputs(self, send: str, inputs: Inputs, subject: Subject) -> None:
        """Leave a person out of the recipients. Raises `Stale` when the row was changed in between."""
        left = [entry for entry in inputs.entries if not subject.is_named(entry)]
        row = {"PartitionKey": send, "RowKey": inputs.key, **pack_entries(left)}
        await self._account.update(_TABLE, row, inputs.etag)
