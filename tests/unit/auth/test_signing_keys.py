"""The keys that Teams signs with: fetched seldom, in the background and over https only, and what that costs."""

import asyncio
import logging
import time
from pathlib import Path

import pytest

from proactive.auth import Forbidden, KeysUnavailable, Unauthorized
from proactive.clouds import GCC_HIGH as US_GOV
from proactive.clouds import PUBLIC
from tests.certificates import certificate, server_side
from tests.unit.auth.house import ACTIVITY, APP_ID, DAY, HOUR, MINUTE, House, jwk, settled, until
from tests.unit.fresh import run

# --- the signing keys


async def test_keys_are_fetched_once_a_day_and_in_the_background(house: House) -> None:
    for _ in range(5):
        await house.ask(house.token())
    assert house.fetches == 1
    house.clock.now += DAY
    house.metadata.gate.clear()  # the fetch hangs, and yet nobody waits for it
    for _ in range(5):
        await house.ask(house.token())
        await settled()
    assert house.fetches == 2
    house.metadata.keys[PUBLIC.issuer] = [jwk("next")]
    house.metadata.gate.set()
    await settled()
    with pytest.raises(Unauthorized):  # and what it brought is used: a withdrawn key opens nothing
        await house.ask(house.token())
    assert await house.ask(house.token("next")) == APP_ID


async def test_a_key_roll_over_works_at_once(house: House) -> None:
    await house.ask(house.token())
    house.clock.now += 1
    house.metadata.keys[PUBLIC.issuer] = [jwk("public"), jwk("next")]
    assert await house.ask(house.token("next")) == APP_ID
    assert await house.ask(house.token()) == APP_ID
    assert house.fetches == 2


async def test_unknown_key_ids_cost_one_fetch_a_minute(house: House) -> None:
    async def ask_with_unknown_key() -> None:
        with pytest.raises(Unauthorized):
            await house.ask(house.token("mallory"))

    await ask_with_unknown_key()
    assert house.fetches == 1  # the keys were new: looking again would show nothing else
    await ask_with_unknown_key()
    assert house.fetches == 2
    for _ in range(20):
        await ask_with_unknown_key()
    house.clock.now += MINUTE - 1
    await ask_with_unknown_key()
    assert house.fetches == 2
    house.clock.now += 1
    await ask_with_unknown_key()
    assert house.fetches == 3
    assert house.metadata.fetched[US_GOV.issuer] == 0


async def test_many_requests_at_once_wait_for_one_fetch(house: House) -> None:
    house.metadata.gate.clear()
    asking = [asyncio.create_task(house.ask(house.token())) for _ in range(50)]
    await until(lambda: house.fetches == 1)
    house.metadata.gate.set()
    assert await asyncio.gather(*asking) == [APP_ID] * 50
    assert house.fetches == 1

    house.metadata.keys[PUBLIC.issuer] = [jwk("next")]
    house.metadata.gate.clear()
    asking = [asyncio.create_task(house.ask(house.token("next"))) for _ in range(50)]
    await until(lambda: house.fetches == 2)
    await settled()
    house.metadata.gate.set()
    assert await asyncio.gather(*asking) == [APP_ID] * 50
    assert house.fetches == 2


async def test_a_request_that_is_given_up_does_not_end_the_fetch_for_others(house: House) -> None:
    house.metadata.gate.clear()
    first = asyncio.create_task(house.ask(house.token()))
    second = asyncio.create_task(house.ask(house.token()))
    await until(lambda: house.fetches == 1)
    await settled()
    first.cancel()
    await settled()
    house.metadata.gate.set()
    assert await second == APP_ID
    assert first.cancelled()
    assert house.fetches == 1


BROKEN_METADATA = [OSError("no route"), {}, {"keys": []}, {"keys": "none"}, {"keys": [{"kty": "oct", "kid": "public"}]}]


@pytest.mark.parametrize("broken", BROKEN_METADATA, ids=str)
async def test_without_any_keys_the_answer_is_that_nobody_can_tell(house: House, broken: object) -> None:
    house.metadata.broken = broken
    with pytest.raises(KeysUnavailable):
        await house.ask(house.token())
    house.metadata.broken = None
    assert await house.ask(house.token()) == APP_ID


