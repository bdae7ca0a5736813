"""Entra ID as MSAL sees it, and those who sign in there."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from proactive.certificates import Certificate
from proactive.settings import GraphAccess
from proactive.tokens import BotCredentials
from tests.unit.certificates import certificate_pem, private_key_pem

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


def refuse(error: str, description: str, status: int) -> Callable[[], Answer]:
    return lambda: Answer({"error": error, "error_description": description}, status)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a thread brings about."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
