"""The inbound door: what proves that Teams posted an activity, and every way of forging that."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import yarl
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from proactive.auth import Authenticator, Forbidden, KeysUnavailable, Unauthorized
from proactive.clouds import CLOUDS, DOD, PUBLIC
from proactive.clouds import GCC_HIGH as US_GOV
from proactive.hosts import TEAMS_SERVICE_HOSTS, check_service_url

APP_ID = "6f1c0f6e-7c5b-4a0e-9a57-0d1f1f0a9e11"
OTHER_APP_ID = "0b7b9d1e-53ab-43c7-8f4f-52b9a1c0b0aa"
SERVICE_URL = "https://smba.trafficmanager.net/emea/72f988bf/"
ACTIVITY = {"type": "message", "channelId": "msteams", "serviceUrl": SERVICE_URL}
MINUTE, HOUR, DAY = 60, 3600, 86400


@cache
def private_key(name: str) -> rsa.RSAPrivateKey:
    """One RSA key a name, since making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=1024 if name == "small" else 2048)


def jwk(name: str, **changes: Any) -> dict[str, Any]:
    public: dict[str, Any] = RSAAlgorithm.to_jwk(private_key(name).public_key(), as_dict=True)
    key = {"kty": "RSA", "use": "sig", "kid": name, "n": public["n"], "e": public["e"], "endorsements": ["msteams"]}
    return {name: value for name, value in (key | changes).items() if value is not None}


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Metadata:
    """Both clouds' metadata, as `fetch` sees it. `fetched` counts the looks at a cloud's metadata."""

    def __init__(self) -> None:
        self.keys = {PUBLIC.issuer: [jwk("public")], US_GOV.issuer: [jwk("gov")]}
        self.fetched = {PUBLIC.issuer: 0, US_GOV.issuer: 0}
        self.broken: object = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, url: str) -> dict[str, Any]:
        for cloud in (PUBLIC, US_GOV):
            if url == cloud.metadata_url:
                self.fetched[cloud.issuer] += 1
                await self.gate.wait()
                if isinstance(self.broken, Exception):
                    raise self.broken
                return {"issuer": cloud.issuer, "jwks_uri": f"{cloud.issuer}/keys"}
            if url == f"{cloud.issuer}/keys":
                return self.broken if isinstance(self.broken, dict) else {"keys": self.keys[cloud.issuer]}
        raise AssertionError(url)


class House:
    """An authenticator with everything around it."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.metadata = Metadata()
        settings = {"app_ids": [APP_ID, OTHER_APP_ID], "service_hosts": TEAMS_SERVICE_HOSTS, "allow_loopback": False}
        self.authenticator = Authenticator(**(settings | options), fetch=self.metadata, clock=self.clock)

    @property
    def fetches(self) -> int:
        return self.metadata.fetched[PUBLIC.issuer]

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good claims; a change to None leaves a claim out."""
        now = int(self.clock())
        good = {"iss": PUBLIC.issuer, "aud": APP_ID, "nbf": now - 60, "exp": now + HOUR, "serviceurl": SERVICE_URL}
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, key: str = "public", *, kid: str | None = None, **changes: Any) -> str:
        return jwt.encode(self.claims(**changes), private_key(key), algorithm="RS256", headers={"kid": kid or key})

    async def ask(self, token: str, activity: dict[str, Any] = ACTIVITY) -> str:
        return await self.authenticator.authenticate(f"Bearer {token}", activity)


@pytest.fixture
def house() -> House:
    return House()


