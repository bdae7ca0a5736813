"""Signing in with MSAL, and nothing else does: as a bot, to Microsoft Graph, and to the storage account by identity.

MSAL is synchronous and slow to import (90 ms): everything here blocks, and is called in threads.

Its own token cache is left empty on purpose (a new MSAL client for each sign-in): it could not forget a token that
Teams has refused. Its HTTP cache is kept, which holds what Entra ID said about its endpoints and when to come back.
"""

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from proactive.clouds import Cloud
from proactive.settings import GraphAccess

_SIGN_IN_TIMEOUT = 10  # seconds, for each request that MSAL makes

# Which setting to look at, by the code that Entra ID gives (Microsoft Learn, "Microsoft Entra authentication and
# authorization error codes"). The settings of a further bot stand in PROACTIVE_BOTS under their short names.
_CULPRITS = {
    "AADSTS7000215": "{proof}, which is wrong",
    "AADSTS7000222": "{proof}, which has expired",
    "AADSTS700027": "{proof}, which is not registered with the app",
    "AADSTS700016": "{home}, as that tenant has no such app",
    "AADSTS7000229": "{home}, as nobody has consented to the app in that tenant",
    "AADSTS90002": "{tenant}, as there is no such tenant",
    "AADSTS900023": "{tenant}, as it is no tenant id",
}
_AADSTS = re.compile(r"AADSTS\d{4,10}")
_OAUTH_ERROR = re.compile(r"[a-z_]{1,40}")


class TokenError(Exception):
    """No token could be made; the message is one sentence that names the setting to check. It holds no secret."""


@dataclass(frozen=True)
class BotCredentials:
    """Who a bot is to Entra ID. A managed identity (`UserAssignedMSI`) has no password, its app id is its client id."""

    app_id: str
    app_type: Literal["UserAssignedMSI", "SingleTenant", "MultiTenant"]
    tenant_id: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class _App:
    """An app that signs in, and the names of the settings that say how: `home` says where it is registered."""

    client_id: str
    credential: str | dict[str, str] = field(repr=False)
    whose: str
    tenant: str
    proof: str
    home: str


@dataclass(frozen=True)
class Http:
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


def sign_in_as_bot(cloud: Cloud, credentials: BotCredentials, http: Http) -> tuple[str, int]:
    """Return a bot's token and its lifetime in seconds. Blocks. Raises `TokenError`."""
    whose = f"bot {credentials.app_id}"
    if credentials.app_type == "UserAssignedMSI":
        advice = "MicrosoftAppId, which must be the client id of an identity that is assigned to this function app"
        return _sign_in_as_identity(credentials.app_id, cloud.bot_framework, whose, advice, http)
    app = _App(
        credentials.app_id,
        credentials.password,
        whose,
        tenant="MicrosoftAppTenantId",
        proof="MicrosoftAppPassword",
        home="MicrosoftAppId, MicrosoftAppTenantId and MicrosoftAppType",
    )
    single_tenant = credentials.app_type == "SingleTenant"
    tenant = credentials.tenant_id if single_tenant else cloud.sign_in_tenant
    return _sign_in_as_app(app, cloud, tenant, cloud.bot_framework, http, our_tenant=single_tenant)


def sign_in_to_graph(cloud: Cloud, graph: GraphAccess, tenant: str, http: Http) -> tuple[str, int]:
    """Return a token for Microsoft Graph in a tenant and its lifetime in seconds. Blocks. Raises `TokenError`."""
    if not graph.secret and not graph.certificate:
        advice = "PROACTIVE_GRAPH_CLIENT_ID, which must be the client id of an identity of this function app"
        return _sign_in_as_identity(graph.client_id, cloud.graph_url, "Microsoft Graph", advice, http)
    credential: str | dict[str, str] = graph.secret
    if graph.certificate:
        credential = {"private_key": graph.certificate.private_key, "public_certificate": graph.certificate.public}
    app = _App(
        graph.client_id,
        credential,
        f"Microsoft Graph in tenant {tenant}",
        tenant="PROACTIVE_GRAPH_TENANT_ID",
        proof="PROACTIVE_GRAPH_CERTIFICATE" if graph.certificate else "PROACTIVE_GRAPH_CLIENT_SECRET",
        home="PROACTIVE_GRAPH_CLIENT_ID and PROACTIVE_GRAPH_TENANT_ID",
    )
    return _sign_in_as_app(app, cloud, tenant, cloud.graph_url, http, our_tenant=True)


def sign_in_to_storage(client_id: str | None, resource: str, http: Http) -> tuple[str, int]:
    """Return a token for storage and its lifetime in seconds. Blocks. Raises `TokenError`."""
    advice = "AzureWebJobsStorage__clientId" if client_id else "that this function app has an identity of its own"
    return _sign_in_as_identity(client_id, resource, "the storage account", advice, http)


def _sign_in_as_app(
    app: _App, cloud: Cloud, tenant: str, resource: str, http: Http, *, our_tenant: bool
) -> tuple[str, int]:
    """Sign in with a secret or a certificate. `our_tenant`: the tenant is from the settings, and may be wrong."""
    import msal

    try:
        with http.transport() as transport:
            client = msal.ConfidentialClientApplication(
                app.client_id,
                client_credential=app.credential,
                authority=f"{cloud.sign_in_url}/{tenant}",
                instance_discovery=False,  # the authority is ours: nobody needs to be asked whether it is genuine
                http_client=transport,
                http_cache=http.cache,
            )
            result = client.acquire_token_for_client(scopes=[f"{resource}/.default"])
    except Exception as error:
        # MSAL looks the tenant up first, and says ValueError where Entra ID does not know it. Its words are left out,
        # as they hold whole addresses.
        unknown = our_tenant and isinstance(error, ValueError) and not isinstance(error, OSError)
        advice = app.tenant if unknown else f"that {cloud.sign_in_url} can be reached"
        raise TokenError(f"No token for {app.whose}: check {advice} ({type(error).__name__}).") from None
    culprits = {code: text.format(**vars(app)) for code, text in _CULPRITS.items()}
    return _read(result, app.whose, f"{app.home}, and {app.proof}", culprits)


def _sign_in_as_identity(client_id: str | None, resource: str, whose: str, advice: str, http: Http) -> tuple[str, int]:
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


def _read(
    result: Mapping[str, Any], whose: str, advice: str, culprits: Mapping[str, str] = MappingProxyType({})
) -> tuple[str, int]:
    """Return token and lifetime from MSAL's answer. Raises `TokenError`, with Entra ID's code but not its words."""
    token = result.get("access_token")
    if token and isinstance(token, str):
        return token, int(result.get("expires_in", 0))
    code = _AADSTS.search(str(result.get("error_description"))) or _OAUTH_ERROR.fullmatch(str(result.get("error")))
    name = code[0] if code else "no reason given"
    raise TokenError(f"No token for {whose}: check {culprits.get(name, advice)} ({name}).")
