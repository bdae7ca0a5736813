"""botbuilder-core's older `BotFrameworkAdapter`: `continue_conversation` for every message, on a client that it keeps.

No token is fetched: the adapter is handed credentials without an app id, botbuilder's own way of switching
authentication off, so that what is measured is the turn, its pipeline and its connection.
"""

import asyncio

from botbuilder.core import BotFrameworkAdapter, BotFrameworkAdapterSettings, TurnContext
from botbuilder.schema import Activity, ChannelAccount, ConversationAccount, ConversationReference
from botframework.connector.auth import MicrosoftAppCredentials

from local.bench.peers.loop import Job, read_job, run


async def _main(job: Job) -> None:
    empty = MicrosoftAppCredentials.empty()
    adapter = BotFrameworkAdapter(BotFrameworkAdapterSettings(job.bot_id, app_credentials=empty))

    async def say(turn: TurnContext) -> None:
        await turn.send_activity(Activity(type="message", text=job.text, text_format="markdown"))

    async def send(conversation: str) -> None:
        reference = ConversationReference(
            bot=ChannelAccount(id=f"28:{job.bot_id}"),
            conversation=ConversationAccount(id=conversation),
            channel_id="msteams",
            service_url=job.service_url,
        )
        await adapter.continue_conversation(reference, say, job.bot_id)

    await run(job, send)


if __name__ == "__main__":
    asyncio.run(_main(read_job()))
