"""What must hold after every run, whatever was cut: each a function that yields what is wrong."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from proactive import report
from proactive.model import Send
from tests.chaos.letters import HIDDEN
from tests.chaos.world import Run

_RESUMED = 120.0  # seconds within which sending goes on after a crash
_NOT_SENT_TO = {"notInstalled", "chatActive", "cancelled", "failed", "unknown"}


@dataclass
class End:
    """How a run ended."""

    run: Run
    send: Send
    status: dict[str, Any]
    results: dict[str, list[dict[str, Any]]]  # by person
    copies: dict[str, list[str]]  # by person: the ids of what stands in the chat

    def doubts(self, user: str) -> int:
        """Return how often nobody could know whether this person had got the message."""
        return self.run.doubts[user] + sum(user in crash.doubts for crash in self.run.crashes)


async def wrong(run: Run) -> list[str]:
    """Return a sentence for everything that is wrong with how a run ended."""
    if run.failures:
        return [f"something failed: {run.failures}"]
    send = await run.kept()
    if send is None:
        return ["the send is not there"]
    results: dict[str, list[dict[str, Any]]] = {}
    start: tuple[int, int] | None = (0, 0)
    while start is not None:
        rows, start = await report.results(run.observer, send, top=1000, start=start)
        for row in rows:
            results.setdefault(row["userId"] or row["recipient"], []).append(row)
    named = [run.person(number) for number in run.scenario.people]
    copies = {one.object_id: [str(got["id"]) for got in run.town.teams.delivered(one)] for one in named}
    end = End(run, send, await report.status(run.observer, send), results, copies)
    return [f"{check.__name__}: {found}" for check in CHECKS for found in check(end)]


def everybody_has_one_final_state(end: End) -> Iterator[str]:
    """Who was named stands there once, with a state that nothing changes any more; nobody else does."""
    if set(end.results) != set(end.copies):
        yield f"{len(end.results)} people have results, {len(end.copies)} were named"
    for user, rows in end.results.items():
        if len(rows) != 1:
            yield f"{user} stands there {len(rows)} times"
        if rows[0]["state"] in ("pending", "postponed", "sending"):
            yield f"{user} is {rows[0]['state']}"


def the_send_is_completed_and_its_counts_sum_up(end: End) -> Iterator[str]:
    counts = dict(end.status["counts"])
    if not end.send.completed_at:
        yield "it is not completed"
    total = counts.pop("total")
    counts.pop("responded")
    if sum(counts.values()) != total or total != len(end.copies) or counts["pending"]:
        yield f"{total} and {counts}"


def nobody_is_lost(end: End) -> Iterator[str]:
    """Who could be reached was: what else became of somebody needs a reason."""
    numbers = {end.run.person(number).object_id: number for number in end.run.scenario.people}
    planned = end.run.scenario
    cancelled = bool(end.send.cancelled_at)
    for user, (row, *_) in end.results.items():
        number, state = numbers[user], row["state"]
        doubtful = end.doubts(user) > 0
        allowed = {"delivered"}
        if number in planned.never_met or number in planned.blocked:
            allowed = {"notInstalled"}
        elif number in planned.chatting and planned.if_chat_is_active.startswith("dontSend"):
            allowed = {"chatActive"}
        if cancelled:
            allowed.add("cancelled")
        if doubtful and (cancelled or planned.if_outcome_unknown == "leave"):
            allowed.add("unknown")
        if state not in allowed:
            yield f"{user} (number {number}) is {state} {row['reason']}, not {' or '.join(sorted(allowed))}"
        if not end.copies[user] and state not in _NOT_SENT_TO:
            yield f"{user} is {state}, and got nothing"


def what_is_said_of_who_got_nothing_is_true(end: End) -> Iterator[str]:
    """Whoever has the message is delivered, unless nobody could know."""
    for user, (row, *_) in end.results.items():
        if end.copies[user] and row["state"] != "delivered" and not end.doubts(user):
            yield f"{user} is {row['state']}, and has the message"


def nobody_is_doubled_without_need(end: End) -> Iterator[str]:
    """Under `leave` nobody has two copies, under `resend` one more for each time that nobody could know."""
    for user, copies in end.copies.items():
        most = 1 if end.run.scenario.if_outcome_unknown == "leave" else 1 + end.doubts(user)
        if len(copies) > most:
            yield f"{user} has {len(copies)} copies, {most} at most may be"


def a_crash_leaves_no_more_in_doubt_than_the_window(end: End) -> Iterator[str]:
    """Nobody counts twice: whom an earlier crash left in doubt may still be so when the next one comes."""
    before: set[str] = set()
    for crash in end.run.crashes:
        if len(crash.doubts - before) > 2 * end.run.scenario.parallelism:
            yield f"{len(crash.doubts - before)} people came to be in doubt with the cut {crash.point}"
        before |= crash.doubts


def who_is_delivered_has_the_message_that_is_named(end: End) -> Iterator[str]:
    for user, (row, *_) in end.results.items():
        if row["state"] == "delivered" and row["messageId"] not in end.copies[user]:
            yield f"{user} has {end.copies[user]}, the result says {row['messageId']}"


def conversations_keep_their_limits(end: End) -> Iterator[str]:
    if throttled := end.run.town.teams.stats().throttled.get("conversation"):
        yield f"{throttled} requests were too many for their conversations"


def the_flow_is_told_once(end: End) -> Iterator[str]:
    told = {number for run, number in end.run.town.called if run == end.run.id}
    expected = {f"{end.run.id}.completed"} if end.run.scenario.calls_back else set()
    if told != expected:
        yield f"it was told {sorted(told)}"


def sending_goes_on_within_two_minutes(end: End) -> Iterator[str]:
    """Every chunk is written again soon after its time has come, and a send without open people is completed.

    Nobody watches a watchdog: who dies in the milliseconds in which it rings holds it back for as long as the queue.
    """
    crashes = end.run.crashes
    for crash, following in zip(crashes, [*crashes[1:], None], strict=False):
        for row, due in crash.due.items():
            until = due + _RESUMED + (HIDDEN if crash.rung else 0.0)
            if following is not None and following.at <= until:
                continue
            written = [at for at, key in end.run.written if at >= crash.at and (key == row or key == "send")]
            if not any(at <= until for at in written):
                first = f"{min(written) - crash.at:.0f} s later" if written else "never"
                yield f"after the cut {crash.point} {row} was written {first}"


CHECKS: tuple[Callable[[End], Iterator[str]], ...] = (
    everybody_has_one_final_state,
    the_send_is_completed_and_its_counts_sum_up,
    nobody_is_lost,
    what_is_said_of_who_got_nothing_is_true,
    nobody_is_doubled_without_need,
    a_crash_leaves_no_more_in_doubt_than_the_window,
    who_is_delivered_has_the_message_that_is_named,
    conversations_keep_their_limits,
    the_flow_is_told_once,
    sending_goes_on_within_two_minutes,
)
