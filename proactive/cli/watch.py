"""`status` and `watch`: where a send stands, once or until it is over."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import click

from proactive.cli import show
from proactive.cli.client import segment
from proactive.cli.errors import DONE, FAILED, INTERRUPTED, UNFINISHED, UNREACHABLE, CommandError
from proactive.cli.options import Session, service

_OVER = ("completed", "cancelled")
_BETWEEN_LOOKS = {"scheduled": 5.0, "waiting": 5.0}  # seconds; while it moves:
_QUICK = 1.0
_FIRST_LOOKS = (0.2, 0.3, 0.5)  # a send to one person is over within a second
_REMEMBERED = 15.0  # seconds over which the rate is taken
_LINE_EVERY = 5.0  # seconds, where there is no terminal
_PATIENCE = 60.0  # seconds for which the service may be away
_FACTS = ("id", "status", "verb", "of", "bot", "tenant", "createdAt", "sendAt", "deliverUntil", "waitUntil",
          "completedAt", "cancelledAt")  # fmt: skip


def watching(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that starts a send and may follow it."""
    command = _at_most(command)
    return click.option("--watch", is_flag=True, help="Follow it until it is over; 1 where it failed.")(command)


_at_most = click.option(
    "--at-most", type=click.FloatRange(min=0), default=None, metavar="SECONDS", help="Follow it no longer than this."
)


@click.command()
@click.argument("send_id", metavar="ID")
@service
def status(session: Session, *, send_id: str) -> None:
    """Show where a send stands."""
    now = look(session, send_id)
    if session.as_json:
        show.as_json(now)
    else:
        _show(now)


@click.command()
@click.argument("send_id", metavar="ID")
@click.option("--delivered", is_flag=True, help="Do not wait for answers: stop when everybody has a final state.")
@_at_most
@service
def watch(session: Session, *, send_id: str, delivered: bool, at_most: float | None) -> None:
    """Follow a send until it is over. Ends with 1 where a flow's run would fail."""
    follow(session, send_id, at_most=at_most, delivered=delivered)


def look(session: Session, send: str) -> dict[str, Any]:
    """Return where a send stands."""
    found: dict[str, Any] = session.client.call("GET", f"/sends/{segment(send)}").body
    return found


def follow(session: Session, send: str, *, at_most: float | None, delivered: bool = False) -> None:
    """Show how a send goes on until it is over, and end the command with the code that says how."""
    states = _states(session, send, at_most, delivered=delivered)
    try:
        last = _with_progress(states) if not session.as_json else deque(states, maxlen=1).pop()
    except KeyboardInterrupt:
        show.line("Not followed any longer; the send goes on.", err=True)
        sys.exit(INTERRUPTED)
    if session.as_json:
        show.as_json(last)
    else:
        _show(last)
    if not _over(last, delivered=delivered):
        sys.exit(UNFINISHED)
    sys.exit(FAILED if fails(last) else DONE)


def accepted(session: Session, body: dict[str, Any], *, watch: bool, at_most: float | None) -> None:
    """Show that a send was accepted, or follow it."""
    if watch:
        follow(session, body["id"], at_most=at_most)
    elif session.as_json:
        show.as_json(body)
    else:
        show.line(body["id"])
        show.line(f"Accepted. To follow it: proactive watch {body['id']}", err=True)


def fails(status: dict[str, Any]) -> bool:
    """Tell whether a flow's run would fail by what became of a send: the rule under which its outcome is 424."""
    counts, options = status["counts"], status["options"]
    return bool(
        counts["failed"]
        or (counts["notInstalled"] and options["ifBotNotInstalled"] != "succeedWithStatusCode")
        or (counts["chatActive"] and options["ifChatIsActive"] == "dontSendAndFail")
    )


def _over(status: dict[str, Any], *, delivered: bool) -> bool:
    there = status["status"] in (*_OVER, "waiting") if delivered else status["status"] in _OVER
    # A wait may end, and a send be cancelled, while messages are still on their way.
    return there and not status["counts"]["pending"]


def _states(session: Session, send: str, at_most: float | None, *, delivered: bool) -> Iterator[dict[str, Any]]:
    """Yield where a send stands, again and again until it is over or the time is."""
    began = away_since = time.monotonic()
    first = list(_FIRST_LOOKS)
    known: dict[str, Any] | None = None
    while True:
        try:
            known = look(session, send)
            away_since = time.monotonic()
            yield known
            if _over(known, delivered=delivered):
                return
        except CommandError as error:
            # Before the first answer it is the address or the key; after that, a pause.
            if known is None or error.code != UNREACHABLE or time.monotonic() - away_since > _PATIENCE:
                raise
        pause = first.pop(0) if first else _BETWEEN_LOOKS.get(known["status"], _QUICK)
        left = began + at_most - time.monotonic() if at_most is not None else pause
        if left <= 0:
            return
        time.sleep(min(pause, left))


class _Rate:
    """How many people are done in a second, over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, done: int) -> float:
        now = time.monotonic()
        self._seen.append((now, done))
        while now - self._seen[0][0] > _REMEMBERED:
            self._seen.popleft()
        since, before = self._seen[0]
        return (done - before) / (now - since) if now > since else 0.0


def _with_progress(states: Iterator[dict[str, Any]]) -> dict[str, Any]:
    console = show.console(err=True)
    if not console.is_terminal or console.is_dumb_terminal:
        return _with_lines(states)
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=10)),
        TextColumn("{task.fields[told]}", markup=False),
    ]
    rate, last = _Rate(), {}
    with Progress(*columns, console=console, expand=True, transient=True) as progress:
        task = progress.add_task("", total=None, told="")
        for last in states:
            total, done = _progress(last)
            told = _told(last, rate.note(done))
            progress.update(task, description=last["status"], total=total, completed=done, told=told)
    return last


def _with_lines(states: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Write a line now and then, where nothing can be drawn over."""
    rate, last, at, told = _Rate(), {}, 0.0, ""
    for last in states:
        text = f"{last['status']}: {_told(last, rate.note(_progress(last)[1]))}"
        if text != told and time.monotonic() - at >= _LINE_EVERY:
            at, told = time.monotonic(), text
            show.line(text, err=True)
    return last


def _progress(status: dict[str, Any]) -> tuple[int, int]:
    total: int = status["counts"]["total"]
    return total, total - status["counts"]["pending"]


def _told(status: dict[str, Any], rate: float) -> str:
    total, done = _progress(status)
    counts = {name: number for name, number in status["counts"].items() if name != "pending"}
    parts = [f"{done} of {total}", *([show.counts(counts)] if done else [])]
    if rate > 0 and done < total:
        parts += [f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s", f"{_duration((total - done) / rate)} left"]
    return " · ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _show(status: dict[str, Any]) -> None:
    callback = status.get("callback") or {}
    show.facts(
        [
            *((name, status.get(name)) for name in _FACTS),
            ("people", status["counts"]["total"]),
            ("of them", show.counts(status["counts"])),
            ("callback", callback.get("state")),
        ]
    )
