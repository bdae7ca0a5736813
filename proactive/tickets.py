"""Tickets: the text in a card's marks that tells whose card an answer is to.

<send id>-<chunk>-<place>-<proof>       the proof comes from the send's secret, so that nobody can guess a ticket
"""

import hashlib
import hmac
import re
from typing import NamedTuple

from proactive.model import Send
from proactive.store.answers import Place

_TICKET = re.compile(r"([a-z2-7]{26})-(\d{1,5})-(\d{1,3})-([0-9a-f]{16})", re.ASCII)
LONGEST = 26 + 1 + 5 + 1 + 3 + 1 + 16  # characters
PLACEHOLDER = b"0-ticket-0"  # what stands for the ticket in a card that is encoded once for all


class Ticket(NamedTuple):
    """A ticket that was read: not proved yet."""

    send: str
    place: Place
    proof: str

    def proves(self, send: Send) -> bool:
        """Whether the ticket was made by this service for this send."""
        return hmac.compare_digest(self.proof, _proof(send, self.place))


def ticket(send: Send, place: Place) -> str:
    """Return the ticket of a recipient."""
    return f"{send.id}-{place.chunk}-{place.number}-{_proof(send, place)}"


def read_ticket(text: str) -> Ticket | None:
    """Return what a ticket says, or None where the text is none."""
    match = _TICKET.fullmatch(text)
    return Ticket(match[1], Place(int(match[2]), int(match[3])), match[4]) if match else None


def _proof(send: Send, place: Place) -> str:
    said = f"{place.chunk}-{place.number}".encode()
    return hmac.digest(send.secret.encode(), said, hashlib.sha256).hex()[:16]
