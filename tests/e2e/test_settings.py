"""Settings: what they change, and how the app says that one is wrong."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from local.teams import Person
from tests.stack import PATIENCE, ROOT, Stack, environment, ids

FABRIKAM = "9a4e6f0c-1111-4222-8333-444455556666"
OPEN = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "PROACTIVE_LOCAL": "true"}
CLOUD = {"PROACTIVE_LOCAL": "false", "PROACTIVE_PUBLIC_URL": "https://app.example"}


async def start(settings: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Start a host that is to stop at once; return its exit code and what it said on standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local", "up", "--no-playground", "--port", "0", *arguments,
        cwd=ROOT, env=environment(settings), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            out, said = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError("it started") from None
    assert b"ready" not in out
    return process.returncode or 0, said.decode()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("AzureWebJobsStorage", {"AzureWebJobsStorage": "nonsense"}),
        ("MicrosoftAppId", {"PROACTIVE_LOCAL": "false", "PROACTIVE_PUBLIC_URL": "https://app.example"}),
        ("PROACTIVE_LOCAL", {"WEBSITE_INSTANCE_ID": "x"}),
        ("PROACTIVE_LOCAL", {"WEBSITE_SITE_NAME": "x"}),
        ("PROACTIVE_LOCAL", {"WEBSITE_POD_NAME": "x"}),
        ("PROACTIVE_LOCAL", {"CONTAINER_NAME": "x", "LEGION_SERVICE_HOST": "y"}),
        (
            "PROACTIVE_LOCAL",
            {"AzureWebJobsStorage": "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=a2V5"},
        ),
        ("PROACTIVE_LOCAL", {"PROACTIVE_LOCAL": "yes"}),
        ("PROACTIVE_ACTIVE_CHAT_MINUTES", {"PROACTIVE_ACTIVE_CHAT_MINUTES": "half an hour"}),
        ("PROACTIVE_REQUESTS_PER_SECOND", {"PROACTIVE_REQUESTS_PER_SECOND": "0"}),
        ("PROACTIVE_REQUESTS_PER_SECOND", {"PROACTIVE_REQUESTS_PER_SECOND": "nan"}),
        ("PROACTIVE_MAX_MESSAGE_BYTES", {"PROACTIVE_MAX_MESSAGE_BYTES": "-1"}),
        ("PROACTIVE_RETENTION_DAYS", {"PROACTIVE_RETENTION_DAYS": "inf"}),
        ("PROACTIVE_BOTS", {"PROACTIVE_BOTS": "{"}),
        ("PROACTIVE_BOTS", {"PROACTIVE_BOTS": '[{"name": "x"}]'}),
        ("PROACTIVE_BOTS", {"PROACTIVE_BOTS": '[{"name": "default", "appId": "x"}]'}),
        ("PROACTIVE_CALLBACK_HOSTS", {"PROACTIVE_CALLBACK_HOSTS": "https://x"}),
        ("PROACTIVE_CALLBACK_SECRET", {"PROACTIVE_CALLBACK_SECRET": "secret"}),
        ("PROACTIVE_SERVICE_HOSTS", {"PROACTIVE_SERVICE_HOSTS": ".trafficmanager.net"}),
        ("PROACTIVE_PUBLIC_URL", {"PROACTIVE_PUBLIC_URL": "nowhere"}),
        ("MicrosoftAppType", {"MicrosoftAppId": "x", "MicrosoftAppType": "Managed"}),
        ("MicrosoftAppPassword", {"MicrosoftAppId": "x", "MicrosoftAppType": "SingleTenant"}),
    ],
)
async def test_a_wrong_setting_stops_the_app_with_one_sentence_that_names_it(storage, name, settings):
    where = () if "AzureWebJobsStorage" in settings else ("--storage", storage)

    code, said = await start({"PROACTIVE_LOCAL": "true", **settings}, *where)

    assert code == 1
    assert name in said
    assert "Traceback" not in said
    assert len([line for line in said.splitlines() if line.strip()]) == 1


async def test_a_container_name_alone_is_no_sign_of_azure(storage):
    async with Stack.running(storage=storage, settings={"CONTAINER_NAME": "x", "PROACTIVE_BOT_NAME": "box"}) as stack:
        assert (await stack.get("/api/health")).status == 200


async def test_storage_must_be_named(tmp_path):
    # without the app's own settings file nothing names a storage account
    code = "import os; from proactive.settings import load; load(os.environ)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=tmp_path, env=environment({"MicrosoftAppId": "x"}),
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    assert "AzureWebJobsStorage" in said.decode().splitlines()[-1]


@pytest.fixture(scope="module")
async def special() -> AsyncIterator[Stack]:
    settings = {
        "PROACTIVE_BOT_NAME": "orders",
        "PROACTIVE_ALLOW_EVERYONE": "true",
        "PROACTIVE_MAX_MESSAGE_BYTES": "2048",
        "PROACTIVE_ACTIVE_CHAT_MINUTES": "0",
        "PROACTIVE_REPLY_TEXT": "",
        "PROACTIVE_PUBLIC_URL": "https://notify.contoso.com/",
    }
    async with Stack.running(settings=settings) as stack:
        yield stack


async def test_everyone_means_all_who_have_the_bot_once(special):
    people = await special.join(40)
    gone = people.pop()
    crowd = await special.crowd()
    await crowd.uninstall(gone)

    accepted = await special.accepted([{"everyone": True}, people[0].object_id, people[1].object_id])

    reply = await special.get("/api/outcomes/" + accepted["outcomeUrl"].partition("/outcomes/")[2])
    assert reply.status in (200, 202)
    outcome = (await special.outcome(accepted)).ok(200)
    assert outcome["counts"]["total"] == outcome["counts"]["delivered"] == 39
    assert [len(special.got(person)) for person in people] == [1] * 39


async def test_addresses_begin_with_the_public_url(special):
    reply = await special.post({"recipients": ["a@b.c"], "message": "Hello", "bot": "orders"})
    body = reply.ok(202)
    assert body["statusUrl"].startswith("https://notify.contoso.com/api/v1/sends/")
    assert reply.headers["Location"].startswith("https://notify.contoso.com/api/outcomes/")


async def test_the_largest_message_can_be_set(special):
    (await special.post({"recipients": ["a@b.c"], "message": "x" * 1100})).is_problem(413)


async def test_a_written_message_may_be_left_without_an_answer(special):
    (ada,) = await special.join(1)
    await (await special.crowd()).write(ada, "hello")
    await asyncio.sleep(1)
    assert special.teams.delivered(ada) == []
    assert (await special.user(ada.object_id))["chatActive"] is False


async def test_a_second_tenant_has_to_be_named(special):
    (ada,) = await special.join(1)
    alan = Person.named("Alan of Fabrikam", tenant_id=FABRIKAM)
    await (await special.crowd()).install(alan)

    bots = (await special.get("/api/v1/bots")).ok()
    assert FABRIKAM in str(bots)
    unnamed = await special.post({"recipients": ids([ada]), "message": "Hello"})
    assert unnamed.status == 400
    assert unnamed.pointers == ["/tenant"]
    named = (await special.deliver(ids([alan, ada]), tenant=FABRIKAM.upper())).ok(424)
    assert {result["userId"]: result["statusCode"] for result in named["results"]} == {
        alan.object_id: 200,
        ada.object_id: 100,
    }


async def test_with_an_app_id_a_token_is_asked_for_even_locally():
    settings = {"PROACTIVE_BOT_NAME": "closed", "MicrosoftAppId": "0d6f3c52-77b1-4b0e-9d0a-2f1f6f6a4c33"}
    async with Stack.running(settings=settings) as stack:
        (ada,) = stack.strangers(1)
        crowd = await stack.crowd()
        activity = await crowd.activity(ada, "installationUpdate", action="add")
        for authorization in (None, "", "Bearer", "Bearer x", "Bearer eyJhbGciOiJub25lIn0.e30.", "Basic eDp5"):
            headers = {} if authorization is None else {"Authorization": authorization}
            reply = await stack.request("POST", "/api/messages", json_body=activity, headers=headers)
            reply.is_problem(401)
            assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await stack.get("/api/v1/bots/closed/users/x")).ok()["installed"] is False
