"""How commands end when they cannot do what they should: exit codes, sentences, and nothing of a key."""

import asyncio
import json
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from local.loopback import serving
from tests.cli.conftest import run
from tests.stack import ROOT

KEY = "s3cret-function-key-=="
SEND = "obycqgq6fh6rn5j5pc7fdpltau"


@asynccontextmanager
async def server(*answers: web.Response) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """Answer requests in turn, the last answer again and again; yield the address and the requests."""
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        made = answers[min(len(seen), len(answers)) - 1]
        return web.Response(status=made.status, body=made.body, headers=made.headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with serving(app) as port:
        yield f"http://127.0.0.1:{port}", seen


async def ended(*arguments: str, url: str = "http://127.0.0.1:9", **env: str):
    said = await run(*arguments, env={"PROACTIVE_URL": url, "PROACTIVE_KEY": KEY, **env})
    assert KEY not in said.out + said.err
    return said


async def test_wrong_fields_are_refused_with_pointer_remedy_and_option(cli):
    said = await cli("send", "", "--to", "ada@contoso.com", "--parallelism", "99", "--deliver-within", "P1Y")
    assert said.code == 3
    for words in ("/options/parallelism (--parallelism): ", "/options/deliverWithin (--deliver-within): ", "/message"):
        assert words in said.err
    assert "(400)" in said.err


async def test_errors_are_json_where_json_is_wanted(cli):
    said = await cli("send", "Hello", "--json")
    assert (said.code, said.out) == (3, "")
    error = json.loads(said.err)
    assert (error["exitCode"], error["status"]) == (3, 400)
    assert error["errors"][0]["pointer"] == "/recipients"


async def test_a_card_that_is_no_json_is_refused_with_line_and_column(cli, tmp_path):
    broken = tmp_path / "card.json"
    broken.write_text('{"type": "AdaptiveCard",\n  "version": }')
    said = await cli("send", "--card", str(broken), "--to", "ada@contoso.com")
    assert said.code == 3
    assert "/card (--card): " in said.err
    assert "line 2" in said.err


@pytest.mark.parametrize("command", ["status", "watch", "results", "cancel", "retry"])
async def test_an_unknown_send_is_refused(cli, command):
    for send in (SEND, "../../ops/pause", "nonsense"):
        said = await cli(command, send)
        assert (said.code, "(404)" in said.err) == (3, True), said


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("send", "Hello", "--mesage", "x"),
        ("send", "-", "--card", "-", "--to", "ada"),
        ("send", "--card", "/nowhere.json", "--to", "ada"),
        ("send", "Hello", "--if-chat-is-active", "never"),
        ("status",),
        ("watch", SEND, "--at-most", "soon"),
        ("results", SEND, "--state", "lost"),
        ("status", SEND, "--url", "contoso.azurewebsites.net"),
        ("status", SEND, "--url", f"https://contoso.azurewebsites.net/?code={KEY}"),
        ("status", SEND, "--url", f"https://me:{KEY}@contoso.azurewebsites.net"),
        ("status", SEND, "--url", "http://contoso.azurewebsites.net"),
        ("status", SEND, "--url", "https://[contoso"),
        ("retry", SEND, "--door", "v1"),
        ("redrive",),
        ("redrive", "--storage", f"AccountKey={KEY}"),
        ("redrive", "--account", "https://evil.example/?sig=x"),
    ],
)
async def test_what_is_not_given_rightly_ends_with_two(arguments):
    said = await ended(*arguments)
    assert (said.code, said.out) == (2, ""), said
    assert said.err.strip()


async def test_a_key_with_a_line_feed_is_told_without_being_shown():
    said = await ended("bots", PROACTIVE_KEY=f"{KEY}\nX-Evil: 1")
    assert (said.code, "PROACTIVE_KEY" in said.err) == (2, True)


async def test_no_help_shows_the_key():
    for command in ((), ("send",), ("user", "show"), ("redrive",)):
        said = await ended(*command, "--help", AzureWebJobsStorage=f"AccountKey={KEY}")
        assert said.code == 0


async def test_a_service_that_is_not_there_ends_with_four():
    said = await ended("status", SEND)
    assert said.code == 4
    assert "http://127.0.0.1:9 cannot be reached" in said.err


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_service_that_does_not_work_ends_with_four(status):
    async with server(web.Response(status=status)) as (url, _):
        assert (await ended("bots", url=url)).code == 4


