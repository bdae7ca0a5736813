"""A bot's side of the stand-in: a small client, and what an endpoint hears."""

import json
from dataclasses import dataclass, field

import aiohttp

from local.teams import Person

ADA = Person.named("Ada Lovelace")
ALAN = Person.named("Alan Turing")
CARD = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Hello"}]}


class Clock:
    """A clock that only moves when told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Bot:
    """Calls the connector as a bot does."""

    session: aiohttp.ClientSession
    service_url: str

    async def call(self, method, path, body=None, headers=None):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        async with self.session.request(
            method, f"{self.service_url}v3/conversations{path}", data=data, headers=headers
        ) as response:
            raw = await response.read()
            is_json = raw and response.content_type == "application/json"
            return Said(response.status, json.loads(raw) if is_json else raw, dict(response.headers))

    async def send(self, person, activity=None, **more):
        return await self.call("POST", f"/{person.conversation_id}/activities", activity or text("hi"), **more)

    async def create(self, person, **changes):
        body = {
            "bot": {"id": f"28:{person.app_id}"},
            "members": [{"id": person.object_id}],
            "channelData": {"tenant": {"id": person.tenant_id}},
            "tenantId": person.tenant_id,
            "isGroup": False,
        }
        return await self.call("POST", "", body | changes)


@dataclass
class Said:
    status: int
    body: object
    headers: dict

    @property
    def code(self):
        return self.body["error"]["code"]


def text(words):
    return {"type": "message", "text": words}


def card(content=CARD):
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [attachment]}


@dataclass
class Endpoint:
    """A bot's endpoint that keeps what it is told."""

    url: str = ""
    heard: list = field(default_factory=list)
    tokens: list = field(default_factory=list)
