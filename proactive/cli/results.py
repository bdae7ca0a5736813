"""`results`: what became of each person, as a table, CSV or JSON."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import click

from proactive.cli import show
from proactive.cli.client import segment
from proactive.cli.options import Session, service

_PAGE = 1000  # the most that the service gives at once
_SHOWN = 100  # in a table, unless --top says otherwise
_STATES = (
    "pending", "postponed", "sending", "delivered", "notInstalled", "chatActive", "failed", "unknown", "cancelled"
)  # fmt: skip


@click.command()
@click.argument("send_id", metavar="ID")
@click.option("--state", multiple=True, type=click.Choice(_STATES), help="Only people in this state. Repeatable.")
@click.option("--top", type=click.IntRange(min=1), help=f"At most so many; {_SHOWN} in a table, else all.")
@click.option("--continuation", metavar="TEXT", help="Go on where a table has ended.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV; spreadsheets run nothing in it.")
@service
def results(
    session: Session, *, send_id: str, state: tuple[str, ...], top: int | None, continuation: str | None, as_csv: bool
) -> None:
    """Show what became of each person."""
    query = {"state": ",".join(state), "continuation": continuation}
    path = f"/sends/{segment(send_id)}/recipients"
    if as_csv:
        for text in _tables(session, path, query, top):
            click.echo(text, nl=False)
        return
    rows, following = _rows(session, path, query, top if session.as_json else top or _SHOWN)
    if session.as_json:
        show.as_json({"results": rows, "continuation": following})
        return
    show.table(
        ("recipient", "state", "code", "reason", "attempts", "delivered", "answer"),
        (
            (
                row["recipient"],
                row["state"],
                row["statusCode"],
                row["reason"],
                row["attempts"],
                row["deliveredAt"],
                (row["response"] or {}).get("submitActionId"),
            )
            for row in rows
        ),
    )
    if following:
        show.line(f"There are more: --continuation {following}, or --csv for all of them.", err=True)


def _rows(
    session: Session, path: str, query: dict[str, Any], top: int | None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return results, at most `top`, and where the rest begins."""
    rows: list[dict[str, Any]] = []
    following = query["continuation"]
    while top is None or len(rows) < top:
        size = _PAGE if top is None else min(top - len(rows), _PAGE)
        page = session.client.call("GET", path, query={**query, "top": size, "continuation": following}).body
        rows, following = rows + page["results"], page["continuation"]
        if not following:
            break
    return rows, following


def _tables(session: Session, path: str, query: dict[str, Any], top: int | None) -> Iterator[str]:
    """Yield the results as CSV; the service gives many at once, and more only of the very largest sends."""
    following, left, first = query["continuation"], top, True
    while left is None or left > 0:
        asked = {**query, "top": min(left, 100_000) if left else None, "continuation": following}
        answer = session.client.call("GET", path, query=asked, headers={"Accept": "text/csv"})
        head, _, rest = answer.text.partition("\n")
        yield answer.text if first else rest
        # The address is not followed: it may name another host than the one that the key is for.
        link = (answer.headers.get("Link") or "").partition(";")[0].strip("<> ")
        following, first = parse_qs(urlsplit(link).query).get("continuation", [""])[0], False
        if not following or not head:
            return
        left = None if left is None else left - 100_000
