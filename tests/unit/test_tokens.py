"""Outbound tokens. MSAL itself runs here; only what it reaches the network with is replaced."""

import asyncio
import base64
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.queue.aio import QueueServiceClient
from cryptography.hazmat.primitives import hashes

from proactive.certificates import Certificate
from proactive.clouds import CLOUDS, PUBLIC
from proactive.settings import GraphAccess
from proactive.tokens import BotCredentials, StorageCredential, TokenError, Tokens
from tests.unit.certificates import certificate, certificate_pem, private_key_pem

SECRET = "p4ssw0rd~canary"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
SINGLE = BotCredentials("app-single", "SingleTenant", TENANT, SECRET)
MULTI = BotCredentials("app-multi", "MultiTenant", "", SECRET)
MANAGED = BotCredentials("app-managed", "UserAssignedMSI")
OTHER_TENANT = "0b7b9d1e-53ab-43c7-8f4f-52b9a1c0b0aa"
GRAPH = "https://graph.microsoft.com"
BY_SECRET = GraphAccess(GRAPH, "app-graph", SECRET)
BY_CERTIFICATE = GraphAccess(GRAPH, "app-graph", certificate=Certificate(private_key_pem(), certificate_pem()))
BY_IDENTITY = GraphAccess(GRAPH, "app-graph", tenant_id=TENANT)
STORAGE_SCOPE = "https://storage.azure.com/.default"
LIFETIME = 3600


class Answer:
    """A response as MSAL reads it."""

    def __init__(self, body: object, status_code: int = 200, headers: dict[str, str] | None = None) -> None:
        self.text = body if isinstance(body, str) else json.dumps(body)
        self.status_code = status_code
        self.headers = headers or {}

    def raise_for_status(self) -> None:
        raise OSError(self.status_code)


class EntraId:
    """Entra ID and the platform's identity endpoint, as MSAL's `http_client`. Its calls block, as real ones do."""

    def __init__(self) -> None:
        self.sign_ins: list[dict[str, Any]] = []
        self.discoveries: list[str] = []
        self.threads: set[bool] = set()
        self.refusal: Callable[[], Answer] | None = None
        self.lifetime = LIFETIME
        self.gate = threading.Event()
        self.gate.set()

    def get(self, url: str, **request: Any) -> Answer:
        self._enter()
        if url.endswith("/.well-known/openid-configuration"):
            self.discoveries.append(url)
            base = url.removesuffix("/v2.0/.well-known/openid-configuration")
            return Answer(
                {
                    "issuer": f"{base}/v2.0",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                }
            )
        if url != "http://identity.local/token":
            raise AssertionError(f"nobody is at {url}")
        return self._sign_in({"url": url, **request["params"]}, expires_on=True)

    def post(self, url: str, **request: Any) -> Answer:
        self._enter()
        return self._sign_in({"url": url, **request["data"]}, expires_on=False)

    def close(self) -> None:
        pass

    def _enter(self) -> None:
        self.threads.add(threading.current_thread() is threading.main_thread())
        assert self.gate.wait(10), "the event loop stood still"

    def _sign_in(self, sign_in: dict[str, Any], *, expires_on: bool) -> Answer:
        self.sign_ins.append(sign_in)
        if self.refusal is not None:
            return self.refusal()
        # The identity endpoint names a time, which MSAL compares with the computer's clock.
        life = {"expires_on": str(int(time.time()) + self.lifetime)} if expires_on else {"expires_in": self.lifetime}
        return Answer({"access_token": f"token-{len(self.sign_ins)}", "token_type": "Bearer", **life})


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def entra() -> EntraId:
    return EntraId()


@pytest.fixture
def tokens(clock: Clock, entra: EntraId) -> Tokens:
    return Tokens(clock=clock, http_client=entra)


