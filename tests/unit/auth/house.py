"""What the authenticator is asked with and asks: tokens, keys, and the metadata of both clouds."""

import asyncio
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from proactive.auth import Authenticator
from proactive.clouds import GCC_HIGH as US_GOV
from proactive.clouds import PUBLIC
from proactive.hosts import TEAMS_SERVICE_HOSTS
from tests.teams.botside import Clock

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
        self.clock = Clock(1_800_000_000.0)
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


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Any) -> None:
    """Wait for a condition, which a thread may have to bring about."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
