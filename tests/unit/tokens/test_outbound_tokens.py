"""When a token is made, how long it is used, and what is said where none is to be had."""

import asyncio
import logging
from typing import Any

import pytest

from proactive.clouds import PUBLIC
from proactive.settings import GraphAccess
from proactive.tokens import BotCredentials, TokenError, Tokens
from tests.teams.botside import Clock
from tests.unit.fresh import run
from tests.unit.tokens.entra import (
    BY_CERTIFICATE,
    BY_IDENTITY,
    BY_SECRET,
    LIFETIME,
    MANAGED,
    MULTI,
    SECRET,
    SINGLE,
    TENANT,
    Answer,
    EntraId,
    refuse,
    until,
)

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


def test_importing_the_room_imports_nothing_heavy() -> None:
    heavy = "{'msal', 'requests', 'jwt', 'cryptography', 'aiohttp', 'azure'}"
    assert run(f"import sys, proactive.tokens; print({heavy} & set(sys.modules))", "-W", "error") == "set()"


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
    said = run(script, "-W", "error").splitlines()
    assert "check MicrosoftAppId" in said[0]
    assert said[1] == "False False"
