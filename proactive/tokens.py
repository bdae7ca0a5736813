"""The one place that makes tokens, with MSAL: to send as a bot, and to reach the storage account by identity.

MSAL is synchronous and slow to import (90 ms), so all of it runs in threads. A token is made once for all who ask, used
until it expires, and renewed in the background before that, so that no send waits for a sign-in except the first one.

MSAL's own token cache is left empty on purpose (a new MSAL client for each sign-in): it could not forget a token that
Teams has refused. Its HTTP cache is kept, which holds what Entra ID said about its endpoints and when to come back.
"""

import asyncio
import contextlib
import functools
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

_BOT_FRAMEWORK = "https://api.botframework.com"
_SIGN_IN = "https://login.microsoftonline.com"
_SIGN_IN_TIMEOUT = 10  # seconds, for each request that MSAL makes
_RENEW_BEFORE = 5 * 60  # seconds before its expiry at which a token is renewed in the background
_LAST_USE = 30  # seconds before its expiry at which a token is no longer used: a request must arrive with it
_PAUSE = 5  # seconds after a sign-in until the next one, unless a token is needed and there was no failure
_YOUNG = 60  # seconds for which a token is too new to be the reason why Teams refused it

# Which setting to look at, by the code that Entra ID gives (Microsoft Learn, "Microsoft Entra authentication and
# authorization error codes"). The settings of a further bot stand in PROACTIVE_BOTS under their short names.
_CULPRITS = {
    "AADSTS7000215": "MicrosoftAppPassword, which is wrong",
    "AADSTS7000222": "MicrosoftAppPassword, which has expired",
    "AADSTS700016": "MicrosoftAppId, MicrosoftAppTenantId and MicrosoftAppType, as that tenant has no such app",
    "AADSTS90002": "MicrosoftAppTenantId, as there is no such tenant",
    "AADSTS900023": "MicrosoftAppTenantId, as it is no tenant id",
}
_AADSTS = re.compile(r"AADSTS\d{4,10}")
_OAUTH_ERROR = re.compile(r"[a-z_]{1,40}")

_log = logging.getLogger(__name__)


class TokenError(Exception):
    """No token could be made; the message is one sentence that names the setting to check. It holds no secret."""


@dataclass(frozen=True)
class BotCredentials:
    """Who a bot is to Entra ID. A managed identity (`UserAssignedMSI`) has no password, its app id is its client id."""

    app_id: str
    app_type: Literal["UserAssignedMSI", "SingleTenant", "MultiTenant"]
    tenant_id: str = ""
    password: str = field(default="", repr=False)


