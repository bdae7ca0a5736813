"""microsoft-teams-apps: `App.send` for every message, on the app's one HTTP client.

No token is fetched: the app is handed a function that gives one, which the SDK asks for at each message as it would
ask its token cache.
"""

import asyncio

import jwt
from microsoft_teams.api import MessageActivityInput
from microsoft_teams.apps import App

from local.bench.peers.loop import Job, read_job, run


async def _main(job: Job) -> None:
    token = jwt.encode({"appid": job.bot_id, "exp": 4_000_000_000}, "", algorithm="none")
    app = App(client_id=job.bot_id, token=lambda _scope, _tenant: token, service_url=job.service_url)
    await app.initialize()

    async def send(conversation: str) -> None:
        await app.send(conversation, MessageActivityInput(text=job.text, text_format="markdown"))

    await run(job, send)


if __name__ == "__main__":
    asyncio.run(_main(read_job()))
