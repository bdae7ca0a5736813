"""Chunks: what is known of some hundreds of people survives every way in which their row is written."""

import random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive.model import FINAL_STATES, OPEN_STATES, Recipient, Result, State
from proactive.store.account import Account, Row
from proactive.store.chunks import SIZE, Chunk, Chunks, chunk_key, chunk_of, progress_row, row_of
from proactive.store.errors import InDoubt, Stale
from proactive.store.persons import place_of_person

ETAG = {"etag": "1"}
LIMIT_OF_PROPERTIES = 252
LIMIT_OF_A_PROPERTY = 64 * 1024
LIMIT_OF_A_ROW = 1024 * 1024

results = st.builds(
    Result,
    state=st.sampled_from(State),
    code=st.none() | st.sampled_from([200, 100, 300, 404, 409, 413, 502, 504]),
    reason=st.text(max_size=8),
    message_id=st.text(max_size=8),
    conversation_id=st.text(max_size=8),
    attempts=st.integers(0, 99),
    at=st.floats(0, 4e9),
    retry_at=st.floats(0, 4e9),
)
own_data = st.none() | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
people = st.lists(
    st.builds(Recipient, name=st.text(max_size=8), user=st.none() | st.text(max_size=8), data=own_data), max_size=8
)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    """Draw a chunk as it may stand in memory."""
    some = draw(people)
    numbers = st.integers(0, len(some) - 1) if some else st.nothing()
    return Chunk(
        "send",
        draw(st.sampled_from(["0", "1f00ab12"])),
        draw(st.integers(0, 99_999)),
        some,
        draw(st.dictionaries(numbers, results)) if some else {},
        marked=draw(st.integers(0, len(some))),
        lease_until=draw(st.floats(0, 4e9)),
        owner=draw(st.text(max_size=12)),
        writes=draw(st.integers(0, 1_000)),
    )


def of(count: int, marked: int = 0, states: dict[int, State] | None = None) -> Chunk:
    """Return a chunk of so many people, of which some have a result."""
    some = [Recipient(f"person{number}", f"u{number}") for number in range(count)]
    return Chunk("send", "0", 0, some, {n: Result(state) for n, state in (states or {}).items()}, marked=marked)


def known(chunk: Chunk) -> tuple[object, ...]:
    """Return all that a row has to keep."""
    names = ("send", "plan", "number", "people", "results", "marked", "lease_until", "owner", "writes")
    return tuple(getattr(chunk, name) for name in names)


class Table:
    """One row under its ETag, as Table Storage keeps it: a merge leaves what it does not name."""

    def __init__(self, row: Row) -> None:
        self.row: Row = dict(row)
        self.version = 1
        self.loses_answers = 0
        self.replaced = 0

    def read(self) -> Row:
        return {**self.row, "etag": str(self.version)}

    async def get(self, table: str, partition: str, key: str, select: Any = None) -> Row | None:
        assert (partition, key) == (self.row["PartitionKey"], self.row["RowKey"])
        return {name: value for name, value in self.read().items() if not select or name in (*select, "etag")}

    async def update(self, table: str, row: Row, etag: str, *, merge: bool = False) -> str:
        if etag != str(self.version):
            raise Stale
        self.row = {**self.row, **row} if merge else dict(row)
        self.replaced += not merge
        self.version += 1
        if self.loses_answers:
            # The answer got lost, and the client repeats the call: its ETag is an old one by now.
            self.loses_answers -= 1
            raise InDoubt
        return str(self.version)


def stored(chunk: Chunk) -> tuple[Table, Chunks]:
    table = Table(row_of(chunk))
    return table, Chunks(cast("Account", table))


# --- one row


@given(chunks())
def test_a_chunk_survives_a_whole_row(chunk: Chunk) -> None:
    found = chunk_of({**row_of(chunk), **ETAG})
    assert known(found) == known(chunk)
    assert (found.etag, found.segments) == ("1", 1)
    assert all(isinstance(result, Result) and isinstance(result.state, State) for result in found.results.values())
    assert all(isinstance(person, Recipient) for person in found.people)


