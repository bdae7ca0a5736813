"""Misbehaviour on demand: errors, lost answers, cut connections and slowness, each for chosen requests."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from local.schedule import Schedule
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


class Faults(Schedule[Fault]):
    """The faults in force."""

    def strike(self, operation: Operation, conversation_id: str, chat: Chat | None) -> Struck | None:
        """Return the fault that hits this request, if one does."""

        def fits(fault: Fault) -> bool:
            if fault.operation not in (None, operation) or fault.conversation not in (None, conversation_id):
                return False
            return fault.person is None or (chat is not None and any(p.answers_to(fault.person) for p in chat.members))

        armed = self.first(fits)
        if armed is None:
            return None
        jitter = armed.fault.jitter and armed.chance.uniform(0, armed.fault.jitter)
        return Struck(armed.fault, armed.fault.delay + jitter)


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