def b64(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


# --- what is accepted


async def test_a_token_from_teams_names_the_bot_it_is_for(house: House) -> None:
    assert await house.ask(house.token()) == APP_ID
    assert await house.ask(house.token(aud=OTHER_APP_ID)) == OTHER_APP_ID


@pytest.mark.parametrize("name", CLOUDS)
async def test_teams_is_believed_in_the_cloud_of_the_deployment_and_in_no_other(name: str) -> None:
    cloud = CLOUDS[name]
    house = House(cloud=cloud)
    own, key, other, other_key = PUBLIC, "public", US_GOV, "gov"
    if cloud in (US_GOV, DOD):
        own, key, other, other_key = other, other_key, own, key
    about = ACTIVITY | {"serviceUrl": cloud.teams_url}
    assert await house.ask(house.token(key, iss=own.issuer, serviceurl=cloud.teams_url), about) == APP_ID
    with pytest.raises(Unauthorized):
        await house.ask(house.token(other_key, iss=other.issuer, serviceurl=cloud.teams_url), about)
    with pytest.raises(Unauthorized):
        await house.ask(house.token(other_key, iss=own.issuer, serviceurl=cloud.teams_url), about)
    assert house.metadata.fetched[other.issuer] == 0


@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "BEARER {}"])
async def test_the_schemes_case_has_no_meaning(house: House, header: str) -> None:
    assert await house.authenticator.authenticate(header.format(house.token()), ACTIVITY) == APP_ID


@pytest.mark.parametrize(
    ("claim", "in_activity"),
    [
        (SERVICE_URL.rstrip("/"), SERVICE_URL),
        (SERVICE_URL, SERVICE_URL.rstrip("/")),
        ("https://SMBA.trafficmanager.net/emea/72f988bf/", SERVICE_URL),
        ("HTTPS://smba.trafficmanager.net", "https://smba.trafficmanager.net/"),
    ],
)
async def test_service_urls_may_differ_in_a_trailing_slash_and_the_hosts_case(
    house: House, claim: str, in_activity: str
) -> None:
    assert await house.ask(house.token(serviceurl=claim), ACTIVITY | {"serviceUrl": in_activity}) == APP_ID


async def test_the_service_url_claim_is_read_in_either_case(house: House) -> None:
    assert await house.ask(house.token(serviceurl=None, serviceUrl=SERVICE_URL)) == APP_ID


async def test_an_app_id_configured_in_upper_case_is_the_same_app(house: House) -> None:
    shouting = House(app_ids=[APP_ID.upper()])
    assert await shouting.ask(shouting.token()) == APP_ID.upper()


async def test_five_minutes_of_skew_are_allowed_and_no_more(house: House) -> None:
    now = int(house.clock())
    await house.ask(house.token(exp=now - 299))
    await house.ask(house.token(nbf=now + 300))
    for too_far in ({"exp": now - 300}, {"nbf": now + 301}):
        with pytest.raises(Unauthorized):
            await house.ask(house.token(**too_far))


# --- what is refused

WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "no issuer": {"iss": None},
    "another issuer": {"iss": "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/"},
    "the issuer with a slash": {"iss": PUBLIC.issuer + "/"},
    "an issuer that cannot be hashed": {"iss": [PUBLIC.issuer]},
    "the issuer of the other cloud": {"iss": US_GOV.issuer},
    "no audience": {"aud": None},
    "another bot's audience": {"aud": "11111111-2222-3333-4444-555555555555"},
    "an empty audience": {"aud": ""},
    "several audiences": {"aud": [APP_ID]},
    "expired": {"exp": 1_800_000_000 - HOUR},
    "no expiry": {"exp": None},
    "an expiry in words": {"exp": "never"},
    "an expiry that is true": {"exp": True},
    "an expiry beyond numbers": {"exp": float("nan")},
    "an expiry without end": {"exp": float("inf")},
    "an expiry of a thousand digits": {"exp": 10**1000},
    "not valid yet": {"nbf": 1_800_000_000 + HOUR},
    "no start": {"nbf": None},
    "a start that is true": {"nbf": True},
    "no service URL": {"serviceurl": None},
    "an empty service URL": {"serviceurl": ""},
    "a service URL of another type": {"serviceurl": [SERVICE_URL]},
    "another service URL": {"serviceurl": "https://smba.trafficmanager.net/amer/72f988bf/"},
    "a path in another case": {"serviceurl": SERVICE_URL.replace("emea", "EMEA")},
    "two service URLs, one of them right": {"serviceUrl": "https://smba.trafficmanager.net/amer/"},
}