@given(chunks(), st.lists(st.dictionaries(st.integers(0, 7), results, max_size=4), max_size=6))
def test_progress_is_merged_and_a_later_segment_beats_an_earlier_one(
    chunk: Chunk, writes: list[dict[int, Result]]
) -> None:
    # GIVEN a stored chunk
    row = {**row_of(chunk), **ETAG}
    chunk = chunk_of(row)
    # WHEN progress is merged several times, each holding only what is new
    for number, write in enumerate(writes):
        new = {n: result for n, result in write.items() if n < len(chunk.people)}
        chunk.results.update(new)
        chunk.marked = min(len(chunk.people), chunk.marked + 1)
        chunk.owner, chunk.lease_until, chunk.writes = f"owner{number}", float(number), number
        row |= progress_row(chunk, new)
    # THEN whoever reads the row knows as much as the writer
    found = chunk_of(row)
    assert known(found) == known(chunk)
    assert found.segments == chunk.segments
    assert {name: row[name] for name in chunk.counts()} == chunk.counts()


def test_progress_without_results_takes_no_segment() -> None:
    chunk = chunk_of({**row_of(of(3)), **ETAG})
    chunk.marked = 2
    row = progress_row(chunk, [])
    assert chunk.segments == 1
    assert row["marked"] == 2
    assert not [name for name in row if name.startswith(("r0", "people"))]


def test_progress_writes_nobodys_name_again() -> None:
    chunk = chunk_of({**row_of(of(500)), **ETAG})
    chunk.results[7] = Result(State.DELIVERED, 200)
    assert sum(len(value) for value in progress_row(chunk, [7]).values() if isinstance(value, bytes)) < 100


def test_chunks_of_two_plans_have_other_keys_and_sort_by_their_number() -> None:
    assert chunk_key("0", 1) != chunk_key("1", 1)
    keys = [chunk_key("1f00ab12", number) for number in (0, 1, 9, 10, 99, 100, 12_345)]
    assert keys == sorted(keys)


# --- saving


@pytest.mark.parametrize("seed", range(3))
async def test_hundreds_of_writes_keep_everything_and_the_row_within_what_a_table_holds(seed: int) -> None:
    # GIVEN a stored chunk with as many people as a chunk has
    chance = random.Random(seed)
    table, store = stored(of(SIZE))
    chunk = chunk_of(table.read())
    # WHEN it is written far more often than a row has properties
    for _ in range(400):
        new = chance.sample(range(SIZE), chance.choice([0, 1, 3]))
        for number in new:
            chunk.results[number] = Result(chance.choice(list(State)), attempts=chance.randrange(5), at=chance.random())
        chunk.marked = min(SIZE, chunk.marked + chance.randrange(3))
        await store.save(chunk, new)
        # THEN the row always says what the writer knows, under an ETag that the writer knows
        assert len(table.row) <= LIMIT_OF_PROPERTIES
        assert chunk.etag == str(table.version)
        assert chunk.segments == table.row["segments"]
    assert known(chunk_of(table.read())) == known(chunk)
    # AND segments were written as one now and then, not each time
    assert 1 <= table.replaced <= 3


async def test_writing_all_segments_as_one_loses_no_result_of_any_of_them() -> None:
    table, store = stored(of(SIZE))
    chunk = chunk_of(table.read())
    for number in range(SIZE):
        chunk.results[number] = Result(State.DELIVERED, 200, message_id=f"m{number}")
        await store.save(chunk, [number])
        found = chunk_of(table.read())
        assert len(found.results) == number + 1
    assert table.replaced
    assert [found.results[n].message_id for n in range(SIZE)] == [f"m{n}" for n in range(SIZE)]


async def test_a_full_chunk_with_the_longest_names_and_ids_stays_below_a_megabyte() -> None:
    # GIVEN names and ids as long as they may be, which can hardly be compressed
    chance = random.Random(7)

    def noise(length: int) -> str:
        return "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(length))

    chunk = of(SIZE)
    chunk.people = [Recipient(noise(256), f"29:{chance.randbytes(40).hex()}") for _ in range(SIZE)]
    table, store = stored(chunk)
    chunk = chunk_of(table.read())
    # WHEN everybody has a result, in small segments
    for start in range(0, SIZE, 4):
        new = range(start, start + 4)
        for number in new:
            message_id, conversation_id = chance.randbytes(20).hex(), f"a:{chance.randbytes(60).hex()}"
            chunk.results[number] = Result(State.DELIVERED, 200, "", message_id, conversation_id, 1, chance.random())
        await store.save(chunk, new)
    # THEN the row is one that Table Storage takes
    parts = [value for value in table.row.values() if isinstance(value, bytes)]
    assert max(len(part) for part in parts) <= LIMIT_OF_A_PROPERTY
    assert sum(len(part) for part in parts) < LIMIT_OF_A_ROW * 0.9
    assert len(table.row) <= LIMIT_OF_PROPERTIES
    assert known(chunk_of(table.read())) == known(chunk)


