import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from local import config
from local.azurite import LocationInUseError, azurite
from local.host.errors import StartError
from local.host.instance import instance
from local.playground import playground
from tests.host.support import APP, put, seen, until

ROOT = Path(__file__).parents[2]


async def up(*arguments: str, **settings: str) -> tuple[int, str, str]:
    """Run `python -m local up` to its end; give exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local", "up", "--no-playground", "--app", str(APP), *arguments),
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("settings", "the setting SAMPLE_FAULT is wrong: leave it out"),
        ("timer", "timer triggers are not supported by the local host (function nightly)"),
    ],
)
async def test_an_app_that_cannot_start_says_why_in_one_sentence(storage, fault, sentence):
    settings = {"SAMPLE_FAULT": fault, "SampleStorage": storage}
    assert await up("--port", "0", "--storage", storage, **settings) == (1, "", sentence + "\n")


async def test_a_bug_in_the_app_is_shown_with_its_trace(storage):
    code, out, err = await up("--port", "0", "--storage", storage, SAMPLE_FAULT="bug")
    assert (code, out) == (1, "")
    assert err.startswith("ZeroDivisionError: the app's own mistake\n")
    assert "function_app.py" in err


async def test_a_missing_setting_of_a_trigger_is_named(storage):
    code, _, err = await up("--port", "0", "--storage", storage)
    assert (code, err) == (1, "function threaded needs the app setting SampleStorage\n")


async def test_a_port_in_use_is_named_with_the_remedy(storage):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = await up("--port", str(port), "--storage", storage)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert f"port {port} is in use" in err
    assert "--port" in err


async def test_a_graceful_stop_finishes_what_runs_and_takes_nothing_new(storage, web):
    async with instance(storage, app_directory=APP, settings={"SampleStorage": storage}) as running:
        request = asyncio.create_task(web.get(f"{running.url}/api/slow"))
        await until(lambda: asyncio.sleep(0, any("slow begins" in line for line in running.child.tail)))
        running.child.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        with pytest.raises(OSError, match="Connect"):
            await asyncio.open_connection("127.0.0.1", URL(running.url).port)
        async with await request as response:
            assert await response.text() == "slow"
        assert await asyncio.wait_for(running.child.process.wait(), 5) == 0


async def test_a_second_signal_stops_at_once(storage, web):
    async with instance(storage, app_directory=APP, settings={"SampleStorage": storage}) as running:
        request = asyncio.create_task(web.get(f"{running.url}/api/slow"))
        await until(lambda: asyncio.sleep(0, any("slow begins" in line for line in running.child.tail)))
        running.child.process.send_signal(signal.SIGINT)
        await asyncio.sleep(0.1)
        running.child.process.send_signal(signal.SIGINT)
        assert await running.child.process.wait() == 1
        with pytest.raises(aiohttp.ClientError):
            await request


async def test_a_signal_while_the_stack_starts_ends_it_well(tmp_path):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local", "up", "--no-playground", "--app", str(tmp_path), "--port", "0"),
        cwd=ROOT,
    )
    # There is no app in the directory, but first Azurite starts, which takes a second.
    await until(lambda: asyncio.sleep(0, (tmp_path / ".local" / "azurite" / "lock").exists()))
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_two_hosts_on_one_account_share_the_work(web):
    async with (
        azurite(in_memory=True) as shared,
        instance(shared, app_directory=APP, settings={"SampleStorage": shared}) as one,
        instance(shared, app_directory=APP, settings={"SampleStorage": shared}) as two,
    ):
        await put(shared, "work", *(f'{{"id": {number}, "sleep": 0.2}}' for number in range(24)))

        async def all_done() -> tuple[list, list] | None:
            halves = [[entry["job"] for entry in await seen(web, host.url)] for host in (one, two)]
            return halves if sum(map(len, halves)) >= 24 else None

        first, second = await until(all_done)
    assert sorted(first + second) == list(range(24))
    assert min(len(first), len(second)) >= 4


async def test_up_brings_its_own_storage_prints_the_addresses_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "host.json").write_text("{}")
    (tmp_path / "function_app.py").write_text(
        "import os\nimport azure.functions as func\napp = func.FunctionApp()\n"
        "@app.route('settings')\n"
        "async def settings(req: func.HttpRequest) -> str:\n"
        "    print('this is no address')\n"
        "    return ' '.join(os.environ[name] for name in ('A', 'B', 'PROACTIVE_PUBLIC_URL', 'AzureWebJobsStorage'))\n"
    )
    (tmp_path / "local.settings.json").write_text('{"Values": {"A": "mine", "AzureWebJobsStorage": ""}}')
    (tmp_path / "local.settings.example.json").write_text('{"Values": {"A": "example", "B": "example"}}')
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local", "up", "--no-playground", "--app", str(tmp_path), "--port", "0"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    ready = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().split()
    assert ready[0] == "ready"
    async with aiohttp.ClientSession() as session, session.get(f"{ready[1]}/api/settings") as response:
        mine, example, public, account = (await response.text()).split()
    assert (mine, example, public) == ("mine", "example", ready[1])
    queue_port = int(account.partition("QueueEndpoint=")[2].split(":")[2].split("/")[0])
    with pytest.raises(LocationInUseError):
        async with azurite(location=tmp_path / ".local" / "azurite"):
            pass
    # Not even SIGKILL leaves Azurite running (where the system can see to it).
    if sys.platform == "linux":
        process.kill()
    else:
        process.terminate()
    rest = (await process.stdout.read()).decode()
    await process.wait()
    assert "no address" not in rest
    assert "curl http://localhost" in rest

    async def gone() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", queue_port)) != 0

    await until(gone)


async def test_the_teams_client_answers_on_loopback_and_its_port_is_checked(web, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with playground(bot_port=9, port=0) as url:
        async with web.get(url) as response:
            assert "Agents Playground" in await response.text()
        port = URL(url).port
        with socket.socket() as probe, pytest.raises(OSError, match="refused"):
            probe.connect((other_address(), port))
        with pytest.raises(StartError, match=f"port {port} is in use"):
            async with playground(bot_port=9, port=port):
                pass
    assert not list(tmp_path.iterdir())


def other_address() -> str:
    """Give an address of this machine that is not the one for loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.2"
        return probe.getsockname()[0]


