"""microsoft-agents-hosting-core as its samples send proactively: `continue_conversation` for every message.

No token is fetched: its connections hand one out at once, as its token cache would.
"""

import asyncio
from typing import Any

from microsoft_agents.activity import Activity, ChannelAccount, ConversationAccount, ConversationReference
from microsoft_agents.hosting.aiohttp import CloudAdapter
from microsoft_agents.hosting.core import AnonymousTokenProvider, Connections, TurnContext

from local.bench.peers.loop import Job, read_job, run


class _Token(AnonymousTokenProvider):  # type: ignore[misc]
    async def get_access_token(self, *_: Any, **__: Any) -> str:
        return "none"


class _Connections(Connections):  # type: ignore[misc]
    """Connections that all give that token."""

    def get_connection(self, *_: Any) -> Any:
        return _Token()

    get_default_connection = get_token_provider = get_token_provider_from_activity = get_connection

    def get_default_connection_configuration(self) -> Any:
        return _Token().configuration


async def _main(job: Job) -> None:
    adapter = CloudAdapter(connection_manager=_Connections())

    async def say(turn: TurnContext) -> None:
        await turn.send_activity(Activity(type="message", text=job.text, text_format="markdown"))

    async def send(conversation: str) -> None:
        reference = ConversationReference(
            agent=ChannelAccount(id=f"28:{job.bot_id}"),
            conversation=ConversationAccount(id=conversation),
            channel_id="msteams",
            service_url=job.service_url,
        )
        await adapter.continue_conversation(job.bot_id, reference.get_continuation_activity(), say)

    await run(job, send)


if __name__ == "__main__":
    asyncio.run(_main(read_job()))
