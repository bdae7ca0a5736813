"""The keys of persons: where their rows stand, and by what the rows of sends show whom they may hold.

A person's *place* is a short text by which the people of large plans are sorted, so that the least and the greatest
place of a chunk tell whether somebody may be in it. A *fingerprint* is what the index has of each person of a small
send: enough to pass over the sends of others, too little to name anybody.
"""

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from proactive.model import Entry, Recipient

SPREAD = 32
FEW = 20  # people of a send whose fingerprints stand in the index
ERASED = "erased"  # what stands in a send instead of the name of a person who was erased
_PLAIN_KEY = re.compile(r"[A-Za-z0-9:._@-]{1,200}")
_CANDIDATE = re.compile(r"<([^<>]+)>")
_DIGITS = 8  # of a fingerprint


def user_key(user: str) -> str:
    """Return the key under which a person is kept: object ids differ in case between Microsoft's services."""
    user = user.strip()
    return user if user.startswith("29:") else user.lower()


def alias_key(alias: str) -> str:
    """Return the key of a mail address, user principal name or display name, whatever its case and spacing.

    An accented letter may be one code point or two: names that were copied on a Mac come in the other form.
    """
    plain = unicodedata.normalize("NFC", " ".join(alias.split())).casefold()
    return hashlib.sha256(plain.encode()).hexdigest()[:40]


def row_key(user: str) -> str:
    """Return a row key: most ids are one as they stand, others hold characters that a key must not have."""
    return user if _PLAIN_KEY.fullmatch(user) else "=" + hashlib.sha256(user.encode()).hexdigest()


def partition_number(user: str) -> str:
    """Return which of the partitions of persons holds a person."""
    return f"{zlib.crc32(user.encode()) % SPREAD:02}"


def place_of_person(user: str) -> str:
    """Return a text that sorts as the rows of persons stand in storage: by partition, then by key."""
    return f"{partition_number(user)}!{row_key(user)}"


def span(people: Iterable[Recipient]) -> tuple[str, str]:
    """Return the least and the greatest place of the people whom a bot knows; two empty texts where there are none."""
    places = [place_of_person(person.user) for person in people if person.user]
    return (min(places), max(places)) if places else ("", "")


def fingerprints(people: Iterable[Recipient]) -> str:
    """Return the fingerprints of people, one after the other: of their keys, or of the names of those without one."""
    return "".join(sorted({_of_user(p.user) if p.user else alias_key(p.name)[:_DIGITS] for p in people}))


class Subject(NamedTuple):
    """A person whose traces are looked for: the key, empty where there is none, and the keys of the person's names.

    Somebody whom the bot did not know when a message was sent stands in the send by name alone.
    """

    user: str
    aliases: frozenset[str]

    def is_recipient(self, recipient: Recipient) -> bool:
        """Whether this recipient is the person."""
        return recipient.user == self.user if recipient.user else alias_key(recipient.name) in self.aliases

    def is_named(self, entry: Entry) -> bool:
        """Whether a sender means the person by this entry."""
        if entry.kind not in ("person", "user"):
            return False
        return user_key(entry.value) == self.user or alias_key(entry.value) in self.aliases

    def is_mentioned(self, reason: str) -> bool:
        """Whether the person is one of the candidates that the reason of a result lists."""
        found = _CANDIDATE.findall(reason)
        return any(user_key(address) == self.user or alias_key(address) in self.aliases for address in found)

    def without(self, known: str) -> str:
        """Return fingerprints without the person's own; as they were, where the person is not among them."""
        own = {alias[:_DIGITS] for alias in self.aliases} | ({_of_user(self.user)} if self.user else set())
        parts = (known[at : at + _DIGITS] for at in range(0, len(known), _DIGITS))
        return "".join(part for part in parts if part not in own)


def _of_user(user: str) -> str:
    return hashlib.sha256(user.encode()).hexdigest()[:_DIGITS]
