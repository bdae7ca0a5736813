"""A message as it would be sent, tried out: as it is, or filled for those who would get it, as far as is affordable."""

import time
from typing import Any

from proactive.cards import utf16_size
from proactive.content import encode, with_marks
from proactive.filling import TEMPLATE_ERROR, TOO_LARGE, Filling, about
from proactive.model import REFUSED, Recipient, Request, Result, State
from proactive.model import TOO_LARGE as TOO_LARGE_CODE
from proactive.store.conversations import Conversation
from proactive.templating.template import FilledTooLargeError, TemplateError
from proactive.tickets import LONGEST

_FILLED = 1_000  # people whose message is filled: some tenths of a second
_FILLING = 2.0  # seconds after which no more are


class Trial:
    """Fills the message of a request for one person after the other, and knows how large it becomes."""

    def __init__(self, request: Request, activity: dict[str, Any], *, now: float, most: int) -> None:
        """Take the activity to be filled. `now` is in seconds since the epoch, `most` the largest message in bytes."""
        self._request = request
        self._most = most
        self._ticket = "x" * LONGEST if request.wait else ""
        at = max(now, request.send_at or 0.0)
        self._filling = None if request.data is None else Filling(activity, request.data, at, most)
        self._left, self._until = _FILLED, time.monotonic() + _FILLING
        self._bytes = 0
        if self._filling is None:
            sent = with_marks(activity, self._ticket) if self._ticket else activity
            self._bytes = utf16_size(encode(sent).decode())

    @property
    def personal(self) -> bool:
        """Whether what is known of a person takes part in filling."""
        return self._filling is not None and self._filling.personal

    def unfilled(self, recipient: Recipient, person: Conversation | None) -> Result | None:
        """Return what becomes of somebody whose data make no message; None where they do, or are not looked at."""
        if self._filling is None or not self._left or time.monotonic() > self._until:
            return None
        self._left -= 1
        names = (person.mail, person.principal_name, person.name) if person else ("", "", "")
        who = about(recipient.name, recipient.user, *names)
        try:
            content = self._filling.encoded(recipient.data, who, self._ticket)
        except TemplateError:
            return Result(State.FAILED, REFUSED, TEMPLATE_ERROR)
        except FilledTooLargeError:
            return Result(State.FAILED, TOO_LARGE_CODE, TOO_LARGE)
        self._bytes = max(self._bytes, utf16_size(content.decode()))
        return None

    def message(self) -> dict[str, Any]:
        """Return what the message is and how large: a filled one, as large as the largest."""
        return {
            "format": "card" if self._request.card else self._request.text_format,
            "bytes": self._bytes,
            "most": self._most,
        }