@pytest.mark.parametrize("broken", BROKEN_METADATA, ids=str)
async def test_a_failed_fetch_never_throws_usable_keys_away(house: House, broken: object) -> None:
    await house.ask(house.token())
    house.metadata.broken = broken
    with pytest.raises(Unauthorized):
        await house.ask(house.token("mallory"))
    assert house.fetches == 2
    for day in range(1, 5):
        house.clock.now += DAY
        assert await house.ask(house.token()) == APP_ID
        await settled()
        assert await house.ask(house.token()) == APP_ID
        await settled()
        assert house.fetches == 2 + day  # tried again, but not for every request
    house.clock.now += DAY
    with pytest.raises(KeysUnavailable):
        await house.ask(house.token())
    house.metadata.broken = None
    assert await house.ask(house.token()) == APP_ID


async def test_nothing_from_outside_reaches_a_log_or_an_error(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "https://canary.example/?sig=c4n4ry"
    house.metadata.broken = OSError(canary)
    said = []
    for token in (house.token(), house.token("mallory", iss=canary), house.token(aud=canary), f"{canary}.{canary}.x"):
        for activity in (ACTIVITY, ACTIVITY | {"serviceUrl": canary}, ACTIVITY | {"channelId": canary}):
            with pytest.raises((Unauthorized, KeysUnavailable, Forbidden)) as refusal:
                await house.ask(token, activity)
            said.append(str(refusal.value))
        house.metadata.broken = None
    assert "could not be fetched" in caplog.text
    for text in (caplog.text, *said):
        assert "c4n4ry" not in text
        assert "canary" not in text


# --- what it costs, and the real way out


def test_importing_the_room_imports_nothing_heavy() -> None:
    heavy = "{'jwt', 'cryptography', 'aiohttp', 'msal', 'requests', 'pydantic'}"
    assert run(f"import sys, proactive.auth; print({heavy} & set(sys.modules))", "-W", "error") == "set()"


def test_the_first_token_imports_its_libraries_in_a_thread() -> None:
    script = f"""
import asyncio, sys, threading
from dataclasses import replace
from proactive.auth import Authenticator, KeysUnavailable
from proactive.clouds import PUBLIC

class Watch:
    threads = {{}}
    def find_spec(self, name, path=None, target=None):
        self.threads.setdefault(name.partition(".")[0], threading.current_thread() is threading.main_thread())

sys.meta_path.insert(0, Watch())

async def main():
    cloud = replace(PUBLIC, metadata_url="https://localhost:1/")
    door = Authenticator(["{APP_ID}"], [], allow_loopback=False, cloud=cloud)
    try:
        await door.authenticate("Bearer {House().token()}", {ACTIVITY!r})
    except KeysUnavailable:
        print(sorted(name for name in ("jwt", "cryptography", "aiohttp") if Watch.threads[name] is False))

asyncio.run(main())
"""
    assert run(script, "-W", "error") == "['aiohttp', 'cryptography', 'jwt']"


async def test_metadata_is_fetched_over_https_only_without_redirects_and_up_to_a_size(tmp_path: Path) -> None:
    from aiohttp import web

    authority = certificate("localhost", tmp_path)
    base = ""

    async def answer(request: web.Request) -> web.StreamResponse:
        what = request.match_info["what"]
        if what == "moved":
            raise web.HTTPFound(f"{base}/good")
        if what == "keys":
            return web.json_response({"keys": [jwk("public")]})
        padding = "x" * (2 * 1024 * 1024 if what == "huge" else 0)
        document = {"jwks_uri": f"{base}/keys", "padding": padding}
        return web.json_response([document] if what == "list" else document, status=500 if what == "error" else 200)

    app = web.Application()
    app.router.add_get("/{what}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_side(authority)).start()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports = [address[1] for address in runner.addresses]
        base = f"https://localhost:{ports[0]}"
        urls = [f"{base}/{what}" for what in ("good", "moved", "huge", "list", "error")]
        urls.append(f"http://localhost:{ports[1]}/good")
        now = int(time.time())
        token = House().token(nbf=now, exp=now + HOUR)
        script = f"""
import asyncio
from dataclasses import replace
from proactive.auth import Authenticator, KeysUnavailable
from proactive.clouds import PUBLIC

async def main():
    for url in {urls!r}:
        cloud = replace(PUBLIC, metadata_url=url)
        door = Authenticator(["{APP_ID}"], ["smba.trafficmanager.net"], allow_loopback=False, cloud=cloud)
        try:
            print(await door.authenticate("Bearer {token}", {ACTIVITY!r}))
        except KeysUnavailable:
            print("unavailable")

asyncio.run(main())
"""
        said = await asyncio.to_thread(run, script, "-W", "error", SSL_CERT_FILE=str(authority))
    finally:
        await runner.cleanup()
    assert said.splitlines() == [APP_ID] + ["unavailable"] * 5
