"""The control API under `/_control/`: the stand-in's own methods as JSON, for a driver in another process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

from local.teams.faults import Fault
from local.teams.people import Group, Person
from local.teams.records import Received

if TYPE_CHECKING:
    from local.teams.server import TeamsStandIn

JSON = dict[str, Any]


def write_person(person: Person | str) -> JSON | str:
    """Return how a person, or any id of theirs, travels as JSON."""
    return asdict(person) if isinstance(person, Person) else person


def read_person(sent: JSON | str) -> Person | str:
    """Return who was meant."""
    return sent if isinstance(sent, str) else Person(**sent)


def read_group(sent: JSON) -> Group:
    """Return the group that was meant."""
    return Group(**{**sent, "members": tuple(Person(**member) for member in sent["members"])})


def write_received(entry: Received) -> JSON:
    """Return what was received as a JSON object; the body as the text that came."""
    return {**asdict(entry), "body": None if entry.body is None else entry.body.decode()}


def read_received(sent: JSON) -> Received:
    """Return what was received from its JSON object."""
    return Received(**{**sent, "body": None if sent["body"] is None else sent["body"].encode()})


def routes(teams: "TeamsStandIn") -> list[web.RouteDef]:
    """Return the control routes of a stand-in. Every call is a POST of one JSON object of arguments."""

    async def call(request: web.Request) -> web.Response:
        arguments = await request.json()
        with _as_http_errors():
            return web.json_response(_METHODS[request.match_info["method"]](teams, arguments))

    return [web.post("/_control/{method}", call)]


@contextmanager
def _as_http_errors() -> Iterator[None]:
    try:
        yield
    except LookupError as error:
        raise web.HTTPNotFound(text=str(error)) from error
    except (TypeError, ValueError) as error:
        raise web.HTTPBadRequest(text=str(error)) from error


_METHODS: dict[str, Callable[["TeamsStandIn", JSON], object]] = {
    "enrol": lambda t, given: t.enrol((Person(**p) for p in given["people"]), installed=given["installed"]),
    "enrol_group": lambda t, given: t.enrol_group(read_group(given["group"])),
    "install": lambda t, given: t.install(Person(**given["person"])),
    "uninstall": lambda t, given: t.uninstall(read_person(given["person"]), given["code"], given["shape"]),
    "renew_conversation": lambda t, given: t.renew_conversation(read_person(given["person"])),
    "conversation_id": lambda t, given: t.conversation_id(read_person(given["person"])),
    "fault": lambda t, given: t.fault(Fault(**given["fault"])),
    "hits": lambda t, given: t.hits(given["number"]),
    "clear_faults": lambda t, _: t.clear_faults(),
    "received": lambda t, given: [write_received(entry) for entry in t.received[given["start"] :]],
    "delivered": lambda t, given: t.delivered(read_person(given["person"])),
    "in_chat": lambda t, given: t.in_chat(given["conversation_id"]),
    "stats": lambda t, _: t.stats().to_json(),
    "clear": lambda t, _: t.clear(),
}
