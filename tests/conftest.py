"""What tests of several kinds share: one storage account and one running stack for the whole run."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings

from local.azurite import azurite
from tests.stack import Stack

# In a fresh clone the first text of all takes a second: Hypothesis makes its table of characters then.
settings.register_profile("fresh clone", settings(), suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fresh clone")


@pytest.fixture(scope="session")
async def storage() -> AsyncIterator[str]:
    async with azurite(in_memory=True) as connection_string:
        yield connection_string


@pytest.fixture(scope="session")
async def stack(storage: str) -> AsyncIterator[Stack]:
    async with Stack.running(storage=storage) as running:
        yield running
