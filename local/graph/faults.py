"""Misbehaviour on demand, as in `local.teams.faults`: errors, cut connections and slowness, for chosen requests."""

from dataclasses import dataclass
from typing import Literal

from local.graph.errors import Answer, refuse, usual_code
from local.schedule import Schedule

Kind = Literal["user", "users", "groups", "group", "members", "team", "install", "installed", "chat", "batch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFault:
    """One way to misbehave, and at which requests. Those within a batch count like others; `batch` is the whole one.

    What happens:
      `status`       the HTTP status answered, with `code` (default: the usual one) and `message`
      `retry_after`  seconds, sent as Retry-After
      `cut`          no answer at all: `reset` sends a TCP reset, `close` just closes. Within a batch all of it is cut
      `accepted`     the request takes effect first
      `delay`        seconds to wait before that; alone it is just a slow answer

    Which requests (all that is given must fit):
      `kind`         what is asked for
      `about`        a text in the path or the query, after decoding
      `nth`          the first fitting request that is hit, counted from 1
      `times`        how many are hit; None: as long as the fault is armed
      `probability`  of each fitting request being hit, drawn from `seed`
    """

    status: int | None = None
    code: str | None = None
    message: str | None = None
    retry_after: int | None = None
    cut: Literal["reset", "close"] | None = None
    accepted: bool = False
    delay: float = 0.0
    kind: Kind | None = None
    about: str = ""
    nth: int = 1
    times: int | None = None
    probability: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.status is None and self.cut is None and not self.delay:
            raise ValueError("a fault needs a status, a cut or a delay")
        if self.status is not None and self.cut is not None:
            raise ValueError("a fault either answers a status or cuts the connection")

    def answer(self) -> Answer:
        """Return what the caller hears; only for a fault with a status."""
        if self.status is None:
            raise ValueError("this fault has no answer of its own")
        code = self.code or usual_code(self.status)
        return refuse(code, self.message, status=self.status, retry_after=self.retry_after)


class GraphFaults(Schedule[GraphFault]):
    """The faults in force."""

    def strike(self, kind: Kind, asked: str) -> GraphFault | None:
        """Return the fault that hits this request, if one does."""
        armed = self.first(lambda fault: fault.kind in (None, kind) and fault.about in asked)
        return armed.fault if armed else None