@pytest.mark.parametrize("changes", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
async def test_a_well_signed_token_with_wrong_claims_is_refused(house: House, changes: dict[str, Any]) -> None:
    header = b64({"alg": "RS256", "kid": "public"})
    signed = f"{header}.{b64(house.claims(**changes))}"
    signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(signed.encode(), private_key("public"))
    with pytest.raises(Unauthorized):
        await house.ask(f"{signed}.{b64(signature)}")


def forged(house: House, attack: str) -> str:
    """Make a token in one of the ways that have worked somewhere."""
    good = house.token()
    header, payload, signature = good.split(".")
    pem = private_key("public").public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip

    def hs256(header: dict[str, Any], secret: bytes) -> str:
        signed = f"{b64(header)}.{payload}"
        return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"

    def rs(alg: str) -> str:
        return jwt.encode(house.claims(), private_key("public"), algorithm=alg, headers={"kid": "public"})

    return {
        "alg none": lambda: f"{b64({'alg': 'none', 'kid': 'public'})}.{payload}.",
        "alg None with a signature": lambda: f"{b64({'alg': 'None', 'kid': 'public'})}.{payload}.{signature}",
        "HS256 with the public key as the secret": lambda: hs256({"alg": "HS256", "kid": "public"}, pem),
        "RS256 in the header but HS256 in truth": lambda: hs256({"alg": "RS256", "kid": "public"}, pem),
        "RS512": lambda: rs("RS512"),
        "PS256": lambda: rs("PS256"),
        "no alg": lambda: f"{b64({'kid': 'public'})}.{payload}.{signature}",
        "an alg that cannot be hashed": lambda: f"{b64({'alg': ['RS256'], 'kid': 'public'})}.{payload}.{signature}",
        "no key id": lambda: jwt.encode(house.claims(), private_key("public"), algorithm="RS256"),
        "a key id of another type": lambda: f"{b64({'alg': 'RS256', 'kid': 7})}.{payload}.{signature}",
        "its own key in the header": lambda: jwt.encode(
            house.claims(), private_key("mallory"), algorithm="RS256", headers={"kid": "public", "jwk": jwk("mallory")}
        ),
        "another key under a known id": lambda: house.token("mallory", kid="public"),
        "another key under its own id": lambda: house.token("mallory"),
        "the other cloud's key": lambda: house.token("gov"),
        "the other cloud's key under a known id": lambda: house.token("gov", kid="public"),
        "claims changed after signing": lambda: f"{header}.{b64(house.claims(aud=OTHER_APP_ID))}.{signature}",
        "no signature": lambda: f"{header}.{payload}.",
        "a cut signature": lambda: good[:-8],
        "an unencoded payload": lambda: (
            f"{b64({'alg': 'RS256', 'kid': 'public', 'b64': False, 'crit': ['b64']})}..{signature}"
        ),
        "an unknown critical extension": lambda: (
            f"{b64({'alg': 'RS256', 'kid': 'public', 'crit': ['exp']})}.{payload}.{signature}"
        ),
    }[attack]()


@pytest.mark.parametrize(
    "attack",
    [
        "alg none",
        "alg None with a signature",
        "HS256 with the public key as the secret",
        "RS256 in the header but HS256 in truth",
        "RS512",
        "PS256",
        "no alg",
        "an alg that cannot be hashed",
        "no key id",
        "a key id of another type",
        "its own key in the header",
        "another key under a known id",
        "another key under its own id",
        "the other cloud's key",
        "the other cloud's key under a known id",
        "claims changed after signing",
        "no signature",
        "a cut signature",
        "an unencoded payload",
        "an unknown critical extension",
    ],
)
async def test_a_forged_token_is_refused(house: House, attack: str) -> None:
    with pytest.raises(Unauthorized):
        await house.ask(forged(house, attack))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Basic YTpi",
        "Bearer x",
        "Bearer a.b",
        "Bearer ..",
        "Bearer a.b.c.d",
        "Bearer \u00e9.\u00e9.\u00e9",
        "Bearer \ud800.a.b",
        "Bearer \x00.\x00.\x00",
        f"Bearer {b64([])}.{b64({})}.{b64(b'x')}",
        f"Bearer {b64({'alg': 'RS256', 'kid': 'public'})}.{b64([PUBLIC.issuer])}.{b64(b'x')}",
        f"Bearer {b64({'alg': 'RS256', 'kid': 'public'})}.{b64(b'not json')}.{b64(b'x')}",
        f"Bearer {b64(b'[' * 11_000)}.{b64({})}.{b64(b'x')}",
        f"Bearer {b64({'alg': 'RS256'})}.{b64(b'[' * 11_000)}.{b64(b'x')}",
        "Bearer " + "a" * 1_000_000,
    ],
)
async def test_a_garbled_header_is_refused_and_never_an_error(house: House, header: str | None) -> None:
    with pytest.raises(Unauthorized):
        await house.authenticator.authenticate(header, ACTIVITY)
    assert house.fetches == 0


