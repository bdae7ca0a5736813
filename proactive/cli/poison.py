"""`rejected` and `redrive`: messages of event sources that were no valid send, and their way back."""

from typing import Any

import click

from proactive.cli import show
from proactive.cli.errors import CommandError
from proactive.cli.options import Session, service
from proactive.cli.queues import Waiting, open_queues

_MOST_REASONS = 5_000


@click.command()
@click.option("--top", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@service
def rejected(session: Session, *, top: int) -> None:
    """Show why messages on the queue were rejected."""
    found = session.client.call("GET", "/rejected", query={"top": top}, operators=True).body
    if session.as_json:
        show.as_json(found)
        return
    rows = ((one["rejectedAt"], one["poisonMessageId"], one["statusCode"], one["reason"]) for one in found["rejected"])
    show.table(("rejected", "message on sends-poison", "code", "reason"), rows)


@click.command()
@click.option(
    "--storage",
    envvar="AzureWebJobsStorage",
    default="",
    show_envvar=True,
    metavar="CONNECTION_STRING",
    help="The storage account, with its key. The variable keeps it out of the list of processes.",
)
@click.option(
    "--account",
    envvar=["AzureWebJobsStorage__queueServiceUri", "AzureWebJobsStorage__accountName"],
    default="",
    show_envvar=True,
    metavar="NAME",
    help="The storage account by its name, or its queue service's address: az signs you in.",
)
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this message of sends-poison. Repeatable.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@service
def redrive(session: Session, *, storage: str, account: str, ids: tuple[str, ...], yes: bool) -> None:
    """Move rejected messages back to the queue.

    They go from sends-poison to sends as they are, to be tried again. Each is put on sends before it is taken from
    sends-poison: whenever this is interrupted none is lost, and the same again goes on.
    """
    with open_queues(storage, account) as queues:
        count, first = queues.waiting()
        shown = [message for message in first if not ids or message.id in ids]
        if not count:
            _tell(session, [], "Nothing waits on sends-poison.")
            return
        _show_waiting(session, count, shown)
        whom = f"{len(ids)} of the {count} messages" if ids else f"{count} messages"
        show.confirm(f"Move {whom} back to sends?", yes=yes)
        moved = queues.move(ids)
        _tell(session, moved, f"{len(moved)} {'message was' if len(moved) == 1 else 'messages were'} moved to sends.")


def _tell(session: Session, moved: list[str], sentence: str) -> None:
    if session.as_json:
        show.as_json({"moved": moved})
    else:
        show.line(sentence)


def _show_waiting(session: Session, count: int, messages: list[Waiting]) -> None:
    if session.as_json:
        return
    reasons = _reasons(session, {message.id for message in messages})
    rows = ((message.since, message.id, reasons.get(message.id, "not known")) for message in messages)
    show.table(("since", "message", "rejected, because"), rows)
    if len(messages) < count:
        show.line(f"{count} wait in all.")


def _reasons(session: Session, ids: set[str]) -> dict[str, str]:
    """Return why messages were rejected. What the Functions host gave up has no reason."""
    found: dict[str, str] = {}
    looked_at, following = 0, None
    try:
        while ids - found.keys() and looked_at < _MOST_REASONS:
            query = {"top": 1000, "continuation": following}
            page: dict[str, Any] = session.client.call("GET", "/rejected", query=query, operators=True).body
            found |= {
                one["poisonMessageId"]: one["reason"] for one in page["rejected"] if one["poisonMessageId"] in ids
            }
            looked_at, following = looked_at + 1000, page["continuation"]
            if not following:
                break
    except CommandError as error:
        show.line(f"Why they were rejected is not known: {error.sentence}", err=True)
    return found
