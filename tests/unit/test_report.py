"""What became of a send: codes, counts, pages and tables, as the contract has them."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive.model import OPEN_STATES, Options, Recipient, Result, Send, State
from proactive.report import outcome, outcome_url, results, status, status_url, table
from proactive.service import Service
from proactive.store.chunks import Chunk

NOW = datetime(2026, 9, 21, 13, 33, 20, tzinfo=UTC).timestamp()
STATUS_CODES = {
    State.DELIVERED: 200,
    State.NOT_INSTALLED: 100,
    State.CHAT_ACTIVE: 300,
    State.FAILED: 502,
    State.UNKNOWN: 504,
    State.CANCELLED: 409,
}


class StoredChunks:
    """The chunks of one send, in memory."""

    def __init__(self, chunks: list[Chunk]) -> None:
        self._chunks = chunks

    async def counts(self, send: str, plan: str) -> list[dict[str, Any]]:
        return [{"marked": chunk.marked, **chunk.counts()} for chunk in self._chunks]

    async def read(self, send: str, plan: str, first: int = 0) -> AsyncIterator[Chunk]:
        for chunk in self._chunks[first:]:
            yield chunk


def service(*states: Sequence[State | Result], marked: int = 0) -> Service:
    """Return what a report reads: one chunk for each list of states."""
    chunks = []
    for number, some in enumerate(states):
        found = [state if isinstance(state, Result) else Result(state, STATUS_CODES.get(state)) for state in some]
        known = {n: result for n, result in enumerate(found) if result.state is not State.PENDING or result.attempts}
        people = [Recipient(f"person{number}.{n}@contoso.com", f"u{number}.{n}") for n in range(len(some))]
        chunks.append(Chunk("s1", "p", number, people, known, marked=marked))
    settings = SimpleNamespace(public_url="https://bot.contoso.com")
    fake = SimpleNamespace(settings=settings, chunks=StoredChunks(chunks), clock=lambda: NOW)
    return cast("Service", fake)


def send(**changes: Any) -> Send:
    fields: dict[str, Any] = {
        "id": "s1",
        "secret": "hush",
        "content_hash": "hash",
        "bot": "default",
        "tenant": "t1",
        "created_at": NOW - 60,
        "send_at": None,
        "options": Options(),
        "activity": {},
        "entries": 1,
        "plan": "p",
        "completed_at": NOW,
    }
    return Send(**{**fields, **changes})


# --- outcome


@pytest.mark.parametrize(
    ("result", "options", "code", "failed"),
    [
        (Result(State.DELIVERED, 200, message_id="1:a"), {}, 200, False),
        (Result(State.NOT_INSTALLED, 100, "notInstalled"), {}, 100, True),
        (Result(State.NOT_INSTALLED, 100, "blocked"), {"if_bot_not_installed": "fail"}, 100, True),
        (Result(State.NOT_INSTALLED, 100, "b"), {"if_bot_not_installed": "succeedWithStatusCode"}, 100, False),
        (Result(State.CHAT_ACTIVE, 300), {"if_chat_is_active": "dontSendAndSucceed"}, 300, False),
        (Result(State.CHAT_ACTIVE, 300), {"if_chat_is_active": "dontSendAndFail"}, 300, True),
        (Result(State.FAILED, 404, "unknownRecipient"), {}, 404, True),
        (Result(State.FAILED, 413, "MessageSizeTooBig"), {}, 413, True),
        (Result(State.FAILED, 502, "BadArgument"), {}, 502, True),
        (Result(State.FAILED, 502), {"if_bot_not_installed": "succeedWithStatusCode"}, 502, True),
        (Result(State.CANCELLED, 409), {}, 409, False),
        (Result(State.UNKNOWN, 504), {"if_outcome_unknown": "leave"}, 504, False),
    ],
)
async def test_with_one_recipient_its_code_stands_at_the_top_and_the_option_decides_about_the_run(
    result: Result, options: dict[str, Any], code: int, failed: bool
) -> None:
    end = await outcome(service([result]), send(options=Options(**options)))
    assert end is not None
    assert end.failed is failed
    assert end.body["statusCode"] == code
    assert end.body["succeeded"] is (code == 200)
    assert end.body.get("messageId") == (result.message_id or None)
    (only,) = end.body["results"]
    assert (only["statusCode"], only["succeeded"], only["reason"]) == (code, code == 200, result.reason or None)


@pytest.mark.parametrize(
    ("states", "code", "failed"),
    [
        ([State.DELIVERED, State.DELIVERED], 200, False),
        ([State.DELIVERED, State.NOT_INSTALLED], 207, True),
        ([State.DELIVERED, State.UNKNOWN], 207, False),
        ([State.CANCELLED, State.CANCELLED], 207, False),
        ([State.FAILED, State.FAILED], 207, True),
    ],
)
async def test_with_several_recipients_the_code_is_200_when_all_were_delivered_and_else_207(
    states: list[State], code: int, failed: bool
) -> None:
    for chunks in ([states], [states[:1], states[1:]]):
        end = await outcome(service(*chunks), send())
        assert end is not None
        assert (end.body["statusCode"], end.failed) == (code, failed)
        assert end.body["succeeded"] is (code == 200)
        assert "messageId" not in end.body


async def test_an_outcome_names_the_send_and_where_all_results_are() -> None:
    end = await outcome(service([State.DELIVERED]), send())
    assert end is not None
    assert end.body["id"] == "s1"
    assert end.body["outcome"] == "completed"
    assert end.body["resultsUrl"] == "https://bot.contoso.com/api/v1/sends/s1/recipients"
    assert "hush" not in str(end.body)  # the secret of the outcome's address goes to its sender alone


async def test_an_outcome_has_the_first_hundred_results() -> None:
    end = await outcome(service([State.DELIVERED] * 80, [State.DELIVERED] * 80), send())
    assert end is not None
    assert len(end.body["results"]) == 100
    assert end.body["counts"]["total"] == end.body["counts"]["delivered"] == 160


async def test_a_cancelled_send_says_so_and_does_not_fail_the_run() -> None:
    end = await outcome(service([State.DELIVERED, State.CANCELLED]), send(cancelled_at=NOW))
    assert end is not None
    assert (end.body["outcome"], end.failed) == ("cancelled", False)


async def test_there_is_no_outcome_before_a_send_is_completed() -> None:
    assert await outcome(service([State.DELIVERED]), send(completed_at=None)) is None
    assert await outcome(service([]), send(completed_at=None, plan="")) is None


# --- status


@pytest.mark.parametrize(
    ("changes", "states", "marked", "expected"),
    [
        ({"plan": "", "completed_at": None}, [], 0, "accepted"),
        ({"plan": "", "completed_at": None, "send_at": NOW + 1}, [], 0, "scheduled"),
        ({"plan": "", "completed_at": None, "send_at": NOW - 1}, [], 0, "accepted"),
        ({"completed_at": None}, [State.PENDING, State.PENDING], 0, "accepted"),
        ({"completed_at": None}, [State.PENDING, State.PENDING], 1, "delivering"),
        ({"completed_at": None}, [State.DELIVERED, State.PENDING], 0, "delivering"),
        ({}, [State.DELIVERED], 1, "completed"),
        ({"cancelled_at": NOW, "completed_at": None}, [State.PENDING], 0, "cancelled"),
        ({"cancelled_at": NOW}, [State.CANCELLED], 0, "cancelled"),
    ],
)
async def test_the_status_tells_how_far_a_send_has_come(
    changes: dict[str, Any], states: list[State | Result], marked: int, expected: str
) -> None:
    assert (await status(service(states, marked=marked), send(**changes)))["status"] == expected


async def test_before_the_plan_all_that_were_named_are_pending() -> None:
    counts = (await status(service(), send(plan="", completed_at=None, entries=7)))["counts"]
    assert counts["total"] == counts["pending"] == 7
    assert sum(counts.values()) == 14


async def test_a_status_has_times_options_and_addresses() -> None:
    body = await status(
        service([State.DELIVERED]), send(send_at=NOW + 60, options=Options(parallelism=5, deliver_within=3_600))
    )
    assert body["id"] == "s1"
    assert (body["bot"], body["tenant"]) == ("default", "t1")
    assert body["createdAt"] == "2026-09-21T13:32:20.000Z"
    assert body["sendAt"] == "2026-09-21T13:34:20.000Z"
    assert body["deliverUntil"] == "2026-09-21T14:34:20.000Z"
    assert body["completedAt"] == "2026-09-21T13:33:20.000Z"
    assert (body["options"]["parallelism"], body["options"]["deliverWithin"]) == (5, "PT1H")
    assert body["statusUrl"] == "https://bot.contoso.com/api/v1/sends/s1"
    assert "cancelledAt" not in body
    assert "hush" not in str(body)  # who may read the status may not thereby open the outcome's address


def test_addresses_begin_with_the_public_url() -> None:
    assert status_url(service(), send()) == "https://bot.contoso.com/api/v1/sends/s1"
    assert outcome_url(service(), send()) == "https://bot.contoso.com/api/outcomes/s1/hush"


@pytest.mark.parametrize("seed_states", [list(State), [State.PENDING] * 3, [State.FAILED] * 2 + [State.SENDING]])
async def test_counts_sum_to_the_total(seed_states: list[State | Result]) -> None:
    counts = (await status(service(seed_states, seed_states), send(completed_at=None)))["counts"]
    parts = ("pending", "delivered", "notInstalled", "chatActive", "failed", "unknown", "cancelled")
    assert set(counts) == {"total", "responded", *parts}
    assert sum(counts[name] for name in parts) == counts["total"] == 2 * len(seed_states)
    assert counts["pending"] == 2 * sum(state in OPEN_STATES for state in seed_states)


# --- results


async def test_a_result_has_every_field_of_the_contract() -> None:
    result = Result(State.DELIVERED, 200, "", "1:a", "a:c", attempts=2, at=NOW)
    (found,), more = await results(service([result]), send())
    assert more is None
    assert found == {
        "recipient": "person0.0@contoso.com",
        "userId": "u0.0",
        "state": "delivered",
        "statusCode": 200,
        "succeeded": True,
        "reason": None,
        "messageId": "1:a",
        "conversationId": "a:c",
        "attempts": 2,
        "deliveredAt": "2026-09-21T13:33:20.000Z",
        "response": None,
    }


@pytest.mark.parametrize("state", State)
async def test_a_result_succeeded_only_when_delivered_and_nobody_knows_while_it_is_open(state: State) -> None:
    # A reason or an attempt keeps a pending result apart from one that was never written.
    result = Result(state, STATUS_CODES.get(state), attempts=1, at=NOW)
    (found,), _ = await results(service([result]), send())
    assert found["state"] == state.value
    assert found["succeeded"] is (None if state in OPEN_STATES else state is State.DELIVERED)
    assert (found["deliveredAt"] is not None) == (state is State.DELIVERED)


@pytest.mark.parametrize("top", [1, 2, 3, 4, 7, 100])
@pytest.mark.parametrize("states", [(), (State.FAILED,), (State.DELIVERED, State.FAILED), (State.UNKNOWN,)])
async def test_pages_joined_are_all_results_once_and_in_order(top: int, states: tuple[State, ...]) -> None:
    # GIVEN chunks of several sizes
    mixed = [State.DELIVERED, State.FAILED, State.DELIVERED]
    fake = service(mixed, [State.FAILED], [], mixed)
    wanted = [
        f"person{chunk}.{n}@contoso.com"
        for chunk, some in enumerate([mixed, [State.FAILED], [], mixed])
        for n, state in enumerate(some)
        if not states or state in states
    ]
    # WHEN page after page is read
    found: list[str] = []
    start: tuple[int, int] | None = (0, 0)
    while start is not None:
        page, start = await results(fake, send(), states=states, top=top, start=start)
        assert len(page) == top or start is None
        assert page or not wanted  # a page that promises more than there is would cost a call for nothing
        found += [result["recipient"] for result in page]
    # THEN nobody is missing and nobody stands twice
    assert found == wanted


async def test_there_are_no_results_before_the_plan() -> None:
    assert await results(service(), send(plan="")) == ([], None)


# --- tables

COLUMNS = [
    "recipient",
    "userId",
    "state",
    "statusCode",
    "succeeded",
    "reason",
    "messageId",
    "conversationId",
    "attempts",
    "deliveredAt",
    "response",
]


def row(**changes: Any) -> dict[str, Any]:
    return {**dict.fromkeys(COLUMNS), **changes}


def read_back(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_a_table_has_a_header_and_ends_its_lines_by_rfc_4180() -> None:
    assert table([]) == ",".join(COLUMNS) + "\r\n"
    text = table([row(recipient="ada@contoso.com", state="delivered", statusCode=200, succeeded=True, attempts=1)])
    assert text.endswith("\r\nada@contoso.com,,delivered,200,true,,,,1,,\r\n")


@pytest.mark.parametrize(("value", "cell"), [(True, "true"), (False, "false"), (None, ""), (0, "0"), (200, "200")])
def test_values_are_written_as_in_json(value: object, cell: str) -> None:
    assert read_back(table([row(succeeded=value)]))[1][COLUMNS.index("succeeded")] == cell


@pytest.mark.parametrize(
    "name", ['Ada "the" Countess', "Lovelace, Ada", "Ada\nLovelace", "Ada\r\nLovelace", "Grüße 😀"]
)
def test_commas_quotes_and_line_ends_stay_within_their_cell(name: str) -> None:
    lines = read_back(table([row(recipient=name), row(recipient="next")]))
    assert [line[0] for line in lines] == ["recipient", name, "next"]
    assert {len(line) for line in lines} == {len(COLUMNS)}


@pytest.mark.parametrize(
    "formula",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("https://evil.example","Ada")', "=cmd|' /C x'!A0"],
)
@pytest.mark.parametrize("column", ["recipient", "userId", "reason", "messageId", "conversationId"])
def test_what_a_spreadsheet_would_run_becomes_plain_text(formula: str, column: str) -> None:
    cell = read_back(table([row(**{column: formula})]))[1][COLUMNS.index(column)]
    assert cell == "'" + formula


@given(st.lists(st.text(max_size=8) | st.text(alphabet="=+-@\t\r\n\",'a", max_size=5), max_size=4))
def test_a_table_can_be_read_back_and_holds_no_formula(names: list[str]) -> None:
    cells = [line[0] for line in read_back(table([row(recipient=name) for name in names]))][1:]
    assert [cell if cell == name else cell[1:] for cell, name in zip(cells, names, strict=True)] == names
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell]