async def test_a_token_far_longer_than_teams_own_is_refused(house: House) -> None:
    assert await house.ask(house.token(more="x" * 4_000)) == APP_ID
    with pytest.raises(Unauthorized):
        await house.ask(house.token(more="x" * 20_000))


async def test_a_token_that_cannot_be_right_costs_no_fetch(house: House) -> None:
    for attack in ("alg none", "HS256 with the public key as the secret", "RS512", "no key id"):
        with pytest.raises(Unauthorized):
            await house.ask(forged(house, attack))
    with pytest.raises(Unauthorized):
        await house.ask(house.token(iss="https://evil.example"))
    assert house.metadata.fetched == {PUBLIC.issuer: 0, US_GOV.issuer: 0}


async def test_a_good_token_behind_another_scheme_or_twice_is_refused(house: House) -> None:
    token = house.token()
    for header in (token, f"Token {token}", f"Bearer{token}", f"Bearer {token}, Bearer {token}", f"Bearer {token} x"):
        with pytest.raises(Unauthorized):
            await house.authenticator.authenticate(header, ACTIVITY)


@pytest.mark.parametrize(
    "changes",
    [
        {"serviceUrl": None},
        {"serviceUrl": ["https://smba.trafficmanager.net/"]},
        {"serviceUrl": "https://smba.trafficmanager.net/amer/"},
        {"serviceUrl": ""},
        {"channelId": None},
        {"channelId": ["msteams"]},
        {"channelId": "webchat"},
        {"channelId": ""},
        {"channelId": "MSTEAMS"},
    ],
)
async def test_a_good_token_on_another_activity_is_refused(house: House, changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        await house.ask(house.token(), ACTIVITY | changes)
    without = {name: value for name, value in ACTIVITY.items() if name not in changes}
    with pytest.raises(Unauthorized):
        await house.ask(house.token(), without)


@pytest.mark.parametrize("endorsements", [None, [], "msteams", ["webchat"], [["msteams"]]])
async def test_a_key_that_is_not_endorsed_for_the_channel_is_refused(house: House, endorsements: object) -> None:
    house.metadata.keys[PUBLIC.issuer] = [jwk("public", endorsements=endorsements), jwk("another")]
    for channel_id in ("msteams", "m"):
        with pytest.raises(Unauthorized):
            await house.ask(house.token(), ACTIVITY | {"channelId": channel_id})


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "odd"},
        {"kid": "odd"},
        {"kty": "RSA", "kid": "odd", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "kid": ["odd"], "n": "AQAB", "e": "AQAB"},
        "text",
        None,
    ],
)
async def test_an_odd_key_in_the_metadata_does_not_cost_the_others(house: House, key: object) -> None:
    house.metadata.keys[PUBLIC.issuer] = [key, jwk("public")]  # type: ignore[list-item]
    assert await house.ask(house.token()) == APP_ID
    with pytest.raises(Unauthorized):
        await house.ask(house.token("mallory", kid="odd"))


async def test_a_key_for_another_use_is_not_used(house: House) -> None:
    house.metadata.keys[PUBLIC.issuer] = [jwk("public", use="enc"), jwk("another")]
    with pytest.raises(Unauthorized):
        await house.ask(house.token())


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits long")  # said by PyJWT when the test signs with it
async def test_a_short_key_is_not_used(house: House) -> None:
    house.metadata.keys[PUBLIC.issuer] = [jwk("small"), jwk("another")]
    with pytest.raises(Unauthorized):
        await house.ask(house.token("small"))


