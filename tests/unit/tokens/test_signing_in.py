"""Who signs in, where and with what. MSAL itself runs here; only what it reaches the network with is replaced."""

import asyncio
import base64
from urllib.parse import urlsplit

import jwt
import pytest
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.queue.aio import QueueServiceClient
from cryptography.hazmat.primitives import hashes

from proactive.clouds import CLOUDS, PUBLIC
from proactive.settings import GraphAccess
from proactive.tokens import StorageCredential, TokenError, Tokens
from tests.teams.botside import Clock
from tests.unit.certificates import certificate
from tests.unit.tokens.entra import (
    BY_CERTIFICATE,
    BY_IDENTITY,
    BY_SECRET,
    GRAPH,
    LIFETIME,
    MANAGED,
    MULTI,
    OTHER_TENANT,
    SECRET,
    SINGLE,
    STORAGE_SCOPE,
    TENANT,
    EntraId,
    refuse,
)

# --- who signs in where


async def test_a_single_tenant_bot_signs_in_at_its_tenant(tokens: Tokens, entra: EntraId) -> None:
    assert await tokens.bot_token(SINGLE) == "token-1"
    (sign_in,) = entra.sign_ins
    assert sign_in["url"] == f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"
    assert sign_in["scope"] == "https://api.botframework.com/.default"
    assert (sign_in["client_id"], sign_in["client_secret"]) == (SINGLE.app_id, SECRET)


async def test_a_multi_tenant_bot_signs_in_at_bot_frameworks_tenant(tokens: Tokens, entra: EntraId) -> None:
    assert await tokens.bot_token(MULTI) == "token-1"
    assert urlsplit(entra.sign_ins[0]["url"]).path == "/botframework.com/oauth2/v2.0/token"


async def test_a_bot_with_a_managed_identity_asks_the_platform(tokens: Tokens, entra: EntraId) -> None:
    assert await tokens.bot_token(MANAGED) == "token-1"
    (sign_in,) = entra.sign_ins
    assert sign_in["url"] == "http://identity.local/token"
    assert sign_in["resource"] == "https://api.botframework.com"
    assert sign_in["client_id"] == MANAGED.app_id
    assert entra.discoveries == []


async def test_each_bot_has_its_own_token(tokens: Tokens, entra: EntraId) -> None:
    got = [await tokens.bot_token(bot) for bot in (SINGLE, MULTI, MANAGED, SINGLE, MULTI, MANAGED)]
    assert got == ["token-1", "token-2", "token-3"] * 2


@pytest.mark.parametrize("name", CLOUDS)
async def test_bots_sign_in_at_the_endpoint_of_their_cloud(name: str, clock: Clock, entra: EntraId) -> None:
    cloud = CLOUDS[name]
    tokens = Tokens(cloud, clock=clock, http_client=entra)
    for bot in (SINGLE, MULTI, MANAGED):
        await tokens.bot_token(bot)
    single, multi, managed = entra.sign_ins
    assert single["url"] == f"{cloud.sign_in_url}/{TENANT}/oauth2/v2.0/token"
    assert multi["url"] == f"{cloud.sign_in_url}/{cloud.sign_in_tenant}/oauth2/v2.0/token"
    assert single["scope"] == multi["scope"] == f"{cloud.bot_framework}/.default"
    assert managed["resource"] == cloud.bot_framework


# --- Microsoft Graph


@pytest.mark.parametrize("name", CLOUDS)
async def test_graph_is_signed_in_to_in_the_tenant_that_is_asked_about(name: str, clock: Clock, entra: EntraId) -> None:
    cloud = CLOUDS[name]
    tokens = Tokens(cloud, GraphAccess("https://proxy.example", "app-graph", SECRET), clock=clock, http_client=entra)
    asked = [TENANT, OTHER_TENANT, TENANT.upper(), OTHER_TENANT]
    assert [await tokens.graph_token(tenant) for tenant in asked] == ["token-1", "token-2"] * 2
    assert [sign_in["url"] for sign_in in entra.sign_ins] == [
        f"{cloud.sign_in_url}/{tenant}/oauth2/v2.0/token" for tenant in (TENANT, OTHER_TENANT)
    ]
    assert {sign_in["scope"] for sign_in in entra.sign_ins} == {f"{cloud.graph_url}/.default"}
    assert {(sign_in["client_id"], sign_in["client_secret"]) for sign_in in entra.sign_ins} == {("app-graph", SECRET)}
    assert entra.threads == {False}