async def test_a_send_that_may_have_been_accepted_says_how_to_ask_again_safely():
    async with server(web.Response(status=502)) as (url, seen):
        said = await ended("send", "Hello", "--to", "ada@contoso.com", url=url)
        key = seen[0].headers["Idempotency-Key"]
    assert f"--idempotency-key {key}" in said.err


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_key_is_told(status):
    async with server(web.Response(status=status)) as (url, seen):
        said = await ended("bots", url=url)
        assert seen[0].headers["x-functions-key"] == KEY
    assert (said.code, "PROACTIVE_KEY" in said.err) == (3, True)


async def test_no_redirect_is_followed_with_the_key():
    async with server(web.Response(status=200, text="{}")) as (other, wrongly_asked):
        headers = {"Location": f"{other}/login"}
        async with server(web.Response(status=302, headers=headers)) as (url, _):
            said = await ended("bots", url=url)
    assert (said.code, wrongly_asked) == (3, [])
    assert "--entra-app" in said.err


async def test_another_site_is_not_taken_for_the_service():
    async with server(web.Response(status=200, text="<html>", content_type="text/html")) as (url, _):
        assert (await ended("bots", url=url)).code == 4


async def test_the_senders_key_opens_the_senders_door():
    async with server(web.json_response({"bots": []})) as (url, seen):
        (await ended("bots", "--door", "v1", url=url)).ok()
        (await ended("bots", url=f"{url}/api/")).ok()
    assert [request.path for request in seen] == ["/api/v1/bots", "/api/ops/bots"]


async def test_watching_outlives_a_service_that_is_away_for_a_moment():
    counts = {"total": 1, "pending": 1, "delivered": 0, "notInstalled": 0, "chatActive": 0, "failed": 0}
    options = {"ifBotNotInstalled": "fail", "ifChatIsActive": "send"}
    going = {"id": SEND, "status": "delivering", "counts": counts, "options": options}
    over = {**going, "status": "completed", "counts": {**counts, "pending": 0, "chatActive": 1}}
    away = web.Response(status=503)
    async with server(web.json_response(going), away, away, web.json_response(over)) as (url, seen):
        said = await ended("watch", SEND, url=url)
    assert (said.code, len(seen)) == (0, 4)
    options["ifChatIsActive"] = "dontSendAndFail"
    async with server(web.json_response(over)) as (url, _):
        assert (await ended("watch", SEND, url=url)).code == 1


def az(directory, script: str) -> dict[str, str]:
    """Put an `az` on the PATH."""
    path = directory / "az"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


async def test_whoever_is_signed_in_with_az_is_let_in(tmp_path):
    answer = json.dumps({"accessToken": "a-token", "expires_on": 4_000_000_000})
    path = az(
        tmp_path, f"""test "$*" = "account get-access-token --resource api://app --output json" && echo '{answer}'"""
    )
    async with server(web.json_response({"bots": []})) as (url, seen):
        (await ended("bots", "--entra-app", "api://app", url=url, **path)).ok()
        assert seen[0].headers["Authorization"] == "Bearer a-token"


async def test_an_az_that_is_not_there_or_not_signed_in_is_told(tmp_path):
    missing = await ended("bots", "--entra-app", "api://app", PATH=str(tmp_path))
    assert (missing.code, "az" in missing.err) == (2, True)
    path = az(tmp_path, "echo 'ERROR: Please run az login to setup account.' >&2; exit 1")
    said = await ended("bots", "--entra-app", "api://app", **path)
    assert (said.code, "Please run az login" in said.err) == (3, True)
    path = az(tmp_path, f'echo \'{{"token": "{KEY}"}}\'')
    assert (await ended("bots", "--entra-app", "api://app", **path)).code == 3


async def test_who_reads_only_the_beginning_is_no_error(cli, stack):
    accepted = await stack.accepted([f"n{number}@contoso.com" for number in range(900)])
    await cli("watch", accepted["id"])
    command = f"{sys.executable} -m proactive results {accepted['id']} --csv --url {stack.url} | head -1"
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", f"set -o pipefail; {command}", cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out.startswith(b"recipient,")


def test_help_comes_quickly_since_nothing_heavy_is_imported():
    script = (
        "import sys\nimport proactive.cli.main\n"
        "print([name for name in ('rich', 'urllib.request', 'azure', 'aiohttp', 'pydantic') if name in sys.modules])"
    )
    began = time.perf_counter()
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "[]"
    assert time.perf_counter() - began < 5
