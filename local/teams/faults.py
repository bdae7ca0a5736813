"""Misbehaviour on demand: errors, lost answers, cut connections and slowness, each for chosen requests."""

import random
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from local.teams.directory import Chat
from local.teams.errors import Answer, Shape, refuse, usual_code

Operation = Literal["send", "update", "delete", "create", "member", "members"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to misbehave, and towards whom.

    What happens:
      `status`       the HTTP status answered, with `code` (default: the usual one), `message` and `shape`,
                     or with a literal `body`
      `retry_after`  seconds, sent as Retry-After
      `cut`          no answer at all: `reset` sends a TCP reset, `close` just closes
      `accepted`     the request takes effect first: the message is there although the bot hears an error, or nothing
      `delay`        seconds to wait before that, and up to `jitter` seconds more; alone it is just a slow answer

    Which requests (all that is given must fit):
      `operation`, `conversation` (id), `person` (object id, `29:` id, user principal name or mail)
      `nth`          the first fitting request that is hit, counted from 1
      `times`        how many are hit; None: as long as the fault is armed
      `probability`  of each fitting request being hit, drawn from `seed`
    """

    status: int | None = None
    code: str | None = None
    message: str | None = None
    shape: Shape = "error"
    body: str | None = None
    retry_after: int | None = None
    cut: Literal["reset", "close"] | None = None
    accepted: bool = False
    delay: float = 0.0
    jitter: float = 0.0
    operation: Operation | None = None
    conversation: str | None = None
    person: str | None = None
    nth: int = 1
    times: int | None = None
    probability: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.status is None and self.cut is None and not (self.delay or self.jitter):
            raise ValueError("a fault needs a status, a cut or a delay")
        if self.status is not None and self.cut is not None:
            raise ValueError("a fault either answers a status or cuts the connection")

    def answer(self) -> Answer:
        """Return what the bot hears; only for a fault with a status."""
        if self.status is None:
            raise ValueError("this fault has no answer of its own")
        if self.body is not None:
            looks_like_json = self.body.lstrip().startswith(("{", "["))
            kind = "application/json; charset=utf-8" if looks_like_json else "text/plain; charset=utf-8"
            return Answer(self.status, self.body.encode(), kind, self.retry_after)
        return refuse(
            self.code or usual_code(self.status),
            self.message,
            shape=self.shape,
            status=self.status,
            retry_after=self.retry_after,
        )


class Struck(NamedTuple):
    """A fault that hits the request at hand, and the seconds of delay drawn for it."""

    fault: Fault
    delay: float


@dataclass(slots=True)
class _Armed:
    fault: Fault
    chance: random.Random
    seen: int = 0
    hits: int = 0

    def strikes(self, operation: Operation, conversation_id: str, chat: Chat | None) -> bool:
        fault = self.fault
        if fault.operation is not None and fault.operation != operation:
            return False
        if fault.conversation is not None and fault.conversation != conversation_id:
            return False
        if fault.person is not None and not (chat and any(p.answers_to(fault.person) for p in chat.members)):
            return False
        self.seen += 1
        if self.seen < fault.nth or (fault.probability < 1 and self.chance.random() >= fault.probability):
            return False
        self.hits += 1
        return True


@dataclass(slots=True)
class Faults:
    """The faults in force. The first one that fits a request is the one that happens."""

    _all: list[_Armed] = field(default_factory=list)
    _live: list[_Armed] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self._live)

    def add(self, fault: Fault) -> int:
        """Arm a fault and return its number."""
        armed = _Armed(fault, random.Random(fault.seed))  # noqa: S311 - a repeatable schedule, not a secret
        self._all.append(armed)
        self._live.append(armed)
        return len(self._all) - 1

    def hits(self, number: int) -> int:
        """Return how many requests the fault with this number has hit."""
        return self._all[number].hits

    def clear(self) -> None:
        """Disarm them all; the numbers keep their hits."""
        self._live.clear()

    def strike(self, operation: Operation, conversation_id: str, chat: Chat | None) -> Struck | None:
        """Return the fault that hits this request, if one does."""
        for armed in self._live:
            if armed.strikes(operation, conversation_id, chat):
                if armed.hits == armed.fault.times:
                    self._live.remove(armed)
                jitter = armed.fault.jitter and armed.chance.uniform(0, armed.fault.jitter)
                return Struck(armed.fault, armed.fault.delay + jitter)
        return None


def bad_weather(seed: int, share: float = 0.1) -> list[Fault]:
    """Return a mix of everything that passes, which together hits about this share of all requests.

    The same seed gives the same sequence for the same sequence of requests.
    """
    each = share / 9
    kinds = (
        Fault(status=412, probability=each, seed=seed),
        Fault(status=429, retry_after=1, probability=each, seed=seed + 1),
        Fault(status=502, probability=each, seed=seed + 2),
        Fault(status=502, accepted=True, probability=each, seed=seed + 3),
        Fault(status=503, probability=each, seed=seed + 4),
        Fault(status=504, accepted=True, probability=each, seed=seed + 5),
        Fault(cut="reset", probability=each, seed=seed + 6),
        Fault(cut="close", accepted=True, probability=each, seed=seed + 7),
        Fault(delay=0.2, jitter=0.8, probability=each, seed=seed + 8),
    )
    return list(kinds)