async def test_graph_is_signed_in_to_with_a_certificate(clock: Clock, entra: EntraId) -> None:
    assert await Tokens(PUBLIC, BY_CERTIFICATE, clock=clock, http_client=entra).graph_token(TENANT) == "token-1"
    (sign_in,) = entra.sign_ins
    assert "client_secret" not in sign_in
    assertion = sign_in["client_assertion"]
    claims = jwt.decode(
        assertion, certificate().public_key(), algorithms=["PS256"], audience=sign_in["url"], issuer="app-graph"
    )
    assert claims["sub"] == "app-graph"
    thumbprint = base64.urlsafe_b64encode(certificate().fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    assert jwt.get_unverified_header(assertion)["x5t#S256"].rstrip("=") == thumbprint
    assert "PRIVATE KEY" not in repr(sign_in)


@pytest.mark.parametrize("name", CLOUDS)
async def test_graph_is_asked_as_a_managed_identity_where_nothing_else_is_set(
    name: str, clock: Clock, entra: EntraId
) -> None:
    assert await Tokens(CLOUDS[name], BY_IDENTITY, clock=clock, http_client=entra).graph_token(TENANT) == "token-1"
    (sign_in,) = entra.sign_ins
    assert sign_in["resource"] == CLOUDS[name].graph_url
    assert sign_in["client_id"] == "app-graph"
    assert entra.discoveries == []


async def test_a_stand_in_for_graph_is_asked_without_a_token(clock: Clock, entra: EntraId) -> None:
    assert await Tokens(PUBLIC, GraphAccess("http://127.0.0.1"), clock=clock, http_client=entra).graph_token("x") == ""
    assert entra.sign_ins == []


@pytest.mark.parametrize("graph", [None, BY_IDENTITY], ids=["no Graph", "Graph of one tenant"])
async def test_graph_has_no_token_for_a_tenant_that_it_is_not_used_for(
    graph: GraphAccess | None, clock: Clock, entra: EntraId
) -> None:
    with pytest.raises(TokenError, match="PROACTIVE_GRAPH_TENANT_ID"):
        await Tokens(PUBLIC, graph, clock=clock, http_client=entra).graph_token(OTHER_TENANT)
    assert entra.sign_ins == []


async def test_a_token_that_graph_refused_is_made_anew_for_that_tenant_alone(clock: Clock, entra: EntraId) -> None:
    tokens = Tokens(PUBLIC, BY_SECRET, clock=clock, http_client=entra)
    tokens.forget_graph(TENANT)  # nothing to forget yet
    assert [await tokens.graph_token(tenant) for tenant in (TENANT, OTHER_TENANT)] == ["token-1", "token-2"]
    clock.now += 60
    tokens.forget_graph(TENANT.upper())
    assert [await tokens.graph_token(tenant) for tenant in (TENANT, OTHER_TENANT)] == ["token-3", "token-2"]


async def test_graph_and_a_bot_of_the_same_app_have_tokens_of_their_own(clock: Clock, entra: EntraId) -> None:
    tokens = Tokens(PUBLIC, GraphAccess(GRAPH, SINGLE.app_id, SECRET), clock=clock, http_client=entra)
    assert await tokens.bot_token(SINGLE) == "token-1"
    assert await tokens.graph_token(TENANT) == "token-2"
    assert [sign_in["scope"] for sign_in in entra.sign_ins] == [
        "https://api.botframework.com/.default",
        "https://graph.microsoft.com/.default",
    ]


# --- storage by identity


async def test_a_storage_credential_is_one_to_the_sdk(entra: EntraId, clock: Clock) -> None:
    credential = StorageCredential("storage-client", clock=clock, http_client=entra)
    assert isinstance(credential, AsyncTokenCredential)
    async with credential:
        token = await credential.get_token(STORAGE_SCOPE, claims="{}", tenant_id=TENANT, enable_cae=True)
    assert token.token == "token-1"
    assert token.expires_on == pytest.approx(clock.now + LIFETIME, abs=2)
    assert entra.sign_ins[0]["resource"] == "https://storage.azure.com"
    assert entra.sign_ins[0]["client_id"] == "storage-client"
    assert entra.threads == {False}
    await credential.close()


async def test_without_a_client_id_it_is_the_function_apps_own_identity(entra: EntraId) -> None:
    assert (await StorageCredential(http_client=entra).get_token(STORAGE_SCOPE)).token == "token-1"
    assert "client_id" not in entra.sign_ins[0]


async def test_the_storage_sdk_sends_its_token(entra: EntraId) -> None:
    async with QueueServiceClient("https://x.queue.core.windows.net", StorageCredential(http_client=entra)) as client:
        policy = client._client._client._pipeline._impl_policies
        bearer = next(each for each in policy if hasattr(each, "on_challenge"))
        request = PipelineRequest(HttpRequest("GET", "https://x.queue.core.windows.net/"), PipelineContext(None))
        await bearer.on_request(request)
    assert request.http_request.headers["Authorization"] == "Bearer token-1"


async def test_many_storage_clients_share_one_sign_in(entra: EntraId) -> None:
    credential = StorageCredential(http_client=entra)
    got = await asyncio.gather(*(credential.get_token(STORAGE_SCOPE) for _ in range(50)))
    assert {token.token for token in got} == {"token-1"}
    assert len(entra.sign_ins) == 1


@pytest.mark.parametrize(
    ("client_id", "named"), [("c", "AzureWebJobsStorage__clientId"), (None, "identity of its own")]
)
async def test_a_missing_identity_is_an_authentication_error_of_the_sdk(
    entra: EntraId, client_id: str | None, named: str
) -> None:
    entra.refusal = refuse("invalid_request", "no such identity", 400)
    with pytest.raises(ClientAuthenticationError, match=named):
        await StorageCredential(client_id, http_client=entra).get_token(STORAGE_SCOPE)


async def test_a_storage_token_is_for_exactly_one_scope(entra: EntraId) -> None:
    for scopes in ((), (STORAGE_SCOPE, STORAGE_SCOPE)):
        with pytest.raises(ValueError, match="one scope"):
            await StorageCredential(http_client=entra).get_token(*scopes)