def test_the_environment_beats_the_settings_file_and_that_beats_the_example(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {"A": "environment"})
    (tmp_path / "local.settings.json").write_text('{"Values": {"A": "file", "B": "file", "N": 5}}')
    (tmp_path / "local.settings.example.json").write_text('{"Values": {"A": "x", "B": "x", "C": "example"}}')
    config.apply(tmp_path)
    assert os.environ == {"A": "environment", "B": "file", "C": "example", "N": "5"}


def test_only_a_real_account_of_ones_own_replaces_the_emulator(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    (tmp_path / "local.settings.example.json").write_text('{"Values": {"AzureWebJobsStorage": "AccountName=example"}}')
    assert config.own_storage(tmp_path) is None
    (tmp_path / "local.settings.json").write_text('{"Values": {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}}')
    assert config.own_storage(tmp_path) is None
    (tmp_path / "local.settings.json").write_text('{"Values": {"AzureWebJobsStorage": "AccountName=mine"}}')
    assert config.own_storage(tmp_path) == "AccountName=mine"
    os.environ[config.STORAGE] = "AccountName=environment"
    assert config.own_storage(tmp_path) == "AccountName=environment"


def test_settings_that_cannot_be_read_are_told(tmp_path):
    (tmp_path / "local.settings.json").write_text("{")
    with pytest.raises(StartError, match=r"local\.settings\.json is not JSON"):
        config.apply(tmp_path)
    (tmp_path / "local.settings.json").write_text('{"IsEncrypted": true}')
    with pytest.raises(StartError, match="encrypted"):
        config.apply(tmp_path)
