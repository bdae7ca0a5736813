"""HTTP requests become invocations, and what the functions return becomes responses.

What a function sees of a request (names of headers in lower case, values of one name joined by commas, no empty query
parameters) is what Azure's host makes of it for a Python worker: `GrpcMessageConversionExtensions.ToRpcHttp` in
https://github.com/Azure/azure-functions-host.
"""

import errno
import logging
import socket
from collections.abc import Iterable
from email.utils import formatdate

from aiohttp import web
from multidict import CIMultiDict

from local.host.errors import StartError
from local.host.host_json import HostJson
from local.host.protos import RpcHttp, RpcHttpCookie, TypedData
from local.host.routes import Route, Table, route
from local.host.worker import Function, invoke

MAX_BODY_BYTES = 100 * 1024 * 1024
"""Azure's own limit for a request: https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger#limits."""

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_SAME_SITE = {
    RpcHttpCookie.SameSite.Lax: "Lax",
    RpcHttpCookie.SameSite.Strict: "Strict",
    RpcHttpCookie.SameSite.ExplicitNone: "None",
}
_logger = logging.getLogger("local.host")


def listen(port: int) -> list[socket.socket]:
    """Take `port` (0: any free one) on the loopback addresses, IPv4 and where there is one IPv6: both are `localhost`.

    Raises:
        StartError: the port cannot be had.

    """
    try:
        first = _bind(socket.AF_INET, "127.0.0.1", port)
    except OSError as error:
        raise _refusal(port, error) from None
    try:
        return [first, _bind(socket.AF_INET6, "::1", first.getsockname()[1])]
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return [first]
        first.close()
        if port == 0:
            # Free on IPv4, taken on IPv6: there are others.
            return listen(0)
        raise _refusal(port, error) from None


async def serve(
    functions: list[Function], host_json: HostJson, sockets: list[socket.socket], stop_seconds: float
) -> web.AppRunner:
    """Answer requests on `sockets` until the runner is cleaned up, which waits `stop_seconds` for those under way."""
    table = Table([_route(function, host_json.route_prefix) for function in functions])

    async def answer(request: web.Request) -> web.StreamResponse:
        match = table.match(request.method, request.rel_url.raw_path)
        if match is None:
            return web.Response(status=404)
        if match.target is None:
            return web.Response(status=405, headers={"Allow": ", ".join(sorted(match.allow))})
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return web.Response(status=413)
        body = await request.read()
        value = TypedData(http=_request(request, match.parameters, body))
        outcome = await invoke(match.target, value, {}, host_json.function_timeout)
        if not outcome.succeeded:
            return web.Response(status=500)
        return _response(match.target, outcome.value)

    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:(?s:.*)}", answer)  # with a line feed too: what is there, the app says
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=stop_seconds,
        # Azure's host hands a compressed body on as it came.
        auto_decompress=False,
    )
    await runner.setup()
    for bound in sockets:
        await web.SockSite(runner, bound).start()
    return runner


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address, port))
        bound.listen(1024)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def _refusal(port: int, error: OSError) -> StartError:
    if error.errno == errno.EADDRINUSE:
        return StartError(
            f"port {port} is in use: stop what listens there, or choose another with --port (0 takes any free one)"
        )
    return StartError(f"port {port} cannot be used ({error.strerror}): choose another with --port")


def _route(function: Function, prefix: str) -> Route[Function]:
    template = function.trigger.get("route") or function.name
    return route(f"{prefix}/{template}", function.trigger.get("methods") or _METHODS, function)


def _request(request: web.Request, parameters: dict[str, str], body: bytes) -> RpcHttp:
    return RpcHttp(
        method=request.method,
        url=f"{request.scheme}://{request.host}{request.raw_path}",
        headers=_joined((name.lower(), value) for name, value in request.headers.items()),
        params=parameters,
        query={name: value for name, value in _joined(request.query.items()).items() if value},
        body=TypedData(bytes=body) if body else TypedData(),
    )


def _joined(values: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Make one value of those with the same name, joined by commas, as .NET's StringValues does."""
    joined: dict[str, str] = {}
    for name, value in values:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _response(function: Function, value: TypedData | None) -> web.Response:
    if value is None:
        return web.Response(status=204)
    if value.kind == "string":
        return web.Response(text=value.string)
    answer: RpcHttp = value.http
    headers = CIMultiDict(answer.headers)
    # aiohttp frames the message itself.
    headers.popall("content-length", None)
    headers.popall("transfer-encoding", None)
    try:
        response = web.Response(status=int(answer.status_code), headers=headers, body=answer.body.bytes)
        for cookie in answer.cookies or ():
            _set_cookie(response, cookie)
    except ValueError as error:
        _logger.error("%s returned a response that cannot be sent: %s", function.name, error)
        return web.Response(status=500)
    return response


def _set_cookie(response: web.Response, cookie: RpcHttpCookie) -> None:
    response.set_cookie(
        cookie.name,
        cookie.value,
        domain=cookie.domain.value if cookie.domain and cookie.domain.value else None,
        path=cookie.path.value if cookie.path and cookie.path.value else "/",
        expires=formatdate(cookie.expires.value.seconds, usegmt=True) if cookie.expires else None,
        max_age=int(cookie.max_age.value) if cookie.max_age else None,
        secure=bool(cookie.secure and cookie.secure.value),
        httponly=bool(cookie.http_only and cookie.http_only.value),
        samesite=_SAME_SITE.get(cookie.same_site),
    )