async def test_without_an_app_id_nothing_is_accepted() -> None:
    for app_ids in ([], [""]):
        closed = House(app_ids=app_ids)
        for audience in ("", APP_ID, None):
            with pytest.raises(Unauthorized):
                await closed.ask(closed.token(aud=audience))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/teams/",
        "http://smba.trafficmanager.net/teams/",
        "https://smba.trafficmanager.net.evil.example/",
        "https://smba.trafficmanager.net@evil.example/",
        "https://smba.trafficmanager.net:8443/",
        "http://127.0.0.1:3978/",
        "not a url",
    ],
)
async def test_even_a_good_token_opens_no_other_service_host(house: House, url: str) -> None:
    with pytest.raises(Forbidden):
        await house.ask(house.token(serviceurl=url), ACTIVITY | {"serviceUrl": url})
    with pytest.raises(Unauthorized):  # whoever proves nothing is not told more than that
        await house.ask(house.token("mallory", kid="public", serviceurl=url), ACTIVITY | {"serviceUrl": url})


async def test_a_loopback_service_url_is_accepted_only_where_it_is_allowed(house: House) -> None:
    url = "http://localhost:56150/_connector"
    local = House(allow_loopback=True)
    assert await local.ask(local.token(serviceurl=url), ACTIVITY | {"serviceUrl": url}) == APP_ID
    with pytest.raises(Forbidden):
        await house.ask(house.token(serviceurl=url), ACTIVITY | {"serviceUrl": url})


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


# --- where tokens may go

GOOD_SERVICE_URLS = [
    "https://smba.trafficmanager.net/teams/",
    "https://smba.trafficmanager.net",
    "https://smba.trafficmanager.net:443/emea/72f988bf-86f1-41af-91ab-2d7cd011db47/",
    "HTTPS://SMBA.TrafficManager.Net/teams",
    "https://smba.infra.gcc.teams.microsoft.com/teams",
    "https://smba.infra.gov.teams.microsoft.us/teams",
    "https://smba.infra.dod.teams.microsoft.us/teams",
]
BAD_SERVICE_URLS = [
    "",
    " ",
    "https://",
    "https:///teams",
    "//smba.trafficmanager.net/",
    "smba.trafficmanager.net",
    "http://smba.trafficmanager.net/teams/",
    "ftp://smba.trafficmanager.net/",
    "https:smba.trafficmanager.net",
    "https:/smba.trafficmanager.net",
    "https://smba.trafficmanager.net:80/",
    "https://smba.trafficmanager.net:/",
    "https://smba.trafficmanager.net:443:443/",
    "https://smba.trafficmanager.net:0443443/",
    "https://smba.trafficmanager.net:\u0664\u0664\u0663/",
    "https://smba.trafficmanager.net.evil.example/",
    "https://smba.trafficmanager.net./",
    "https://evilsmba.trafficmanager.net/",
    "https://evil.smba.trafficmanager.net/",
    "https://trafficmanager.net/",
    "https://evil.trafficmanager.net/",
    "https://user@smba.trafficmanager.net/",
    "https://user:secret@smba.trafficmanager.net/",
    "https://smba.trafficmanager.net@evil.example/",
    "https://smba.trafficmanager.net%40evil.example/",
    "https://smba.trafficmanager.net:443@evil.example/",
    "https://evil.example/smba.trafficmanager.net/",
    "https://evil.example#smba.trafficmanager.net/",
    "https://evil.example?smba.trafficmanager.net/",
    "https://smba.trafficmanager.net?@evil.example/",
    "https://smba.trafficmanager.net#@evil.example/",
    "https://smba.trafficmanager.net/?x=1",
    "https://smba.trafficmanager.net/#x",
    "https://smba.trafficmanager.net\\@evil.example/",
    "https://evil.example\\smba.trafficmanager.net/",
    "https:\\\\smba.trafficmanager.net/",
    "https://smba.trafficmanager.net/\\evil",
    "https://smba.trafficmanager.net\t.evil.example/",
    "https://smba.traffic\nmanager.net/",
    "https://smba.trafficmanager.net /",
    " https://smba.trafficmanager.net/",
    "https://smba.trafficmanager.net/\n",
    "https://smba.trafficmanager.net/\r\nHost: evil.example",
    "\x00https://smba.trafficmanager.net/",
    "https://\u017fmba.trafficmanager.net/",  # a long s, which upper-cases to S
    "https://smba.trafficmanager\u3002net/",  # an ideographic full stop, which IDNA makes a dot
    "https://smb\u0430.trafficmanager.net/",  # a Cyrillic a
    "https://\uff53mba.trafficmanager.net/",  # a full-width s
    "https://smba\u00ad.trafficmanager.net/",  # a soft hyphen, which IDNA drops
    "https://xn--mba-7na.trafficmanager.net/",
    "https://[smba.trafficmanager.net]/",
    "https://smba.trafficmanager.net/" + "a" * 3000,
]
LOOPBACK_URLS = [
    "http://127.0.0.1:3978",
    "http://127.255.0.3/x",
    "https://127.0.0.1:56150/_connector",
    "http://localhost:56150/_connector",
    "http://LOCALHOST/",
    "http://[::1]:3978/",
    "https://[0:0:0:0:0:0:0:1]/",
]
NEARLY_LOOPBACK_URLS = [
    "http://localhost.evil.example/",
    "http://127.0.0.1.evil.example/",
    "http://127.1/",
    "http://0177.0.0.1/",
    "http://2130706433/",
    "http://128.0.0.1/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://169.254.169.254/",
    "http://[::]/",
    "http://[::1",
    "http://::1/",
    "http://[::1%25eth0]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[127.0.0.1]/",
    "http://[localhost]/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:65536/",
    "http://user@127.0.0.1/",
]


