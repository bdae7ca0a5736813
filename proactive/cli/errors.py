"""How a command ends: exit codes that scripts can use, and errors as sentences.

0    done
1    the send failed, as a flow's run would
2    the command was not given rightly
3    the service, or storage, refused it
4    the service, or storage, cannot be reached or does not work
5    it is not over yet, and nobody waits any longer
130  interrupted, or not confirmed
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

DONE, FAILED, USAGE, REFUSED, UNREACHABLE, UNFINISHED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

# What fills a field, where it is not the option of the field's own name.
_FILLED_BY = {"/message": "MESSAGE", "/message/text": "MESSAGE", "/message/format": "--format"}


class CommandError(Exception):
    """A command that comes to nothing: its exit code, a sentence with the remedy, and the fields at fault."""

    def __init__(
        self,
        code: int,
        sentence: str,
        *,
        status: int | None = None,
        fields: Sequence[Mapping[str, Any]] = (),
        in_doubt: bool = False,
    ) -> None:
        """Tell with `in_doubt` that what was asked for may have been done all the same."""
        super().__init__(sentence)
        self.code = code
        self.sentence = plain(sentence)
        self.status = status
        self.fields = fields
        self.in_doubt = in_doubt
        self.as_json = False

    def show(self) -> None:
        """Write the error to standard error, as JSON where the command was asked for JSON."""
        if self.as_json:
            import json

            body = {"exitCode": self.code, "status": self.status, "detail": self.sentence, "errors": self.fields}
            click.echo(json.dumps({name: value for name, value in body.items() if value}), err=True)
            return
        click.echo(f"Error: {self.sentence}", err=True)
        for field in self.fields:
            where = str(field.get("pointer", ""))
            click.echo(plain(f"  {where or 'the whole'}{_hint(where)}: {field.get('detail', '')}"), err=True)


def plain(text: str) -> str:
    """Return a text without what a terminal would obey: much of what is shown was written by strangers."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)


def _hint(pointer: str) -> str:
    """Return in brackets what fills a field."""
    parts = pointer.split("/")[1:]
    if not parts or not all(re.fullmatch("[A-Za-z0-9]+", part) for part in parts):
        return ""
    name = parts[1] if parts[0] in ("options", "wait") and parts[1:] else parts[0]
    return f" ({_FILLED_BY.get(pointer) or '--' + kebab(name)})"


def kebab(name: str) -> str:
    """Return a field's name as an option has it."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
