import aiohttp
import pytest

from local.azurite import azurite
from local.host.instance import instance
from tests.host.support import APP


@pytest.fixture(scope="session")
async def storage():
    async with azurite(in_memory=True) as connection_string:
        yield connection_string


@pytest.fixture(scope="session")
async def host(storage):
    async with instance(storage, app_directory=APP, settings={"SampleStorage": storage}) as running:
        yield running


@pytest.fixture(scope="session")
async def web():
    async with aiohttp.ClientSession() as session:
        yield session