async def test_whoever_lost_the_chunk_hears_of_it() -> None:
    # GIVEN two who have read the same chunk
    table, store = stored(of(3))
    first, second = chunk_of(table.read()), chunk_of(table.read())
    first.owner, second.owner = "first", "second"
    # WHEN the second writes before the first
    await store.save(second)
    # THEN the first must stop, also when it tries again
    for _ in range(2):
        with pytest.raises(Stale):
            await store.save(first)
    assert chunk_of(table.read()).owner == "second"


@pytest.mark.parametrize("segments", [1, 150])
async def test_a_write_whose_answer_got_lost_is_no_lost_chunk(segments: int) -> None:
    # GIVEN a worker whose write arrives, though the answer to it does not
    table, store = stored(of(3))
    chunk = chunk_of(table.read())
    chunk.owner = "first"
    while chunk.segments < segments:
        await store.save(chunk, [0] if 0 in chunk.results else [])
        chunk.results[0] = Result(State.SENDING)
    table.loses_answers = 1
    # WHEN it writes, THEN it goes on, with the ETag that the row has now
    chunk.results[1] = Result(State.DELIVERED, 200)
    await store.save(chunk, [1])
    await store.save(chunk)
    assert chunk.etag == str(table.version)
    assert known(chunk_of(table.read())) == known(chunk)


# --- who is open, who is in doubt


def test_before_anything_is_sent_all_are_open_and_nobody_is_in_doubt() -> None:
    chunk = of(3)
    assert chunk.open() == [0, 1, 2]
    assert chunk.in_doubt() == []
    assert chunk.result(0) == Result(State.PENDING)


def test_a_first_attempt_is_in_doubt_by_the_mark_alone() -> None:
    chunk = of(4, marked=3, states={0: State.DELIVERED})
    assert chunk.in_doubt() == [1, 2]
    assert chunk.open() == [1, 2, 3]
    assert [chunk.result(n).state for n in range(4)] == [
        State.DELIVERED,
        State.SENDING,
        State.SENDING,
        State.PENDING,
    ]


def test_a_second_attempt_is_in_doubt_by_its_own_entry_since_the_mark_has_passed() -> None:
    # GIVEN three who were marked; WHEN one waits for a retry and another's retry is on its way
    chunk = of(3, marked=3, states={0: State.PENDING, 1: State.SENDING, 2: State.FAILED})
    # THEN only the second may have got something that nobody knows of
    assert chunk.in_doubt() == [1]
    assert chunk.open() == [0, 1]


def test_a_result_before_the_mark_came_to_somebody_is_known() -> None:
    # Those who need no message (not installed, chat active, not found) have a result without ever being marked.
    chunk = of(3, marked=0, states={1: State.NOT_INSTALLED})
    assert chunk.open() == [0, 2]
    assert chunk.in_doubt() == []


@pytest.mark.parametrize("state", State)
def test_a_state_is_either_open_or_counted(state: State) -> None:
    counts = of(2, states={0: state}).counts()
    assert counts["open"] == (2 if state in OPEN_STATES else 1)
    assert [name for name in counts if name not in ("size", "open") and counts[name]] == (
        [state.value] if state in FINAL_STATES else []
    )


@given(chunks())
def test_counts_always_sum_to_the_size_and_doubt_is_a_part_of_what_is_open(chunk: Chunk) -> None:
    counts = chunk.counts()
    assert set(counts) == {"size", "open", *(state.value for state in FINAL_STATES)}
    assert sum(counts.values()) - counts["size"] == counts["size"] == len(chunk.people)
    assert counts["open"] == len(chunk.open())
    assert set(chunk.in_doubt()) <= set(chunk.open())
    for number in range(len(chunk.people)):
        assert chunk.result(number).final == (number not in chunk.open())
        assert (chunk.result(number).state is State.SENDING) == (number in chunk.in_doubt())


@given(chunks())
def test_a_row_shows_between_which_places_its_people_stand(chunk: Chunk) -> None:
    row = row_of(chunk)
    known = [place_of_person(person.user) for person in chunk.people if person.user]
    assert (row["low"], row["high"]) == ((min(known), max(known)) if known else ("", ""))
    assert row["strangers"] == sum(person.user is None for person in chunk.people)
    assert not {"low", "high", "strangers"} & progress_row(chunk, []).keys(), "progress leaves them as they are"
