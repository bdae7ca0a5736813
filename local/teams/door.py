"""HTTP in front of the connector's rules: paths, tokens, latency and injected faults."""

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from local.teams.connector import Connector, Request
from local.teams.errors import Answer, refuse
from local.teams.faults import Faults, Operation, Struck
from local.teams.limits import Clock
from local.teams.records import Records

# Linger for no time: closing such a socket sends a reset.
_RESET = struct.pack("ii", 1, 0)


class Door:
    """Turns HTTP requests into the connector's and its answers back.

    In this order: token (401), ceiling of the bot in the tenant (429), faults, the rules. So a fault is never spent on
    a request that Teams would not have let in.
    """

    def __init__(
        self,
        connector: Connector,
        records: Records,
        faults: Faults,
        *,
        latency: float,
        jitter: float,
        seed: int,
        admits: Callable[[str], bool] | None,
        clock: Clock,
    ) -> None:
        self._connector = connector
        self._records = records
        self._faults = faults
        self._latency, self._jitter = latency, jitter
        self._chance = random.Random(seed)  # noqa: S311 - repeatable jitter, not a secret
        self._admits = admits
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Return the connector's routes, the busiest first: the router tries them in order."""
        chat = "/teams/v3/conversations/{conversation}"
        return [
            web.post(f"{chat}/activities", self._route("send")),
            web.post(f"{chat}/activities/{{target}}", self._route("send")),
            web.put(f"{chat}/activities/{{target}}", self._route("update")),
            web.delete(f"{chat}/activities/{{target}}", self._route("delete")),
            web.get(f"{chat}/members/{{target}}", self._route("member"), allow_head=False),
            web.get(f"{chat}/members", self._route("members"), allow_head=False),
            web.post("/teams/v3/conversations", self._route("create")),
        ]

    def _route(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        return partial(self._serve, operation)

    async def _serve(self, operation: Operation, http: web.Request) -> web.StreamResponse:
        authorization = http.headers.get("Authorization")
        self._records.arrived(self._clock(), operation, authorization)
        status = 0
        try:
            path = http.match_info
            request = Request(operation, path.get("conversation", ""), path.get("target", ""), await http.read())
            if self._admits and not self._admits((authorization or "").removeprefix("Bearer ")):
                answer: Answer | None = refuse("BotNotRegistered")
            else:
                answer = await self._answer(request, http)
            if answer is None:
                return web.Response()
            status = answer.status
        finally:
            self._records.answered(status)
        response = web.Response(status=status, body=answer.body, headers={"Content-Type": answer.content_type})
        if answer.retry_after is not None:
            response.headers["Retry-After"] = str(answer.retry_after)
        return response

    async def _answer(self, request: Request, http: web.Request) -> Answer | None:
        chat = self._connector.locate(request)
        answer = self._connector.throttle(chat) if chat else None
        if answer is None:
            struck = self._faults.strike(request.operation, request.conversation_id, chat)
            if struck:
                return await self._misbehave(struck, request, http)
        answer = answer or self._connector.perform(request, chat)
        if self._latency or self._jitter:
            await asyncio.sleep(self._latency + self._chance.uniform(0, self._jitter))
        return answer

    async def _misbehave(self, struck: Struck, request: Request, http: web.Request) -> Answer | None:
        fault = struck.fault
        answer: Answer | None = None
        if fault.accepted:
            answer = self._connector.perform(request, self._connector.locate(request))
        if struck.delay:
            await asyncio.sleep(struck.delay)
        if fault.cut:
            hang_up(http, reset=fault.cut == "reset")
            return None
        if fault.status is not None:
            if fault.status == 429:
                self._records.throttled("fault")
            return fault.answer()
        return answer or self._connector.perform(request, self._connector.locate(request))


def hang_up(http: web.Request, *, reset: bool) -> None:
    """Cut the connection of a request without an answer: by a TCP reset, or by just closing it."""
    transport = http.transport
    if transport is None:
        return
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
