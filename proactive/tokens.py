"""Tokens: to send as a bot, to ask Microsoft Graph, and to reach the storage account by identity.

A token is made once for all who ask, used until it expires, and renewed in the background before that, so that no send
waits for a sign-in except the first one. Signing in (proactive/signin.py) blocks, so all of it runs in threads.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from proactive import telemetry
from proactive.clouds import PUBLIC, Cloud
from proactive.settings import GraphAccess
from proactive.signin import (
    BotCredentials,
    Http,
    TokenError,
    sign_in_as_bot,
    sign_in_to_graph,
    sign_in_to_storage,
)

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

__all__ = ["BotCredentials", "StorageCredential", "TokenError", "Tokens"]

_RENEW_BEFORE = 5 * 60  # seconds before its expiry at which a token is renewed in the background
_LAST_USE = 30  # seconds before its expiry at which a token is no longer used: a request must arrive with it
_PAUSE = 5  # seconds after a sign-in until the next one, unless a token is needed and there was no failure
_YOUNG = 60  # seconds for which a token is too new to be the reason why Teams refused it

_log = logging.getLogger(__name__)


class Tokens:
    """Tokens of one cloud: a bot's kept per identity, Graph's per tenant.

    One instance serves one event loop, and should live as long as that. `http_client` takes the place of MSAL's
    transport; its calls block, and are made in threads.
    """

    def __init__(
        self,
        cloud: Cloud = PUBLIC,
        graph: GraphAccess | None = None,
        *,
        clock: Callable[[], float] = time.time,
        http_client: object = None,
    ) -> None:
        self._cloud = cloud
        self._graph = graph
        self._clock = clock
        self._http_client = http_client
        self._kept: dict[BotCredentials | str, _Kept] = {}

    async def bot_token(self, credentials: BotCredentials) -> str:
        """Return a token with which to call the Bot Connector as this bot.

        Raises `TokenError`.
        """
        kept = self._kept.get(credentials)
        if kept is None:
            sign_in = functools.partial(sign_in_as_bot, self._cloud, credentials, Http(self._http_client))
            kept = self._kept[credentials] = _Kept(sign_in, "bot", f"bot {credentials.app_id}", self._clock)
        return (await kept.get()).value

    def forget(self, credentials: BotCredentials) -> None:
        """Drop the kept token of a bot, since Teams has answered 401 to it.

        A token of less than a minute stays: the many sends that were refused together need one new token, not one each,
        and where a new token is refused as well another one would not help.
        """
        self._forget(credentials)

    async def graph_token(self, tenant: str) -> str:
        """Return a token with which to ask Graph about a tenant; empty where Graph is asked without one (locally).

        Raises `TokenError`, for a tenant that Graph is not to be used for as well.
        """
        graph, key = self._graph, tenant.lower()
        if graph is None or not graph.covers(tenant):
            raise TokenError(
                "No token for Microsoft Graph: check PROACTIVE_GRAPH_TENANT_ID, as this tenant is another."
            )
        if not graph.client_id:
            return ""
        kept = self._kept.get(key)
        if kept is None:
            sign_in = functools.partial(sign_in_to_graph, self._cloud, graph, key, Http(self._http_client))
            kept = self._kept[key] = _Kept(sign_in, "graph", "Microsoft Graph", self._clock)
        return (await kept.get()).value

    def forget_graph(self, tenant: str) -> None:
        """Drop the kept token for a tenant, since Graph has answered 401 to it; a young one stays, as a bot's does."""
        self._forget(tenant.lower())

    def _forget(self, whose: BotCredentials | str) -> None:
        kept = self._kept.get(whose)
        if kept is not None:
            kept.forget()


class StorageCredential:
    """A managed identity as the storage SDKs take it (azure-core's `AsyncTokenCredential`), without azure-identity.

    `client_id` names a user-assigned identity; None is the function app's own.
    """

    def __init__(
        self,
        client_id: str | None = None,
        *,
        clock: Callable[[], float] = time.time,
        http_client: object = None,
    ) -> None:
        self._client_id = client_id
        self._clock = clock
        self._http_client = http_client
        self._kept: dict[str, _Kept] = {}

    async def get_token(self, *scopes: str, **_options: object) -> "AccessToken":
        """Return a token for one scope; its `expires_on` is in seconds since 1970.

        The SDKs' options (tenant, claims) mean nothing to a managed identity. Raises azure-core's
        `ClientAuthenticationError`, as the SDKs' callers expect.
        """
        from azure.core.credentials import AccessToken
        from azure.core.exceptions import ClientAuthenticationError

        if len(scopes) != 1:
            raise ValueError("a managed identity's token is for exactly one scope")
        resource = scopes[0].removesuffix("/.default")
        kept = self._kept.get(resource)
        if kept is None:
            sign_in = functools.partial(sign_in_to_storage, self._client_id, resource, Http(self._http_client))
            kept = self._kept[resource] = _Kept(sign_in, "storage", "the storage account", self._clock)
        try:
            token = await kept.get()
        except TokenError as error:
            raise ClientAuthenticationError(str(error)) from None
        return AccessToken(token.value, int(token.expires_at))

    async def close(self) -> None:
        """Do nothing: no connection is kept between sign-ins."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    made_at: float
    expires_at: float


class _Kept:
    """One identity's token.

        made                              5 min before     30 s before expiry
        │ used                            │ used, renewed  │ made anew first: without
        │                                 │ in background  │ that, TokenError

    However many ask, there is one sign-in at a time. After a failed one, the next waits for some seconds, in which all
    who need a token are told of that failure, so that a wrong password is not tried once for every message.
    """

    def __init__(
        self, sign_in: Callable[[], tuple[str, int]], kind: str, whose: str, clock: Callable[[], float]
    ) -> None:
        self._sign_in = sign_in
        self._kind = kind
        self._whose = whose
        self._clock = clock
        self._token: _Token | None = None
        self._failure = ""
        self._next_at = float("-inf")
        self._making: asyncio.Task[_Token] | None = None

    async def get(self) -> _Token:
        """Return a token that can be used now. Raises `TokenError`."""
        now, token = self._clock(), self._token
        if token is not None and now < token.expires_at - _LAST_USE:
            if now >= token.expires_at - _RENEW_BEFORE and now >= self._next_at:
                self._start()
            return token
        if self._failure and self._making is None and now < self._next_at:
            raise TokenError(self._failure)
        # Shielded, since a send that is cancelled must not end the sign-in that others wait for.
        return await asyncio.shield(self._start())

    def forget(self) -> None:
        """Drop the token, unless it is young."""
        if self._token is not None and self._clock() - self._token.made_at >= _YOUNG:
            self._token = None

    def _start(self) -> asyncio.Task[_Token]:
        if self._making is None:
            self._making = asyncio.create_task(self._make())
            self._making.add_done_callback(self._finish)
        return self._making

    async def _make(self) -> _Token:
        made_at = self._clock()
        value, lifetime = await asyncio.to_thread(self._sign_in)
        self._token = _Token(value, made_at, made_at + lifetime)
        return self._token

    def _finish(self, task: asyncio.Task[_Token]) -> None:
        self._making = None
        self._next_at = self._clock() + _PAUSE
        error = None if task.cancelled() else task.exception()
        self._failure = str(error) if error is not None else ""
        if error is not None:
            telemetry.no_token(self._kind)
        if error is not None and self._token is not None:
            _log.warning("The token for %s could not be renewed yet: %s", self._whose, error)
