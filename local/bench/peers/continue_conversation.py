"""botbuilder-core as its samples send proactively: `CloudAdapter.continue_conversation` for every message.

No token is fetched: without an app id botbuilder switches authentication off, so that what is measured is what it does
itself: a client, a turn, a pipeline and a connection for every message.
"""

import asyncio

from botbuilder.core import CloudAdapterBase
from botframework.connector.auth import BotFrameworkAuthenticationFactory, PasswordServiceClientCredentialFactory

from local.bench.peers.botbuilder import continue_each
from local.bench.peers.loop import Job, read_job


class _CloudAdapter(CloudAdapterBase):  # type: ignore[misc]
    """What `botbuilder-integration-aiohttp` calls CloudAdapter, without its half that answers HTTP requests."""


async def _main(job: Job) -> None:
    authentication = BotFrameworkAuthenticationFactory.create(
        credential_factory=PasswordServiceClientCredentialFactory()
    )
    adapter = _CloudAdapter(authentication)
    await continue_each(job, adapter)


if __name__ == "__main__":
    asyncio.run(_main(read_job()))
