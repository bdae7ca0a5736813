"""What a send asks Microsoft Graph, and what becomes of those whom Graph does not tell.

What Graph refuses is a result. Where it is only busy or away, `GraphAway` says when to ask again; once the send cannot
wait any longer that is a result as well, so that nobody keeps the others from getting the message.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from proactive.graph import Account, Graph, GraphAway, GraphDenied, GraphError, GraphNotFound, Name
from proactive.model import CANCELLED, NO_SUCH_PERSON, REFUSED, Result, Send, State
from proactive.service import Service

type Members = tuple[list[Account], str]

_PATIENCE = 0.9  # of `deliverWithin`; the rest is left for those who could be found
_EXPIRED = "Directory_ExpiredPageToken"
_MOST_EXPIRED = 3  # times that a group is begun again at once
_AGAIN = 60.0  # seconds until it is begun again after that
_CANDIDATES = 5
_LONGEST_NAME, _LONGEST_ADDRESS = 64, 120  # characters of a candidate

_BRACKETS = str.maketrans("<>", "()")  # they stand around addresses, by which a candidate is found again

NO_GRAPH = Result(State.FAILED, REFUSED, "graphNotConfigured")


class Inquiry:
    """Asks Graph about a tenant.

    `patient_until` is the moment, in seconds since the epoch, up to which Graph is waited for; `instead` the result of
    everybody about whom Graph would have to be asked, where it is not to be asked any more.
    """

    def __init__(
        self,
        graph: Graph,
        tenant: str,
        clock: Callable[[], float],
        *,
        patient_until: float = 0.0,
        instead: Result | None = None,
    ) -> None:
        self._graph = graph
        self._tenant = tenant
        self._clock = clock
        self._patient_until = patient_until
        self._instead = instead
        self._expired = 0

    async def people(self, names: Sequence[Name]) -> dict[Name, list[Account]] | Result:
        """Return whom each name means, or the result of all of them. Raises `GraphAway`."""
        if self._instead or not names:
            return self._instead or {}
        try:
            return await self._graph.look_up(self._tenant, names)
        except GraphError as error:
            return self._settled(error)

    async def members(self, kind: Literal["group", "team"], group: str, page: str) -> Members | Result:
        """Return a page of a group and where the next one is, or the group's result. Raises `GraphAway`.

        A group whose pages have grown too old begins again: the same people come once more.
        """
        if self._instead:
            return self._instead
        try:
            return await self._graph.members(self._tenant, kind, group, page)
        except GraphError as error:
            if error.reason != _EXPIRED or not page:
                return self._settled(error)
        self._expired += 1
        if self._expired <= _MOST_EXPIRED:
            return await self.members(kind, group, "")
        return self._settled(GraphAway(_EXPIRED, _AGAIN))

    def _settled(self, error: GraphError) -> Result:
        """Return what an error comes to. Raises `GraphAway` where it is worth waiting."""
        if isinstance(error, GraphAway):
            left = self._patient_until - self._clock()
            if left > 0:
                raise GraphAway(error.reason, min(error.retry_after, left)) from error
            return Result(State.FAILED, REFUSED, f"graphAway: {error.reason}")
        if isinstance(error, GraphNotFound) and error.reason.startswith(("unknown", "ambiguous")):
            return Result(State.FAILED, NO_SUCH_PERSON, error.reason)
        if isinstance(error, GraphDenied) and error.permission:
            return Result(State.FAILED, REFUSED, f"graphPermissionMissing: {error.permission}")
        return Result(State.FAILED, REFUSED, error.reason)


def inquiry(service: Service, send: Send) -> Inquiry | None:
    """Return how a send asks Graph; None where Graph must not be asked about its tenant."""
    graph = service.graph_of(send.tenant)
    if graph is None:
        return None
    stopped = send.cancelled_at or send.ended_at
    return Inquiry(
        graph,
        send.tenant,
        service.clock,
        patient_until=send.begins_at + _PATIENCE * send.options.deliver_within,
        # Nobody gets anything any more, so there is nothing to wait for.
        instead=Result(State.CANCELLED, CANCELLED, "cancelled", at=service.clock()) if stopped else None,
    )


def ambiguous(accounts: Sequence[Account]) -> Result:
    """Return the result of a name that several people have: the first of them stand in its reason."""
    shown = [_shown(account) for account in accounts[:_CANDIDATES]]
    more = ["…"] if len(accounts) > _CANDIDATES else []
    return Result(State.FAILED, NO_SUCH_PERSON, f"ambiguousRecipient: {', '.join([*shown, *more])}")


def _shown(account: Account) -> str:
    address = account.mail or account.principal_name or account.id
    return f"{_short(account.display_name, _LONGEST_NAME)} <{_short(address, _LONGEST_ADDRESS)}>".lstrip()


def _short(text: str, most: int) -> str:
    text = " ".join(text.translate(_BRACKETS).split())
    return text if len(text) <= most else text[: most - 1] + "…"
