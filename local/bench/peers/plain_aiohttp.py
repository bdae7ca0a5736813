"""The limit: aiohttp posting the same bytes over pooled connections, with no record and no look at the answer."""

import asyncio
import json
from urllib.parse import quote

import aiohttp
from yarl import URL

from local.bench.peers.loop import Job, read_job, run


async def _main(job: Job) -> None:
    body = json.dumps(
        {"type": "message", "text": job.text, "textFormat": "markdown"}, separators=(",", ":"), ensure_ascii=False
    ).encode()
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(conversation: str) -> None:
            path = f"{job.service_url}v3/conversations/{quote(conversation, safe=':@')}/activities"
            async with session.post(URL(path, encoded=True), data=body, headers=headers) as answer:
                await answer.read()
                answer.raise_for_status()

        await run(job, send)


if __name__ == "__main__":
    asyncio.run(_main(read_job()))
