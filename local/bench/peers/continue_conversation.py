"""botbuilder-core as its samples send proactively: `CloudAdapter.continue_conversation` for every message.

No token is fetched: without an app id botbuilder switches authentication off, so that what is measured is what it does
itself: a client, a turn, a pipeline and a connection for every message.
"""

import asyncio

from botbuilder.core import CloudAdapterBase, TurnContext
from botbuilder.schema import Activity, ChannelAccount, ConversationAccount, ConversationReference
from botframework.connector.auth import BotFrameworkAuthenticationFactory, PasswordServiceClientCredentialFactory

from local.bench.peers.loop import Job, read_job, run


class _CloudAdapter(CloudAdapterBase):  # type: ignore[misc]
    """What `botbuilder-integration-aiohttp` calls CloudAdapter, without its half that answers HTTP requests."""


async def _main(job: Job) -> None:
    authentication = BotFrameworkAuthenticationFactory.create(
        credential_factory=PasswordServiceClientCredentialFactory()
    )
    adapter = _CloudAdapter(authentication)

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
