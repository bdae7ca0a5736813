"""Tokens that are made at an Entra ID of our own, where managed identities are had as on Azure Functions."""

import pytest

from proactive.tokens import Tokens
from tests.teams.botside import Clock
from tests.unit.tokens.entra import SECRET, EntraId


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000.0)


@pytest.fixture
def entra() -> EntraId:
    return EntraId()


@pytest.fixture
def tokens(clock: Clock, entra: EntraId) -> Tokens:
    return Tokens(clock=clock, http_client=entra)


@pytest.fixture(autouse=True)
def app_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where managed identities are had on Azure Functions."""
    for name in ("IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSAL_FORCE_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://identity.local/token")
    monkeypatch.setenv("IDENTITY_HEADER", SECRET)
