"""The stand-in itself: Graph's rules behind HTTP, with batches, tokens, faults and figures."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from aiohttp import web

from local.graph import control
from local.graph.errors import JSON, Answer, refuse
from local.graph.faults import GraphFault, GraphFaults
from local.graph.organisation import Organisation, TeamsApp, User
from local.graph.rules import Asked, Rules, route
from local.loopback import listen
from local.teams.door import hang_up

MOST_IN_BATCH = 20
LOCAL_TENANT = "X-Local-Tenant"
_VERSION = "/v1.0"
_LARGEST_BODY = 4 * 1024 * 1024

OnInstall = Callable[[str, User, TeamsApp], Awaitable[None]]


class _Request(NamedTuple):
    """A request, or one within a batch: `url` is path and query below the version, headers are in lower case."""

    base: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: JSON


@dataclass(slots=True)
class GraphStats:
    """Figures since the start or the last `clear`.

    `calls`     HTTP requests by kind; a batch is one
    `within`    requests within batches, by kind
    `statuses`  answers by HTTP status, those within batches included; 0 stands for a connection cut without an answer
    `tokens`    the bearer tokens that came, each once. Not for logs
    """

    calls: Counter[str] = field(default_factory=Counter)
    within: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    tokens: set[str] = field(default_factory=set)
    in_flight: int = 0
    peak: int = 0

    @property
    def requests(self) -> int:
        """All HTTP requests."""
        return self.calls.total()


class GraphStandIn:
    """A fake Microsoft Graph on loopback: `async with GraphStandIn(organisation) as graph:`, then `graph.base_url`.

    `tokens`      the tenant of each bearer token that is let in; the rest hear 401. None: nobody is asked for one, and
                  the header `X-Local-Tenant` names the tenant (without it, the first organisation is meant)
    `granted`     the application permissions of whoever calls; None: all
    `latency`     seconds before each answer
    `repeats`     whether somebody in several nested groups is listed once for each of them
    `on_install`  told the tenant, the person and the app of each install before it is answered: see `tell_teams`
    """

    def __init__(
        self,
        *organisations: Organisation,
        port: int = 0,
        tokens: Mapping[str, str] | None = None,
        granted: Collection[str] | None = None,
        latency: float = 0,
        repeats: bool = False,
        on_install: OnInstall | None = None,
    ) -> None:
        self._port = port
        self._organisations = {organisation.tenant.lower(): organisation for organisation in organisations}
        self._first = organisations[0] if organisations else Organisation()
        self._tokens = tokens
        self._latency = latency
        self._on_install = on_install
        self._faults = GraphFaults()
        self._runner: web.AppRunner | None = None
        self.rules = Rules(granted=granted, repeats=repeats)
        self.stats: GraphStats = GraphStats()

    # Misbehaviour

    def grant(self, *permissions: str) -> None:
        """Let the app have these permissions and no others."""
        self.rules.granted = permissions

    def fault(self, fault: GraphFault) -> int:
        """Misbehave like this from now on; return the fault's number."""
        return self._faults.add(fault)

    def hits(self, number: int) -> int:
        """Return how many requests that fault has hit."""
        return self._faults.hits(number)

    def clear(self) -> None:
        """Forget the figures and the faults. People, groups and installs stay."""
        self._faults.clear()
        self.stats = GraphStats()

    # Life

    @property
    def url(self) -> str:
        """Where the stand-in listens, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """What stands before every path, with the version."""
        return self.url + _VERSION

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.add_routes(control.routes(self))
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner, self._port = await listen(app, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        self.stats.in_flight += 1
        self.stats.peak = max(self.stats.peak, self.stats.in_flight)
        try:
            answer = await self._answer(http)
        except _CutError as cut:
            self.stats.statuses[0] += 1
            hang_up(http, reset=cut.reset)
            return web.Response()
        finally:
            self.stats.in_flight -= 1
        self.stats.statuses[answer.status] += 1
        headers = {"Retry-After": str(answer.retry_after)} if answer.retry_after is not None else {}
        if answer.body is None:
            return web.Response(status=answer.status, headers=headers)
        return web.json_response(answer.body, status=answer.status, headers=headers)

    async def _answer(self, http: web.Request) -> Answer:
        organisation = self._organisation(http)
        if organisation is None:
            return refuse("InvalidAuthenticationToken")
        raw = await http.read()
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return refuse("BadRequest")
        if self._latency:
            await asyncio.sleep(self._latency)
        base = f"{http.scheme}://{http.host}{_VERSION}"
        headers = {name.lower(): value for name, value in http.headers.items()}
        request = _Request(base, http.method, http.raw_path.removeprefix(_VERSION), headers, body)
        if (request.method, request.url) == ("POST", "/$batch"):
            self.stats.calls["batch"] += 1
            fault = self._faults.strike("batch", request.url)
            return await self._strike(fault) or await self._batch(organisation, request)
        return await self._one(organisation, request, self.stats.calls)

    def _organisation(self, http: web.Request) -> Organisation | None:
        bearer = http.headers.get("Authorization", "").removeprefix("Bearer ")
        if bearer:
            self.stats.tokens.add(bearer)
        if self._tokens is None:
            tenant = http.headers.get(LOCAL_TENANT, self._first.tenant)
        elif bearer in self._tokens:
            tenant = self._tokens[bearer]
        else:
            return None
        return self._organisations.get(tenant.lower()) or Organisation(tenant)

    async def _batch(self, organisation: Organisation, request: _Request) -> Answer:
        """Answer the requests of a batch, each for itself and in no order that the caller could rely on."""
        steps = request.body.get("requests")
        if not isinstance(steps, list) or not steps or not all(isinstance(step, dict) for step in steps):
            return refuse("BadRequest", "Invalid batch payload format.")
        if len(steps) > MOST_IN_BATCH:
            words = f"Number of batch request steps exceeds the maximum value of {MOST_IN_BATCH}."
            return refuse("BadRequest", words)
        if len({step.get("id") for step in steps}) < len(steps):
            return refuse("BadRequest", "Request ids must be unique.")

        async def one(step: JSON) -> JSON:
            # Headers of the whole request do not count for those within.
            own = {name.lower(): value for name, value in step.get("headers", {}).items()}
            within = _Request(request.base, step.get("method", ""), step.get("url", ""), own, step.get("body", {}))
            answer = await self._one(organisation, within, self.stats.within)
            self.stats.statuses[answer.status] += 1
            said: JSON = {"id": step.get("id"), "status": answer.status, "headers": {}, "body": answer.body}
            if answer.retry_after is not None:
                said["headers"]["Retry-After"] = str(answer.retry_after)
            return said

        answers = await asyncio.gather(*(one(step) for step in steps))
        return Answer(200, {"responses": answers[::-1]})

    async def _one(self, organisation: Organisation, request: _Request, counts: Counter[str]) -> Answer:
        parts = urlsplit(request.url)
        path = unquote(parts.path)
        routed = route(request.method, parts.path)
        if routed is None:
            counts["other"] += 1
            return refuse("BadRequest", f"Resource not found for the segment '{path}'.")
        kind, ids = routed
        counts[kind] += 1
        decoded = {name: unquote(value) for name, value in ids.items()}
        query = dict(parse_qsl(parts.query))
        asked = Asked(kind, request.base, parts.path, decoded, query, request.headers, request.body)
        fault = self._faults.strike(kind, f"{path}?{unquote(parts.query)}")
        if fault is None:
            return await self._perform(organisation, asked)
        if fault.accepted:
            answer = await self._perform(organisation, asked)
            return await self._strike(fault) or answer
        return await self._strike(fault) or await self._perform(organisation, asked)

    async def _perform(self, organisation: Organisation, asked: Asked) -> Answer:
        answer, installed = self.rules.perform(organisation, asked)
        if installed is not None and self._on_install is not None:
            await self._on_install(organisation.tenant, installed.user, installed.app)
        return answer

    async def _strike(self, fault: GraphFault | None) -> Answer | None:
        """Return the answer of a fault, None where there is none or where it was only slow."""
        if fault is None:
            return None
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.cut:
            raise _CutError(reset=fault.cut == "reset")
        return fault.answer() if fault.status is not None else None


class _CutError(Exception):
    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset
