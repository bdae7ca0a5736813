"""The inbound door: what proves that Teams posted an activity, and every way of forging that."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from jwt.algorithms import RSAAlgorithm

from proactive.auth import Forbidden, Unauthorized
from proactive.clouds import CLOUDS, DOD, PUBLIC
from proactive.clouds import GCC_HIGH as US_GOV
from tests.unit.auth.house import ACTIVITY, APP_ID, HOUR, OTHER_APP_ID, SERVICE_URL, House, jwk, private_key


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
