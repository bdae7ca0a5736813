"""botbuilder-core's older `BotFrameworkAdapter`: `continue_conversation` for every message, on a client that it keeps.

No token is fetched: the adapter is handed credentials without an app id, botbuilder's own way of switching
authentication off, so that what is measured is the turn, its pipeline and its connection.
"""

import asyncio

from botbuilder.core import BotFrameworkAdapter, BotFrameworkAdapterSettings
from botframework.connector.auth import MicrosoftAppCredentials

from local.bench.peers.botbuilder import continue_each
from local.bench.peers.loop import Job, read_job


async def _main(job: Job) -> None:
    empty = MicrosoftAppCredentials.empty()
    adapter = BotFrameworkAdapter(BotFrameworkAdapterSettings(job.bot_id, app_credentials=empty))
    await continue_each(job, adapter)


if __name__ == "__main__":
    asyncio.run(_main(read_job()))
