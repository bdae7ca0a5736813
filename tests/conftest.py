"""What tests of several kinds share: one storage account and one running stack for the whole run."""

from collections.abc import AsyncIterator

import pytest

from local.azurite import azurite
from tests.stack import Stack


@pytest.fixture(scope="session")
async def storage() -> AsyncIterator[str]:
    async with azurite(in_memory=True) as connection_string:
        yield connection_string


@pytest.fixture(scope="session")
async def stack(storage: str) -> AsyncIterator[Stack]:
    async with Stack.running(storage=storage) as running:
        yield running
