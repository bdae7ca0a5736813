"""Whom a request names: people, groups, teams and everyone, each checked by itself."""

from collections.abc import Iterable
from typing import Any

from proactive.filling import MOST_OWN_DATA, data_error
from proactive.model import Entry
from proactive.problems import FieldError, pointer

MAX_ENTRIES = 100_000
MAX_NAME = 256


def read_entries(value: Any, errors: list[FieldError]) -> Iterable[Entry]:
    """Yield the entries of the field `recipients`, noting what is wrong with the others."""
    if isinstance(value, str):
        value = [part for part in value.split(";") if part.strip()]
    if not isinstance(value, list) or not value:
        errors.append(FieldError("/recipients", "Name at least one recipient: an array, or a text with ';' between."))
        return
    if len(value) > MAX_ENTRIES:
        errors.append(FieldError("/recipients", f"At most {MAX_ENTRIES} recipients a send: divide them among several."))
        return
    for number, item in enumerate(value):
        entry = _entry(item)
        if isinstance(entry, Entry):
            yield entry
        else:
            where, detail = entry
            errors.append(FieldError(pointer("recipients", number, *where), detail))


def _entry(item: Any) -> Entry | tuple[tuple[str, ...], str]:
    if isinstance(item, str):
        return Entry("person", item.strip()) if _named(item) else ((), f"Give 1 to {MAX_NAME} characters.")
    own = item.get("data") if isinstance(item, dict) else None
    if not isinstance(item, dict) or len(item.keys() - {"data"}) != 1:
        return (), 'Give a text, {"user"}, {"group"}, {"team"} or {"everyone": true}.'
    if own is not None and (wrong := data_error(own, MOST_OWN_DATA)):
        return ("data",), wrong
    kind = next(name for name in item if name != "data")
    value = item[kind]
    if kind == "everyone" and own is not None:
        return ("data",), "Data for everyone stand beside recipients: give data there."
    if kind == "everyone":
        return Entry("everyone") if value is True else (("everyone",), "It should be true.")
    if kind in ("user", "group", "team"):
        if not isinstance(value, str) or not _named(value):
            return (kind,), f"It should be a text of 1 to {MAX_NAME} characters."
        return Entry(kind, value.strip(), own)
    return (kind,), "There is no such kind of recipient: user, group, team and everyone are."


def _named(text: str) -> bool:
    return bool(text.strip()) and len(text) <= MAX_NAME
