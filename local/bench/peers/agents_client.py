"""microsoft-agents-hosting-core: one `ConnectorClient` for all messages, its fastest way to send.

Its own `continue_conversation` makes a client, and so a connection, for every message. No token is fetched: the client
is handed one.
"""

import asyncio

from microsoft_agents.activity import Activity
from microsoft_agents.hosting.core.connector.client import ConnectorClient

from local.bench.peers.loop import Job, read_job, run


async def _main(job: Job) -> None:
    client = ConnectorClient(job.service_url, "none")

    async def send(conversation: str) -> None:
        activity = Activity(type="message", text=job.text, text_format="markdown")
        await client.conversations.send_to_conversation(conversation, activity)

    try:
        await run(job, send)
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(_main(read_job()))