@pytest.mark.parametrize("url", GOOD_SERVICE_URLS)
def test_tokens_may_go_to_the_teams_clouds(url: str) -> None:
    assert check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=False)
    assert check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=True)
    assert not check_service_url(url, [], allow_loopback=True)


@pytest.mark.parametrize("url", BAD_SERVICE_URLS)
def test_tokens_may_not_go_where_a_trick_leads(url: str) -> None:
    for allow_loopback in (False, True):
        assert not check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback)


def test_a_letter_that_only_lower_cases_to_ascii_is_refused() -> None:
    assert check_service_url("https://kilo.example/", ["KILO.example"], allow_loopback=False)
    assert not check_service_url("https://\u212ailo.example/", ["kilo.example"], allow_loopback=False)  # a Kelvin sign


@pytest.mark.parametrize("url", LOOPBACK_URLS)
def test_tokens_may_go_to_loopback_only_where_that_is_allowed(url: str) -> None:
    assert check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=True)
    assert not check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=False)


@pytest.mark.parametrize("url", NEARLY_LOOPBACK_URLS)
def test_what_only_looks_like_loopback_is_refused(url: str) -> None:
    assert not check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=True)


@given(
    st.lists(
        st.sampled_from(["https://", "http://", "smba.trafficmanager.net", "evil.example", "127.0.0.1", ":443", ":80"])
        | st.text(alphabet="/\\@:?#.%[] \t\u017f\u3002ab1", max_size=3),
        max_size=6,
    ).map("".join)
)
def test_whatever_is_allowed_is_allowed_by_what_every_parser_sees(url: str) -> None:
    if check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=False):
        assert urlsplit(url).hostname == yarl.URL(url).host == "smba.trafficmanager.net"
        assert yarl.URL(url).port == 443
        assert urlsplit(url).username is yarl.URL(url).user is None


# --- what it costs, and the real way out


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
    heavy = "{'jwt', 'cryptography', 'aiohttp', 'msal', 'requests', 'pydantic'}"
    assert run(f"import sys, proactive.auth; print({heavy} & set(sys.modules))") == "set()"


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
    assert run(script) == "['aiohttp', 'cryptography', 'jwt']"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost, with its key, in one file."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, private_key("tls").public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private_key("tls"), hashes.SHA256())
    )
    path = tmp_path / "localhost.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + private_key("tls").private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


async def test_metadata_is_fetched_over_https_only_without_redirects_and_up_to_a_size(certificate: Path) -> None:
    from aiohttp import web

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
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
        secure, plain = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context), web.TCPSite(runner, "127.0.0.1", 0)
        await secure.start()
        await plain.start()
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
        said = await asyncio.to_thread(run, script, SSL_CERT_FILE=str(certificate))
    finally:
        await runner.cleanup()
    assert said.splitlines() == [APP_ID] + ["unavailable"] * 5


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Any) -> None:
    """Wait for a condition, which a thread may have to bring about."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
