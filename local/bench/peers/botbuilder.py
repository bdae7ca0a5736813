"""What botbuilder's two adapters share: a reference for each conversation, and a turn that says the text in it."""

from typing import Any

from botbuilder.core import TurnContext
from botbuilder.schema import Activity, ChannelAccount, ConversationAccount, ConversationReference

from local.bench.peers.loop import Job, run


async def continue_each(job: Job, adapter: Any) -> None:
    """Send by the `continue_conversation` of an adapter, as botbuilder's documentation sends proactively."""

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
