"""What the stand-in remembers: every activity that it took, and figures about every request."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

Activity = dict[str, Any]

ThrottledBy = Literal["ceiling", "conversation", "fault"]


@dataclass(slots=True)
class Received:
    """An accepted send, update or delete.

    `at` is the stand-in's clock, in seconds. `body` is what came, or None where bodies are not kept.
    """

    at: float
    operation: Literal["send", "update", "delete"]
    conversation_id: str
    activity_id: str
    body: bytes | None

    @property
    def activity(self) -> Activity:
        """The activity as a person's client has it: what the bot sent, with its id. Empty where bodies are not kept."""
        # Parsed when asked for: a hundred thousand parsed cards would make every garbage collection crawl.
        return {**json.loads(self.body), "id": self.activity_id} if self.body else {}


@dataclass(slots=True)
class Stats:
    """Figures since the start or the last `clear`.

    `statuses`          answers by HTTP status; 0 stands for a connection cut without an answer
    `operations`        requests by operation
    `throttled`         429s by what caused them: `ceiling`, `conversation`, `fault`
    `per_second`        requests in each second since the first one, as second → requests
    `in_flight`, `peak` requests being answered now, and the most there ever were at once
    `tokens`            requests that carried an Authorization header
    `copies`            accepted sends a chat → number of chats that got so many
    """

    requests: int = 0
    accepted: int = 0
    in_flight: int = 0
    peak: int = 0
    tokens: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    throttled: dict[str, int] = field(default_factory=dict)
    per_second: dict[int, int] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)

    @property
    def ever_429(self) -> bool:
        """Whether any request was answered with 429."""
        return 429 in self.statuses

    @property
    def busiest_second(self) -> int:
        """The most requests that came in one second."""
        return max(self.per_second.values(), default=0)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the figures from their JSON object, whose keys have become text on the way."""
        numbered = {
            name: {int(key): count for key, count in data[name].items()}
            for name in ("statuses", "per_second", "copies")
        }
        return cls(**{**data, **numbered})


class Records:
    """The stand-in's memory, written on the hot path: plain dictionaries, no copies."""

    def __init__(self, *, keep_bodies: bool) -> None:
        self._keep_bodies = keep_bodies
        self._first: float | None = None
        self.received: list[Received] = []
        self.stats = Stats()
        self.tokens: Counter[str] = Counter()
        self.changed = asyncio.Event()

    def arrived(self, at: float, operation: str, authorization: str | None) -> None:
        """Count a request at its arrival."""
        stats = self.stats
        stats.requests += 1
        stats.in_flight += 1
        stats.peak = max(stats.peak, stats.in_flight)
        stats.operations[operation] = stats.operations.get(operation, 0) + 1
        if self._first is None:
            self._first = at
        second = int(at - self._first)
        stats.per_second[second] = stats.per_second.get(second, 0) + 1
        if authorization:
            stats.tokens += 1
            self.tokens[authorization] += 1

    def answered(self, status: int) -> None:
        """Count an answer; status 0 for none."""
        self.stats.in_flight -= 1
        self.stats.statuses[status] = self.stats.statuses.get(status, 0) + 1

    def throttled(self, by: ThrottledBy) -> None:
        """Count a 429 by its cause."""
        self.stats.throttled[by] = self.stats.throttled.get(by, 0) + 1

    def took(
        self,
        at: float,
        operation: Literal["send", "update", "delete"],
        conversation_id: str,
        activity_id: str,
        body: bytes | None,
    ) -> Received:
        """Remember an accepted activity."""
        entry = Received(at, operation, conversation_id, activity_id, body if self._keep_bodies else None)
        self.received.append(entry)
        self.changed.set()
        return entry

    def clear(self) -> None:
        """Forget everything but the requests in flight."""
        in_flight = self.stats.in_flight
        self.received = []
        self.stats = Stats(in_flight=in_flight, peak=in_flight)
        self.tokens.clear()
        self._first = None