class Tokens:
    """Bot tokens, kept per identity. One instance serves one event loop, and should live as long as that.

    `http_client` takes the place of MSAL's transport; its calls block, and are made in threads.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, http_client: object = None) -> None:
        self._clock = clock
        self._http_client = http_client
        self._kept: dict[BotCredentials, _Kept] = {}

    async def bot_token(self, credentials: BotCredentials) -> str:
        """Return a token with which to call the Bot Connector as this bot.

        Raises `TokenError`.
        """
        kept = self._kept.get(credentials)
        if kept is None:
            sign_in = functools.partial(_sign_in_bot, credentials, _Http(self._http_client))
            kept = self._kept[credentials] = _Kept(sign_in, f"bot {credentials.app_id}", self._clock)
        return (await kept.get()).value

    def forget(self, credentials: BotCredentials) -> None:
        """Drop the kept token of a bot, since Teams has answered 401 to it.

        A token of less than a minute stays: the many sends that were refused together need one new token, not one each,
        and where a new token is refused as well another one would not help.
        """
        kept = self._kept.get(credentials)
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
            sign_in = functools.partial(_sign_in_to_storage, self._client_id, resource, _Http(self._http_client))
            kept = self._kept[resource] = _Kept(sign_in, "the storage account", self._clock)
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

    def __init__(self, sign_in: Callable[[], tuple[str, int]], whose: str, clock: Callable[[], float]) -> None:
        self._sign_in = sign_in
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
        if error is not None and self._token is not None:
            _log.warning("The token for %s could not be renewed yet: %s", self._whose, error)


@dataclass(frozen=True)
class _Http:
    """What MSAL reaches the network with, for one identity: a transport (None: requests), and its cache of answers."""

    client: object
    cache: dict[str, Any] = field(default_factory=dict, repr=False)

    @contextlib.contextmanager
    def transport(self) -> Iterator[object]:
        """Give a transport with a time-out and one retry of a lost connection, neither of which MSAL would add."""
        if self.client is not None:
            yield self.client
            return
        import requests
        from requests.adapters import HTTPAdapter

        with requests.Session() as session:
            session.mount("https://", HTTPAdapter(max_retries=1))
            session.mount("http://", HTTPAdapter(max_retries=1))
            request = functools.partial(session.request, timeout=_SIGN_IN_TIMEOUT)
            session.request = request  # type: ignore[method-assign]  # requests has no time-out for a whole session
            yield session


def _sign_in_bot(credentials: BotCredentials, http: _Http) -> tuple[str, int]:
    """Return a bot's token and its lifetime in seconds. Blocks. Raises `TokenError`."""
    whose = f"bot {credentials.app_id}"
    if credentials.app_type == "UserAssignedMSI":
        advice = "MicrosoftAppId, which must be the client id of an identity that is assigned to this function app"
        return _sign_in_as_identity(credentials.app_id, _BOT_FRAMEWORK, whose, advice, http)

    import msal

    single_tenant = credentials.app_type == "SingleTenant"
    try:
        with http.transport() as transport:
            app = msal.ConfidentialClientApplication(
                credentials.app_id,
                client_credential=credentials.password,
                authority=f"{_SIGN_IN}/{credentials.tenant_id if single_tenant else 'botframework.com'}",
                instance_discovery=False,  # the authority is ours: nobody needs to be asked whether it is genuine
                http_client=transport,
                http_cache=http.cache,
            )
            result = app.acquire_token_for_client(scopes=[f"{_BOT_FRAMEWORK}/.default"])
    except Exception as error:
        # MSAL looks the tenant up first, and says ValueError where Entra ID does not know it. Its words are left out,
        # as they hold whole addresses.
        unknown = single_tenant and isinstance(error, ValueError) and not isinstance(error, OSError)
        advice = "MicrosoftAppTenantId" if unknown else f"that {_SIGN_IN} can be reached"
        raise TokenError(f"No token for {whose}: check {advice} ({type(error).__name__}).") from None
    return _read(result, whose, "MicrosoftAppId, MicrosoftAppPassword and MicrosoftAppTenantId")


def _sign_in_to_storage(client_id: str | None, resource: str, http: _Http) -> tuple[str, int]:
    """Return a token for storage and its lifetime in seconds. Blocks. Raises `TokenError`."""
    advice = "AzureWebJobsStorage__clientId" if client_id else "that this function app has an identity of its own"
    return _sign_in_as_identity(client_id, resource, "the storage account", advice, http)


def _sign_in_as_identity(client_id: str | None, resource: str, whose: str, advice: str, http: _Http) -> tuple[str, int]:
    import msal

    try:
        with http.transport() as transport:
            identity = (
                msal.UserAssignedManagedIdentity(client_id=client_id)
                if client_id
                else msal.SystemAssignedManagedIdentity()
            )
            client = msal.ManagedIdentityClient(identity, http_client=transport, http_cache=http.cache)
            result = client.acquire_token_for_client(resource=resource)
    except Exception as error:
        raise TokenError(f"No token for {whose}: check {advice} ({type(error).__name__}).") from None
    return _read(result, whose, advice)


def _read(result: Mapping[str, Any], whose: str, advice: str) -> tuple[str, int]:
    """Return token and lifetime from MSAL's answer. Raises `TokenError`, with Entra ID's code but not its words."""
    token = result.get("access_token")
    if token and isinstance(token, str):
        return token, int(result.get("expires_in", 0))
    code = _AADSTS.search(str(result.get("error_description"))) or _OAUTH_ERROR.fullmatch(str(result.get("error")))
    name = code[0] if code else "no reason given"
    raise TokenError(f"No token for {whose}: check {_CULPRITS.get(name, advice)} ({name}).")
