"""Queues on a clock that can be moved: every call goes to real storage, and when a message shows is reckoned here.

Azurite hides messages by the real clock, and nobody can wait ten minutes a run. Whether a receipt is still good is
Azurite's to say: a message that was received here is removed there, as one whose receipt has changed.
"""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proactive.store.account import Account, QueueReceipt

HIDDEN = 600.0  # seconds for which a received message is hidden: the extension's own constant


@dataclass(slots=True)
class Letter:
    """A message on a queue; `shows_at` is on the clock of the run."""

    queue: str
    id: str
    pop_receipt: str
    body: dict[str, Any]
    shows_at: float
    failures: int = 0


class Letters:
    """The messages of one run."""

    def __init__(self, account: Account, clock: Callable[[], float]) -> None:
        self._account = account
        self._clock = clock
        self._lying: dict[str, Letter] = {}
        self._numbers = itertools.count()

    async def put(self, queue: str, message: Any, delay: float = 0) -> QueueReceipt:
        """Put a message."""
        receipt = await self._account.put(queue, message, delay)
        hidden = float(int(delay + 0.999)) if delay > 0 else 0.0
        body = json.loads(json.dumps(message))
        self._lying[receipt.id] = Letter(queue, receipt.id, receipt.pop_receipt, body, self._clock() + hidden)
        return receipt

    async def postpone(self, receipt: QueueReceipt, delay: float) -> QueueReceipt | None:
        """Hide a message for longer."""
        renewed = await self._account.postpone(receipt, delay)
        if renewed and (letter := self._lying.get(receipt.id)):
            letter.pop_receipt, letter.shows_at = renewed.pop_receipt, self._clock() + int(delay + 0.999)
        return renewed

    async def take_back(self, receipt: QueueReceipt) -> None:
        """Remove a message, if its receipt is still good."""
        await self._account.take_back(receipt)
        letter = self._lying.get(receipt.id)
        if letter and letter.pop_receipt == receipt.pop_receipt:
            del self._lying[receipt.id]

    async def receive(self) -> list[Letter]:
        """Return what shows now. Whoever has it says `done`, or it shows again."""
        now = self._clock()
        shown = [letter for letter in self._lying.values() if letter.shows_at <= now]
        for letter in shown:
            await self._account.take_back(QueueReceipt(letter.queue, letter.id, letter.pop_receipt))
            letter.pop_receipt, letter.shows_at = f"received {next(self._numbers)}", now + HIDDEN
        return shown

    def done(self, letter: Letter) -> None:
        """Remove a message whose work is done."""
        self._lying.pop(letter.id, None)

    def show_again(self, letter: Letter, seconds: float) -> None:
        """Let a message show after so many seconds, as the host does when a function fails."""
        letter.failures += 1
        letter.shows_at = self._clock() + seconds

    def next_at(self) -> float | None:
        """Return when the next message shows, None when there is none."""
        return min((letter.shows_at for letter in self._lying.values()), default=None)

    def lying(self) -> list[Letter]:
        """Return all messages."""
        return list(self._lying.values())
