"""What commands print: JSON for scripts, tables for people. Colours only on a terminal, and not with NO_COLOR."""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from proactive.cli.errors import USAGE, CommandError, plain

if TYPE_CHECKING:
    from rich.console import Console


def as_json(value: Any) -> None:
    """Print a value as JSON."""
    import json

    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def line(text: str, *, err: bool = False) -> None:
    """Print a line."""
    click.echo(text, err=err)


def console(*, err: bool = False) -> "Console":
    """Return standard output, or standard error, for tables and progress."""
    from rich.console import Console

    return Console(stderr=err, highlight=False, markup=False, emoji=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; where nobody looks, a line a row with tabs between."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            line("\t".join(plain(cell(value)).replace("\n", " ") for value in row))
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(plain(cell(value))) for value in row))
    console().print(shown)


def facts(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print what there is of some facts, one a line."""
    known = [(name, cell(value)) for name, value in pairs if value not in (None, "", [])]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        line(f"{name:<{width}}  {plain(value)}")


def cell(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def counts(numbers: dict[str, int]) -> str:
    """Return counts in one line: what there is none of is left out."""
    names = {"notInstalled": "not installed", "chatActive": "in a chat"}
    there = [f"{number} {names.get(name, name)}" for name, number in numbers.items() if number and name != "total"]
    return ", ".join(there) or "nobody"


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what cannot be undone; a script has to say --yes. Raises `CommandError` or `click.Abort`."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(USAGE, "Nobody can be asked here: say --yes.")
    click.confirm(plain(question), abort=True, err=True)
