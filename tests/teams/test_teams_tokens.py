import time

import jwt
import pytest

from local.teams import BOT, TeamsStandIn
from local.teams.tokens import BOT_FRAMEWORK, SigningKey, TokenIssuer

URL = "http://127.0.0.1:1/teams/"


@pytest.fixture(scope="module")
def issuer():
    return TokenIssuer()


def accepted(issuer, token):
    """Check a token as a strict bot does, against the published keys."""
    published = {key["kid"]: jwt.PyJWK(key) for key in issuer.jwks()["keys"]}
    key = published.get(jwt.get_unverified_header(token).get("kid"))
    if key is None:
        raise jwt.InvalidKeyError("unknown key")
    claims = jwt.decode(
        token,
        key,
        algorithms=["RS256"],
        audience=BOT,
        issuer=BOT_FRAMEWORK,
        leeway=300,
        options={"require": ["exp", "iss", "aud"]},
    )
    if claims.get("serviceurl") != URL:
        raise jwt.InvalidTokenError("service URL")
    return claims


def test_a_proper_token_is_accepted(issuer):
    assert accepted(issuer, issuer.issue(BOT, URL))["serviceurl"] == URL


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://sts.windows.net/x/"},
        {"iss": None},
        {"aud": "another"},
        {"exp": int(time.time()) - 301},
        {"exp": None},
        {"nbf": int(time.time()) + 4000},
        {"serviceurl": None},
        {"serviceurl": "https://evil.example/"},
        {"alg": "HS256"},
        {"alg": "none"},
        {"alg": "RS384"},
        {"headers": {"kid": "another"}},
        {"headers": {"kid": None}},
        {"headers": {"alg": "none"}},
    ],
)
def test_each_flaw_alone_makes_it_unacceptable(issuer, wrong):
    with pytest.raises(jwt.PyJWTError):
        accepted(issuer, issuer.issue(BOT, URL, **wrong))


def test_a_key_of_another_hand_is_not_published_even_under_a_known_id(issuer):
    foreign = SigningKey.make()
    with pytest.raises(jwt.InvalidKeyError):
        accepted(issuer, issuer.issue(BOT, URL, key=foreign))
    with pytest.raises(jwt.InvalidSignatureError):
        accepted(issuer, issuer.issue(BOT, URL, key=foreign, headers={"kid": issuer.keys[-1].kid}))


def test_a_token_signed_with_the_public_key_as_a_secret_fools_whoever_takes_its_word(issuer):
    token = issuer.issue(BOT, URL, alg="HS256")
    head, body, signature = token.split(".")
    import hashlib
    import hmac

    expected = hmac.new(issuer.keys[-1].public_pem(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    assert jwt.utils.base64url_decode(signature) == expected


def test_keys_say_for_which_channels_they_may_sign():
    issuer = TokenIssuer(endorsements=None)
    assert "endorsements" not in issuer.jwks()["keys"][0]
    issuer.roll_over(endorsements=("webchat",))
    assert [k.get("endorsements") for k in issuer.jwks()["keys"]] == [None, ["webchat"]]


async def test_metadata_and_keys_are_served_and_counted_and_roll_over(session):
    issuer = TokenIssuer()
    async with TeamsStandIn(tokens=issuer) as teams:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        metadata = await fetch(teams.openid_url)
        assert metadata["issuer"] == BOT_FRAMEWORK
        keys = (await fetch(metadata["jwks_uri"]))["keys"]
        assert [k["kid"] for k in keys] == [issuer.keys[0].kid]
        assert "msteams" in keys[0]["endorsements"]
        assert "d" not in keys[0]

        old = issuer.issue(BOT, URL)
        new_key = issuer.roll_over(keep=0)
        assert [k["kid"] for k in (await fetch(metadata["jwks_uri"]))["keys"]] == [new_key.kid]
        assert (issuer.metadata_fetches, issuer.jwks_fetches) == (1, 2)
        assert accepted(issuer, issuer.issue(BOT, URL))
        with pytest.raises(jwt.InvalidKeyError):
            accepted(issuer, old)