@pytest.fixture(autouse=True)
def app_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where managed identities are had on Azure Functions."""
    for name in ("IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSAL_FORCE_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://identity.local/token")
    monkeypatch.setenv("IDENTITY_HEADER", SECRET)


def refuse(error: str, description: str, status: int) -> Callable[[], Answer]:
    return lambda: Answer({"error": error, "error_description": description}, status)


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


# --- when


@pytest.mark.parametrize("bot", [SINGLE, MANAGED], ids=lambda bot: bot.app_type)
async def test_a_token_is_used_until_five_minutes_before_it_expires(
    tokens: Tokens, entra: EntraId, clock: Clock, bot: BotCredentials
) -> None:
    await tokens.bot_token(bot)
    clock.now += LIFETIME - 302
    assert await tokens.bot_token(bot) == "token-1"
    await asyncio.sleep(0.02)  # in which a renewal would have shown
    assert len(entra.sign_ins) == 1


async def test_in_its_last_minutes_a_token_is_renewed_while_it_is_still_used(
    tokens: Tokens, entra: EntraId, clock: Clock
) -> None:
    await tokens.bot_token(SINGLE)
    clock.now += LIFETIME - 300
    entra.gate.clear()  # Entra ID takes its time, and yet nobody waits
    for _ in range(20):
        assert await tokens.bot_token(SINGLE) == "token-1"
    entra.gate.set()
    await until(lambda: len(entra.sign_ins) == 2)
    async with asyncio.timeout(10):
        while await tokens.bot_token(SINGLE) != "token-2":
            await asyncio.sleep(0.001)
    assert len(entra.sign_ins) == 2
    assert len(entra.discoveries) == 1, "the sign-in address is known from the first time"


async def test_an_expired_token_is_never_handed_out(tokens: Tokens, entra: EntraId, clock: Clock) -> None:
    await tokens.bot_token(SINGLE)
    clock.now += LIFETIME - 30
    assert await tokens.bot_token(SINGLE) == "token-2"
    clock.now += 10 * LIFETIME
    assert await tokens.bot_token(SINGLE) == "token-3"


async def test_a_renewal_that_fails_leaves_the_old_token_in_use(
    tokens: Tokens, entra: EntraId, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await tokens.bot_token(SINGLE)
    clock.now += LIFETIME - 300
    entra.refusal = refuse("invalid_client", f"AADSTS7000222: {SECRET} has expired", 401)
    for _ in range(50):
        assert await tokens.bot_token(SINGLE) == "token-1"
        await asyncio.sleep(0.001)
    await until(lambda: "AADSTS7000222" in caplog.text)
    assert len(entra.sign_ins) == 2, "it is not tried for every message"
    assert SECRET not in caplog.text
    entra.refusal = None
    clock.now += 5
    await tokens.bot_token(SINGLE)
    await until(lambda: len(entra.sign_ins) == 3)


@pytest.mark.parametrize("bot", [SINGLE, MULTI, MANAGED], ids=lambda bot: bot.app_type)
async def test_many_sends_at_once_cause_one_sign_in(tokens: Tokens, entra: EntraId, bot: BotCredentials) -> None:
    entra.gate.clear()
    asking = [asyncio.create_task(tokens.bot_token(bot)) for _ in range(100)]
    await asyncio.sleep(0.01)
    entra.gate.set()
    assert set(await asyncio.gather(*asking)) == {"token-1"}
    assert len(entra.sign_ins) == 1


@pytest.mark.parametrize("bot", [SINGLE, MANAGED], ids=lambda bot: bot.app_type)
async def test_the_loop_goes_on_while_entra_id_is_slow(tokens: Tokens, entra: EntraId, bot: BotCredentials) -> None:
    entra.gate.clear()  # the transport blocks its thread until the loop itself opens the gate
    asking = asyncio.create_task(tokens.bot_token(bot))
    for _ in range(20):
        await asyncio.sleep(0.001)
    entra.gate.set()
    assert await asking == "token-1"
    assert entra.threads == {False}


async def test_a_send_that_is_given_up_does_not_end_the_sign_in_for_others(tokens: Tokens, entra: EntraId) -> None:
    entra.gate.clear()
    first, second = (asyncio.create_task(tokens.bot_token(SINGLE)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0)
    entra.gate.set()
    assert await second == "token-1"
    assert first.cancelled()
    assert len(entra.sign_ins) == 1


@pytest.mark.parametrize("bot", [SINGLE, MANAGED], ids=lambda bot: bot.app_type)
async def test_a_token_that_teams_refused_is_made_anew(
    tokens: Tokens, entra: EntraId, clock: Clock, bot: BotCredentials
) -> None:
    tokens.forget(bot)  # nothing to forget yet
    await tokens.bot_token(bot)
    clock.now += 60
    for _ in range(50):  # fifty sends were refused together
        tokens.forget(bot)
        assert await tokens.bot_token(bot) == "token-2"
    assert len(entra.sign_ins) == 2


# --- when it does not work


@pytest.mark.parametrize(
    ("bot", "error", "description", "status", "named"),
    [
        (SINGLE, "invalid_client", "AADSTS7000215: Invalid client secret provided.", 401, "MicrosoftAppPassword"),
        (SINGLE, "invalid_client", "AADSTS7000222: The secret has expired.", 401, "MicrosoftAppPassword"),
        (SINGLE, "unauthorized_client", "AADSTS700016: Application was not found.", 400, "MicrosoftAppId"),
        (SINGLE, "invalid_request", "AADSTS90002: Tenant not found.", 400, "MicrosoftAppTenantId"),
        (SINGLE, "invalid_request", "AADSTS99999: Something new.", 400, "MicrosoftAppTenantId"),
        (MULTI, "unauthorized_client", "AADSTS700016: Application was not found.", 400, "MicrosoftAppType"),
        (MANAGED, "invalid_request", "Identity not found", 400, "MicrosoftAppId"),
    ],
)
async def test_a_refused_sign_in_names_the_setting_and_entra_ids_code(
    tokens: Tokens, entra: EntraId, bot: BotCredentials, error: str, description: str, status: int, named: str
) -> None:
    entra.refusal = refuse(error, f"{description} {SECRET} https://x.example/?secret", status)
    with pytest.raises(TokenError) as failure:
        await tokens.bot_token(bot)
    text = str(failure.value)
    assert named in text
    assert bot.app_id in text
    assert description.partition(":")[0] in text if "AADSTS" in description else "invalid_scope" in text
    assert SECRET not in text
    assert "?" not in text
    assert text.endswith(".")


@pytest.mark.parametrize(
    ("graph", "description", "named"),
    [
        (BY_SECRET, "AADSTS7000215: Invalid client secret provided.", "PROACTIVE_GRAPH_CLIENT_SECRET, which is wrong"),
        (BY_SECRET, "AADSTS7000222: The secret has expired.", "PROACTIVE_GRAPH_CLIENT_SECRET, which has expired"),
        (BY_CERTIFICATE, "AADSTS700027: The certificate is unknown.", "PROACTIVE_GRAPH_CERTIFICATE, which is not"),
        (BY_SECRET, "AADSTS700016: Application was not found.", "PROACTIVE_GRAPH_CLIENT_ID and PROACTIVE_GRAPH_TENANT"),
        (BY_SECRET, "AADSTS7000229: No service principal.", "nobody has consented"),
        (BY_SECRET, "AADSTS90002: Tenant not found.", "PROACTIVE_GRAPH_TENANT_ID, as there is no such tenant"),
        (BY_CERTIFICATE, "AADSTS99999: Something new.", "PROACTIVE_GRAPH_CERTIFICATE"),
        (BY_IDENTITY, "Identity not found", "PROACTIVE_GRAPH_CLIENT_ID"),
    ],
)
async def test_a_refused_sign_in_to_graph_names_graphs_setting(
    clock: Clock, entra: EntraId, graph: GraphAccess, description: str, named: str
) -> None:
    entra.refusal = refuse("invalid_client", f"{description} {SECRET}", 401)
    tokens = Tokens(PUBLIC, graph, clock=clock, http_client=entra)
    with pytest.raises(TokenError) as failure:
        await tokens.graph_token(TENANT)
    assert named in str(failure.value)
    assert "MicrosoftApp" not in str(failure.value)
    assert SECRET not in str(failure.value)


async def test_an_unknown_tenant_names_the_tenant_setting(clock: Clock) -> None:
    class NoSuchTenant(EntraId):
        def get(self, url: str, **request: Any) -> Answer:
            return Answer({"error": "invalid_tenant", "error_description": "AADSTS90002"}, 400)

    with pytest.raises(TokenError, match="MicrosoftAppTenantId"):
        await Tokens(clock=clock, http_client=NoSuchTenant()).bot_token(SINGLE)
    with pytest.raises(TokenError, match="PROACTIVE_GRAPH_TENANT_ID"):
        await Tokens(PUBLIC, BY_SECRET, clock=clock, http_client=NoSuchTenant()).graph_token(TENANT)


@pytest.mark.parametrize("bot", [SINGLE, MULTI, MANAGED], ids=lambda bot: bot.app_type)
@pytest.mark.parametrize(
    "answer",
    [
        Answer("<html>gateway</html>", 502),
        Answer("not json"),
        Answer("[]"),
        Answer("null"),
        Answer({}),
        Answer({"access_token": ""}),
        Answer({"access_token": 7, "expires_in": 7, "expires_on": "7"}),
        Answer({"access_token": "x", "expires_in": "soon", "expires_on": "soon"}),
    ],
    ids=lambda answer: answer.text[:20],
)
async def test_whatever_comes_back_is_a_token_or_a_token_error(
    tokens: Tokens, entra: EntraId, bot: BotCredentials, answer: Answer
) -> None:
    entra.refusal = lambda: answer
    with pytest.raises(TokenError) as failure:
        await tokens.bot_token(bot)
    assert "check" in str(failure.value)


@pytest.mark.parametrize("bot", [SINGLE, MANAGED], ids=lambda bot: bot.app_type)
async def test_a_lost_network_is_a_token_error_without_addresses(
    tokens: Tokens, entra: EntraId, bot: BotCredentials
) -> None:
    def lose() -> Answer:
        raise ConnectionResetError(f"https://x.example/?secret={SECRET}")

    entra.refusal = lose
    with pytest.raises(TokenError, match="ConnectionResetError") as failure:
        await tokens.bot_token(bot)
    assert SECRET not in str(failure.value)
    assert failure.value.__cause__ is None
    assert failure.value.__suppress_context__


async def test_a_wrong_password_is_not_tried_for_every_message(tokens: Tokens, entra: EntraId, clock: Clock) -> None:
    entra.refusal = refuse("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)
    for _ in range(50):
        with pytest.raises(TokenError, match="AADSTS7000215"):
            await tokens.bot_token(SINGLE)
    assert len(entra.sign_ins) == 1
    clock.now += 5
    entra.refusal = None
    assert await tokens.bot_token(SINGLE) == "token-2"


async def test_entra_ids_retry_after_is_obeyed(tokens: Tokens, entra: EntraId, clock: Clock) -> None:
    entra.refusal = lambda: Answer({"error": "throttled"}, 429, {"Retry-After": "3000"})
    for _ in range(3):
        with pytest.raises(TokenError):
            await tokens.bot_token(SINGLE)
        clock.now += 60
    assert len(entra.sign_ins) == 1
    entra.refusal = None
    assert await tokens.bot_token(MULTI) == "token-2", "another bot is not held up"


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


# --- secrets and costs


async def test_no_secret_is_shown_or_logged(tokens: Tokens, entra: EntraId, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="proactive")
    for bot in (SINGLE, MULTI, MANAGED):
        await tokens.bot_token(bot)
    for shown in (
        repr(SINGLE),
        str(SINGLE),
        repr(tokens),
        repr(vars(tokens)),
        *map(repr, vars(tokens)["_kept"].values()),
    ):
        assert SECRET not in shown
        assert "token-1" not in shown
    assert SECRET not in caplog.text
    assert "token-1" not in caplog.text


def run(script: str, **env: str) -> str:
    """Run a script in a fresh interpreter, where nothing is imported yet."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
        env={"PATH": "/usr/bin:/bin", **env},
        cwd=Path(__file__).parents[2],
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def test_importing_the_room_imports_nothing_heavy() -> None:
    heavy = "{'msal', 'requests', 'jwt', 'cryptography', 'aiohttp', 'azure'}"
    assert run(f"import sys, proactive.tokens; print({heavy} & set(sys.modules))") == "set()"


def test_msal_is_imported_in_a_thread_and_its_own_transport_has_a_time_out() -> None:
    # A platform endpoint that takes the connection and never answers; the time-out is shortened from 10 s.
    script = """
import asyncio, os, socket, sys, threading
import proactive.signin
from proactive.tokens import BotCredentials, TokenError, Tokens

class Watch:
    threads = {}
    def find_spec(self, name, path=None, target=None):
        self.threads.setdefault(name.partition(".")[0], threading.current_thread() is threading.main_thread())

sys.meta_path.insert(0, Watch())
silent = socket.create_server(("127.0.0.1", 0))
os.environ["IDENTITY_ENDPOINT"] = f"http://127.0.0.1:{silent.getsockname()[1]}/token"
os.environ["IDENTITY_HEADER"] = "x"
proactive.signin._SIGN_IN_TIMEOUT = 0.2

async def main():
    try:
        await Tokens().bot_token(BotCredentials("app", "UserAssignedMSI"))
    except TokenError as error:
        print(error)
    print(Watch.threads["msal"], Watch.threads["requests"])

asyncio.run(main())
"""
    said = run(script).splitlines()
    assert "check MicrosoftAppId" in said[0]
    assert said[1] == "False False"


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a thread brings about."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
